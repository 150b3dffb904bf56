"""A leak scan hides secrets of its own and looks for them: it never reports 0 for having looked badly."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.leaks import plants, secret_forms, unpacking
from scenarios.leaks.canaries import Artefact, ScanBroken, scan


@pytest.mark.parametrize("form", secret_forms.FORMS)
def test_a_scan_that_does_not_see_a_form_says_that_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Were one form not searched for, the scan would miss what it planted in that form, and say so."""
    (tmp_path / "log").write_bytes(b"nothing")
    monkeypatch.delitem(secret_forms.FORMS, form)
    with pytest.raises(ScanBroken, match="missed what it had planted"):
        scan([], [Artefact(tmp_path, None)])


@pytest.mark.parametrize("kind", ["gzip", "zlib", "bzip2", "xz"])
def test_a_scan_that_does_not_unpack_says_that_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Were one kind of container not opened, the planted secret in it would be missed."""
    (tmp_path / "log").write_bytes(b"nothing")
    monkeypatch.setattr(unpacking, "STREAMS", tuple(it for it in unpacking.STREAMS if it[1] != kind))
    with pytest.raises(ScanBroken, match=kind):
        scan([], [Artefact(tmp_path, None)])


def test_plants_are_new_each_time(tmp_path: Path) -> None:
    """Two scans hide different secrets, and their text form does not show them."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (plants.plant(tmp_path / name) for name in ("one", "two"))
    assert set(one.values).isdisjoint(two.values)
    assert all(str(value) not in repr(one) for value in one.values)


def test_rows_of_a_database_are_among_the_plants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the rows of databases not read, the scan would say so."""
    (tmp_path / "log").write_bytes(b"nothing")
    monkeypatch.setattr(unpacking, "SQLITE_MAGIC", b"no file begins like this")
    with pytest.raises(ScanBroken, match="sqlite rows"):
        scan([], [Artefact(tmp_path, None)])
