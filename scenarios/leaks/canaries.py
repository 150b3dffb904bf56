"""The leak scan: is any secret written down where somebody can read it who may not know it?

Every scan hides secrets of its own as well, one in each form and kind of container, and looks for them with
the same code in the same pass. If it misses one it raises ScanBroken, so "0 found" never means a bad look.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenarios.leaks.needles import Data, Needles
from scenarios.leaks.plants import Plant, plant
from scenarios.leaks.secret_forms import SHORTEST_BYTES, patterns_of
from scenarios.leaks.unpacking import CannotUnpack, contents

# Memory, not speed, is what bounds the secrets looked for in one pass: about 150 bytes for each of 8 words of
# each of some 20 patterns of a secret.
SECRETS_PER_PASS = 10_000


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that only `readers` (party names) may hold. `kind` says what it is, without saying it.

    A text counts as its UTF-8 bytes. Raises ValueError for less than SHORTEST_BYTES, which chance would find.
    """

    readers: frozenset[str]
    kind: str
    value: bytes | str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.raw) < SHORTEST_BYTES:
            raise ValueError(f"a secret has {SHORTEST_BYTES} bytes or more")

    @property
    def raw(self) -> bytes:
        return self.value.encode("utf-8") if isinstance(self.value, str) else self.value


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file, or a folder with all below it. It may hold what `owner` may read; nothing if that is None."""

    path: Path
    owner: str | None


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A secret where it may not be. Holds nothing of the secret itself.

    `path` is relative to the scan's root; what follows a ! in it lies packed inside the file. `offset` counts
    from the start of that.
    """

    path: str
    offset: int
    kind: str
    form: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """`searched` distinct secrets were looked for, and `public` more were not, being public values anyway."""

    searched: int
    public: int
    found: tuple[Finding, ...]
    files: int
    bytes_read: int


class ScanBroken(AssertionError):
    """The scan cannot be trusted: it missed a planted secret, or could not read what it was to search."""


def scan(
    secrets: Iterable[Secret],
    artefacts: Sequence[Artefact],
    *,
    root: Path | None = None,
    public: Sequence[str | bytes] = (),
) -> ScanResult:
    """Search every artefact for every secret that its owner may not have, in every form.

    `root` is what paths in findings are relative to (by default what the artefacts have in common). A secret
    that occurs in one of the `public` texts, as a name known to everybody may, is not searched for. A secret
    within a longer one is no finding where the longer one may be. One finding for each secret, form and file.
    Raises ScanBroken if it cannot be trusted.
    """
    if not artefacts:
        raise ScanBroken("there is nothing to search")
    known = [text.encode("utf-8") if isinstance(text, str) else text for text in public]
    merged = _merge(secrets)
    wanted = [secret for secret in merged if not any(secret.raw in text for text in known)]
    base = root or Path(os.path.commonpath([artefact.path.absolute().parent for artefact in artefacts]))
    found: set[Finding] = set()
    reading = _Reading()
    with tempfile.TemporaryDirectory(prefix="privity-") as folder:
        planted = plant(Path(folder))
        hidden = [Secret(frozenset(), "planted", value) for value in planted.values]
        for start in range(0, max(1, len(wanted)), SECRETS_PER_PASS):
            search = _Search([*hidden, *wanted[start : start + SECRETS_PER_PASS]], wanted)
            check = _Reading()
            _expect(planted.plants, _scan_tree(search, Artefact(Path(folder), None), Path(folder), check))
            reading = _Reading()
            for artefact in artefacts:
                found |= _scan_tree(search, artefact, base, reading)
    return ScanResult(
        searched=len(wanted),
        public=len(merged) - len(wanted),
        found=tuple(sorted(found)),
        files=reading.files,
        bytes_read=reading.bytes_read,
    )


@dataclass(slots=True)
class _Reading:
    """How much was read."""

    files: int = 0
    bytes_read: int = 0


