"""Events as people see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from log_story import SHOWN, SHOWN_IN_ASCII, event, story

from node.logs.lines import Lines, clock


def shown(events: Iterable[dict[str, Any]], **options: Any) -> list[str]:
    return list(Lines(**options).show(events))


def test_the_human_view() -> None:
    """Columns are fixed, words stand before symbols, and silence has a line of its own."""
    assert SHOWN.strip().splitlines() == shown(story(), gap_ms=1000)


def test_the_human_view_in_ascii() -> None:
    """Without symbols the same words stand in the same columns."""
    assert SHOWN_IN_ASCII.strip().splitlines() == shown(story(), gap_ms=1000, ascii_only=True)


def test_no_gap_lines_unless_asked() -> None:
    """Gaps are drawn from the length that is asked for, and not at all without one."""
    assert len(shown(story())) == 7
    assert len(shown(story(), gap_ms=3661)) == 7
    assert len(shown(story(), gap_ms=3660)) == 8


def test_voters_are_gathered_from_their_votes() -> None:
    """Who prepared is told from the votes before, when these are as many as were counted for the batch."""
    votes = [
        event(1, "acme", "pbft.prepare", h=3, v=0, digest="9c41e07b", **{"from": name}, have=n, need=2)
        for n, name in enumerate(["acme", "bolt"], 1)
    ]
    same = event(2, "acme", "pbft.prepared", h=3, v=0, digest="9c41e07b", have=2, need=2)
    lines = Lines()
    lines.learn([*votes, votes[0]])
    others = [same | {"digest": "00000000"}, same | {"node": "bolt"}, same | {"have": 3, "need": 3}]
    assert [line[54:] for line in lines.show([same, *others])] == [
        "2 of 2 ✓ (self bolt)",
        "2 of 2 ✓",
        "2 of 2 ✓",
        "3 of 3 ✓",
    ]


def test_too_few_votes_are_marked() -> None:
    """A count below what is needed never carries the mark of success."""
    line = shown([event(1, "acme", "pbft.prepared", h=3, v=0, have=1, need=2)])[0]
    assert line.endswith("1 of 2 ✗")


def test_the_state_of_a_node() -> None:
    """Height, view, head, mempool, watermarks and the payloads' states are read from one line."""
    state = {"mempool": 2, "low": 0, "high": 100, "delivered": 3, "pending": 1, "not_party": 7}
    line = shown([event(61_002, "acme", "node.state", h=12, v=1, blk="9c41e07b", **state)])[0]
    assert line == (
        "01:01.002  acme    node.state       h12 v1 9c41…      "
        "mempool 2 · window 0..100 · delivered 3 pending 1 not party 7"
    )


@pytest.mark.parametrize(
    ("more", "subject", "words"),
    [
        ({"ev": "tx.commit", "tx": "7f3a91c2", "h": 3}, "7f3a91c2…", "block 3"),
        ({"ev": "tx.commit", "tx": "0000aaaa", "h": 3}, "loan-1", "block 3"),
        ({"ev": "priv.deliver", "id": "visit", "cell": "● N"}, "visit", "reads the content (named party)"),
        (
            {"ev": "net.drop", "reason_code": "bad_signature", "count": 3, "from": "bolt"},
            "",
            "from bolt · bad signature · 3 in all",
        ),
        (
            {"ev": "tx.submit", "id": "visit", "readers_n": 1, "bytes": 256},
            "visit",
            "for 1 reader · 256 B padded",
        ),
        ({"ev": "expect.fail", "ok": False, "err": "E-LIMIT"}, "", "failed ✗ E-LIMIT"),
        ({"ev": "run.ready", "ok": True, "dur_ms": 1900}, "", "ok ✓   1900 ms"),
        ({"ev": "node.crash", "fault": "split", "party": "bolt"}, "bolt", "by fault split"),
        ({"ev": "disk.error", "lvl": "error", "reason_code": "disk_full"}, "", "error · disk full"),
        (
            {"ev": "block.commit", "h": 3, "v": 0, "blk": "9c41e07b", "txs": 2, "state_root": "aa41e07b"},
            "h3 v0 9c41…",
            "2 txs · state aa41…",
        ),
        (
            {"ev": "net.recv", "msg": "m-2f9", "phase": "prepare", "from": "bolt", "new": "thing"},
            "m-2f9",
            "prepare · from bolt",
        ),
    ],
)
def test_events_in_words(more: dict[str, Any], subject: str, words: str) -> None:
    """Each field has its words; transactions go by the operator's name for them, else by their hash."""
    line = shown([event(1, "acme", **more)], labels={"0000aaaa": "loan-1"})[0]
    assert line == f"00:00.001  acme    {more['ev']:<16} {subject:<17} {words}"


def test_long_names_keep_the_columns_straight() -> None:
    """The column of the nodes is as wide as the longest name that is known."""
    lines = shown([event(1, "acme", "node.start"), event(2, "acme", "node.stop")], nodes=["clearing-house"])
    assert lines == ["00:00.001  acme            node.start", "00:00.002  acme            node.stop"]


def test_minutes_go_on_counting() -> None:
    """Times are minutes, seconds and milliseconds since the start, and may lie before it."""
    assert [clock(t) for t in (0, 3599999, 7500001, -20)] == [
        "00:00.000",
        "59:59.999",
        "125:00.001",
        "-00:00.020",
    ]


def test_markup_is_data() -> None:
    """Brackets in a value are printed as they are."""
    assert "[bold][/x] bank-[a]" in shown([event(1, "acme", "tx.commit", id="[bold][/x] bank-[a]")])[0]
