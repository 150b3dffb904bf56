"""Seals that end at a height (P50): judged from the chain, predicted, opened, repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.errors import FINE, SCENARIO_INVALID
from node.seals.seal import Seal
from tests.command_line import Privity

FILE = """\
privity: 1
name: by-height
network: {transport: memory}
consensus: {block_every: 100ms}
privacy: {payload: off_chain}
parties: {city: {}, acme: {}, bolt: {}, notary: {}, auditor: {votes: false}}
seals:
  close: {opens_at: {height: 6}, openers: [notary, auditor], then_to: [city]}
steps:
  - {at: 1s, do: send, id: bid, as: acme, seal: close, data: {price: 412000}}
  - {at: 2s, do: open, id: early, seal: close, as: notary, expect: refused}
  - {at: 3s, do: send, id: one, as: city, to: [acme], data: {n: 1}}
  - {at: 4s, do: send, id: two, as: city, to: [acme], data: {n: 2}}
  - {at: 5s, do: send, id: three, as: city, to: [acme], data: {n: 3}}
  - {at: {height: 6}, do: open, id: opening, seal: close, as: [notary, auditor]}
  - {at: {height: 6}, do: send, id: late, as: bolt, seal: close, expect: refused, data: {price: 1}}
expect:
  - {check: opened, seal: close, by: [notary, auditor]}
  - {check: readers, tx: bid, at: {height: 5}, are: [acme]}
  - {check: readers, tx: bid, are: [acme, city]}
  - {check: readers, tx: late, are: [bolt]}
"""


def checked(privity: Privity, folder: Path, text: str = FILE) -> str:
    file = folder / "by-height.yaml"
    file.write_text(text)
    done = privity(folder, "check", str(file))
    assert done.code == FINE, done.err
    return done.out


def test_a_seal_is_open_from_a_height_or_from_a_time_on() -> None:
    """A function of the block alone; words for both."""
    by_height, by_time = (
        Seal("s", 0, ("ann",), 1, ("bob",), 6),
        Seal("s", 6_000, ("ann",), 1, ("bob",)),
    )
    assert [by_height.is_open(height, 10**9) for height in (5, 6, 7)] == [False, True, True]
    assert [by_time.is_open(10**9, at_ms) for at_ms in (5_999, 6_000)] == [False, True]
    assert (by_height.opens, by_time.opens) == ("block 6", "6s")
    members = {"ann", "bob"}
    assert by_height.invalid(members) is None and by_time.invalid(members) is None
    assert Seal("s", 1, ("ann",), 1, ("bob",), 6).invalid(members) == "a seal opens at a time or at a height"


def test_p50_it_runs_as_predicted_and_repeats(privity: Privity, tmp_path: Path) -> None:
    """Too early, then opened, then too late: refused and read by the height of the block alone."""
    out = checked(privity, tmp_path)
    before = out.split("predicted, before block 6")[1].split("predicted")[0]
    assert "bid" in before and "● U" not in before and "○ W" in before and "late" not in before
    assert "opening  notary, auditor open close" in out and "W-" not in out.replace("W-COLLUDE", "").replace(
        "W-META", ""
    ).replace("W-UNSTATED", "")
    hashes = set()
    for _ in range(2):
        done = privity(tmp_path, "run", str(tmp_path / "by-height.yaml"), "--json")
        document = json.loads(done.out)
        assert done.code == FINE and document["verdict"] == "pass", done.err
        hashes.add(document["trace_hash"])
    assert len(hashes) == 1
    assert "E-SEAL-EARLY" in done.err and "E-SEAL-LATE" in done.err
    seal = json.loads(privity(tmp_path, "show", "seal", "close", "--json").out)
    assert (seal["opens_at_ms"], seal["opens_at_height"], seal["opened"]) == (None, 6, 6)
    assert [each["refused"] for each in seal["requests"]] == ["too early", None, None]
    assert [(each["name"], each["late"]) for each in seal["payloads"]] == [("bid", False), ("late", True)]
    page = privity(tmp_path, "show", "seal", "close").out
    assert "at block 6: open since block 6" in page


def test_who_says_otherwise_is_told(privity: Privity, tmp_path: Path) -> None:
    """A step that a file expects in time and that comes late fails the run."""
    wrong = FILE.replace("seal: close, expect: refused, data: {price: 1}", "seal: close, data: {price: 1}")
    assert "late comes too late for close, which opens at block 6" in checked(privity, tmp_path, wrong)
    done = privity(tmp_path, "run", str(tmp_path / "by-height.yaml"))
    assert done.code == 1 and "late came too late for close: block" in done.out


@pytest.mark.parametrize("end", ["{view: 3}", "{height: 0}", "{}"])
def test_what_is_no_end_of_a_seal(privity: Privity, tmp_path: Path, end: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(FILE.replace("opens_at: {height: 6}", f"opens_at: {end}"))
    done = privity(tmp_path, "check", str(file))
    assert done.code == SCENARIO_INVALID and "opens_at" in done.err + done.out


def test_a_height_that_the_steps_never_make_is_warned_of(privity: Privity, tmp_path: Path) -> None:
    out = checked(privity, tmp_path, FILE.replace("opens_at: {height: 6}", "opens_at: {height: 60}"))
    assert "seal close waits for block 60, and these steps make" in out