class _Search:
    """One pass's secrets, ready to be looked for."""

    def __init__(self, secrets: Sequence[Secret], all_secrets: Sequence[Secret]) -> None:
        self._meanings: dict[bytes, list[tuple[Secret, str]]] = {}
        for secret in secrets:
            for pattern, form in patterns_of(secret.raw).items():
                self._meanings.setdefault(pattern, []).append((secret, form))
        self._needles = Needles(self._meanings)
        self._longer = self._containing(secrets, all_secrets)

    def leaks(self, data: Data, owner: str | None) -> Iterator[tuple[int, Secret, str]]:
        """What is in the data that its owner may not have: offset, secret, form."""
        for offset, pattern in self._needles.search(data):
            for secret, form in self._meanings[pattern]:
                if owner in secret.readers or self._excused(data, offset, pattern, secret, form, owner):
                    continue
                yield offset, secret, form

    def _excused(
        self, data: Data, offset: int, pattern: bytes, secret: Secret, form: str, owner: str | None
    ) -> bool:
        """Whether this is but a part of a longer secret, in the same form, that the owner may have."""
        for longer in self._longer.get(secret.raw, ()):
            if owner not in longer.readers:
                continue
            for other, its_form in patterns_of(longer.raw).items():
                if its_form == form and _covers(data, offset, pattern, other):
                    return True
        return False

    @staticmethod
    def _containing(secrets: Sequence[Secret], all_secrets: Sequence[Secret]) -> dict[bytes, list[Secret]]:
        """For each secret that is a part of others, those others."""
        longer: dict[bytes, list[Secret]] = {}
        needles = Needles(secret.raw for secret in secrets)
        for container in all_secrets:
            for _, part in needles.search(container.raw):
                if part != container.raw:
                    longer.setdefault(part, []).append(container)
        return longer


def _covers(data: Data, offset: int, part: bytes, whole: bytes) -> bool:
    """Whether the `part` at `offset` lies within an occurrence of `whole`."""
    at = whole.find(part)
    while at >= 0:
        start = offset - at
        if start >= 0 and data[start : start + len(whole)] == whole:
            return True
        at = whole.find(part, at + 1)
    return False


def _merge(secrets: Iterable[Secret]) -> list[Secret]:
    """One secret for each value. A value told to one party here and to another there is known to both."""
    merged: dict[bytes, Secret] = {}
    for secret in secrets:
        same = merged.get(secret.raw)
        readers = secret.readers if same is None else same.readers | secret.readers
        merged[secret.raw] = Secret(readers, secret.kind if same is None else same.kind, secret.raw)
    return list(merged.values())


def _scan_tree(search: _Search, artefact: Artefact, base: Path, reading: _Reading) -> set[Finding]:
    """Everything below one artefact, names of files included."""
    found: set[Finding] = set()
    seen: set[tuple[str, bytes, str]] = set()
    for path in _files(artefact.path):
        shown, leaking_names = _shown(search, path, base, artefact.owner)
        found |= leaking_names
        try:
            for where, data in contents(path):
                reading.bytes_read += len(data)
                for offset, secret, form in search.leaks(data, artefact.owner):
                    if (shown + where, secret.raw, form) not in seen:
                        seen.add((shown + where, secret.raw, form))
                        found.add(Finding(shown + where, offset, secret.kind, form))
        except FileNotFoundError:
            continue  # Deleted since the folder was listed: there is nothing left to read in it.
        except (CannotUnpack, OSError) as error:
            why = str(error) if isinstance(error, CannotUnpack) else error.strerror
            raise ScanBroken(f"{shown} could not be searched: {why}") from None
        reading.files += 1
    return found


def _files(path: Path) -> Iterator[Path]:
    """The file, or all files below the folder in order of their names. Links are not followed."""
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise ScanBroken(f"{path.name} is not there to be searched")

    def stop(error: OSError) -> None:
        raise ScanBroken(f"a folder below {path.name} could not be searched: {error.strerror}")

    for folder, folders, names in os.walk(path, onerror=stop):
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            if file.is_file() and not file.is_symlink():
                yield file


def _shown(search: _Search, path: Path, base: Path, owner: str | None) -> tuple[str, set[Finding]]:
    """The path as a finding may show it, and findings for each part of it that is itself a secret."""
    parts: list[str] = []
    found: set[Finding] = set()
    for part in Path(os.path.relpath(path.absolute(), base.absolute())).parts:
        leaks = list(search.leaks(os.fsencode(part), owner))
        parts.append("(a secret)" if leaks else part)
        for offset, secret, form in leaks:
            found.add(Finding("/".join(parts), offset, secret.kind, f"{form}, as a name"))
    return "/".join(parts), found


def _expect(plants: Sequence[Plant], found: set[Finding]) -> None:
    """Raise ScanBroken unless every plant was found where, and as what, it was hidden."""
    seen = {(finding.path, finding.form) for finding in found if finding.kind == "planted"}
    missed = [plant.name for plant in plants if (plant.path, plant.form) not in seen]
    if missed:
        raise ScanBroken("the scan missed what it had planted itself: " + ", ".join(missed))
