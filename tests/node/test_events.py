"""The event log: what it writes, and that nothing else can get in."""

from __future__ import annotations

import ast
import base64
import json
import resource
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from node.logs.event_fields import ALWAYS, FIELD_NAMES, FIELD_TYPES
from node.logs.event_names import EVENTS, REASONS
from node.logs.events import EventLog

START_MS = 1_795_435_200_000  # 2026-11-23T12:00:00Z
DIGEST = sha256(b"a batch").digest()
CANARY = sha256(b"a canary").digest()[:16]
PROJECT = Path(__file__).parents[2]


def log_to(path: Path | None, *, after_ms: int = 4329, **options: Any) -> EventLog:
    return EventLog(
        path, run="0007", node="acme", start_ms=START_MS, wall=lambda: START_MS + after_ms, **options
    )


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def one_event(ev: str, **fields: object) -> dict[str, object]:
    events: list[dict[str, object]] = []
    log_to(None, strict=True, sink=events.append).emit(ev, **fields)  # type: ignore[arg-type]
    return events[0]


def test_the_line_of_a_vote(tmp_path: Path) -> None:
    """An event is one line of JSON, its fields in the order of the table however they were given."""
    path = tmp_path / "events.jsonl"
    log_to(path, strict=True).emit(
        "pbft.prepared", lam=57, need=2, have=2, cause=0x2E0, msg=0x2F9, digest=DIGEST, v=0, h=3, dur_ms=31
    )
    expected = (
        '{"ts":"2026-11-23T12:00:04.329Z","t":4329,"seq":1,"lam":57,"run":"0007","node":"acme","lvl":"info",'
        f'"ev":"pbft.prepared","h":3,"v":0,"digest":"{DIGEST[:4].hex()}","msg":"m-2f9","cause":"m-2e0",'
        '"have":2,"need":2,"dur_ms":31}\n'
    )
    assert expected == path.read_text()


def test_memory_and_file_hold_the_same(tmp_path: Path) -> None:
    """The sink of the virtual world gets the very event that a file would hold."""
    events: list[dict[str, object]] = []
    path = tmp_path / "events.jsonl"
    log_to(path, sink=events.append).emit("tx.commit", h=3, tx=DIGEST, to=["bolt", "city"])
    assert lines(path) == events


def test_time_counts_from_the_start(tmp_path: Path) -> None:
    """`t` is milliseconds since genesis, and negative before it; the clock is the one given."""
    path = tmp_path / "events.jsonl"
    log_to(path, after_ms=-20).emit("node.start")
    log_to(path, after_ms=61_005).emit("node.stop")
    assert [(line["ts"], line["t"]) for line in lines(path)] == [
        ("2026-11-23T11:59:59.980Z", -20),
        ("2026-11-23T12:01:01.005Z", 61005),
    ]


def test_every_field_has_a_place_and_a_value_that_fits() -> None:
    """Each field of the table takes a value of its type, and together they stand in the table's order."""
    fits: dict[str, object] = {
        name: True if kinds == (bool,) else 1 if kinds == (int,) else DIGEST
        for name, kinds in FIELD_TYPES.items()
    }
    words = {"phase": "prepare", "from": "bolt", "to": ["bolt", "city"], "party": "bolt", "id": "bid-acme"}
    fits |= words | {"cell": "● S", "reason_code": "other view", "err": "E-LIMIT", "fault": "split"}
    fits |= {"hint": ("opens-at", 12)}
    event = one_event("node.state", **dict(reversed(fits.items())))
    assert [*ALWAYS, *FIELD_NAMES] == list(event)
    assert (event["hint"], event["reason_code"]) == ("opens at 12s", "other_view")


def test_the_lamport_clock_never_falls(tmp_path: Path) -> None:
    """An event that says nothing of the Lamport clock, or less than was known, leaves it where it stands."""
    path = tmp_path / "events.jsonl"
    log = log_to(path)
    for lam in (3, 0, 2, 5):
        log.emit("net.recv", lam=lam)
    assert [line["lam"] for line in lines(path)] == [3, 3, 3, 5]


def test_from_is_also_spelt_with_an_underscore() -> None:
    """Python keeps the word `from` for itself, so `from_` gives that field."""
    assert one_event("pbft.prepare", from_="bolt")["from"] == "bolt"


def test_none_means_not_there() -> None:
    """A field whose value is None does not appear, and is no mistake."""
    assert list(ALWAYS) == list(one_event("node.start", h=None))


@pytest.mark.parametrize("fields", [{"payload": 1}, {"exc_info": True}, {"h": "3"}, {"h": True}, {"h": -1}])
def test_in_tests_a_wrong_field_raises(fields: dict[str, object], tmp_path: Path) -> None:
    """Strict, an unknown field and a wrong type are errors, and nothing is written."""
    path = tmp_path / "events.jsonl"
    with pytest.raises(ValueError, match=r"no field is called|cannot be this"):
        log_to(path, strict=True).emit("block.commit", **fields)  # type: ignore[arg-type]
    assert path.read_bytes() == b""


def test_in_use_a_wrong_field_is_dropped_and_counted(tmp_path: Path) -> None:
    """Not strict, the event is written without the wrong fields, and each of these counts."""
    path = tmp_path / "events.jsonl"
    log = log_to(path)
    log.emit("block.commit", h=3, v="zero", payload="x")
    assert (log.dropped, lines(path)[0]["h"], "v" in lines(path)[0]) == (2, 3, False)


def test_an_unknown_event_is_refused(tmp_path: Path) -> None:
    """The names of events are a closed set: another raises when strict, and is dropped whole otherwise."""
    path = tmp_path / "events.jsonl"
    with pytest.raises(ValueError, match="no event"):
        log_to(path, strict=True).emit("tx.payload")
    log = log_to(path)
    log.emit("tx.payload")
    log.emit("tx.submit", lam="9")  # type: ignore[arg-type]
    assert (log.dropped, path.read_bytes()) == (2, b"")


HIDING_PLACES: dict[str, Callable[[bytes], object]] = {
    "bytes": bytes,
    "hex": bytes.hex,
    "base64": lambda canary: base64.b64encode(canary).decode(),
    "urlsafe": lambda canary: base64.urlsafe_b64encode(canary).decode().rstrip("="),
    "base32": lambda canary: base64.b32encode(canary).decode().rstrip("=").lower(),
    "map": lambda canary: {"amount": canary.hex()},
    "list": lambda canary: [canary.hex()],
    "tuple": lambda canary: ("opens-at", canary.hex()),
    "long": lambda canary: canary.hex() * 100,
    "sentence": lambda canary: f"pay bolt {canary.hex()}",
    "number": lambda canary: int.from_bytes(canary),
    "exception": lambda canary: ValueError(canary.hex()),
    "split": lambda canary: canary.hex()[:16] + "\x00" + canary.hex()[16:],
}


@pytest.mark.parametrize("place", HIDING_PLACES)
@pytest.mark.parametrize("field", [*FIELD_NAMES, "payload"])
def test_no_field_takes_a_canary(field: str, place: str, tmp_path: Path) -> None:
    """P22: each field refuses a secret in any form, counts that, and neither file nor error has it."""
    path = tmp_path / "events.jsonl"
    hidden = HIDING_PLACES[place](CANARY)
    log = log_to(path)
    log.emit("tx.submit", **{field: hidden})  # type: ignore[arg-type]
    assert (1, list(ALWAYS)) == (log.dropped, list(lines(path)[0]))
    with pytest.raises(ValueError) as error:
        log_to(None, strict=True).emit("tx.submit", **{field: hidden})  # type: ignore[arg-type]
    assert CANARY.hex() not in str(error.value)


@pytest.mark.parametrize("field", FIELD_NAMES)
def test_of_32_bytes_a_log_shows_four(field: str, tmp_path: Path) -> None:
    """A content key passed as a digest by mistake is cut: 8 digits stand in the log, of 64."""
    path = tmp_path / "events.jsonl"
    key = sha256(b"a content key").digest()
    log_to(path).emit("tx.submit", **{field: key})  # type: ignore[arg-type]
    assert key[:5].hex() not in path.read_text()


def test_only_known_parties_are_named(tmp_path: Path) -> None:
    """A log that knows the parties names nobody else."""
    path = tmp_path / "events.jsonl"
    log = log_to(path, names={"acme", "bolt"})
    log.emit("net.recv", from_="bolt", to=["acme", "mallory"])
    log.emit("priv.deliver", party="mallory")
    assert (log.dropped, lines(path)[0]["from"]) == (2, "bolt")
    assert not {"to", "party"} & (lines(path)[0] | lines(path)[1]).keys()


def test_control_characters_are_stripped() -> None:
    """A name from a peer loses escape sequences, line ends and marks that turn the text around."""
    assert one_event("net.recv", from_="bo\x1b\r\u202elt\x9b")["from"] == "bolt"


def test_debug_events_need_the_level(tmp_path: Path) -> None:
    """What is below the level is not written, takes no number, and can be asked about beforehand."""
    path = tmp_path / "events.jsonl"
    quiet, loud = log_to(path), log_to(path, level="debug")
    quiet.emit("net.send", "debug", phase="prepare")
    loud.emit("net.recv", "debug", phase="prepare")
    quiet.emit("disk.error", "error")
    assert [(line["ev"], line["seq"], line["lvl"]) for line in lines(path)] == [
        ("net.recv", 1, "debug"),
        ("disk.error", 2, "error"),
    ]
    assert (quiet.wants("debug"), loud.wants("debug")) == (False, True)


def test_numbers_go_on_after_a_restart_and_between_writers(tmp_path: Path) -> None:
    """`seq` counts through a file, whoever of several writers appends, also after a restart."""
    path = tmp_path / "events.jsonl"
    first, second = log_to(path), log_to(path)
    for log in (first, second, second, first):
        log.emit("audit.read", party="acme")
    first.close()
    log_to(path).emit("node.start")
    assert [line["seq"] for line in lines(path)] == [1, 2, 3, 4, 5]


def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    """After a crash in the middle of a line the next event has its own line, and the number goes on."""
    path = tmp_path / "events.jsonl"
    log_to(path).emit("node.start")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    log_to(path).emit("node.recover")
    kept = [line for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert [json.loads(line)["seq"] for line in kept] == [1, 2]


def test_a_full_disk_loses_lines_but_stops_nobody(tmp_path: Path) -> None:
    """A line that the disk refuses is counted, and the gap in `seq` shows it once there is room again."""
    path = tmp_path / "events.jsonl"
    log = log_to(path)
    log.emit("node.start")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        log.emit("disk.error", "error")
        log.emit("disk.error", "error")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.emit("node.stop")
    kept = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert (
        log.lost,
        [(line["ev"], line["seq"]) for line in kept],
    ) == (2, [("node.start", 1), ("node.stop", 4)])


def test_a_closed_log_counts_what_comes_late(tmp_path: Path) -> None:
    """An event after closing is lost, and counted; closing twice does no harm."""
    log = log_to(tmp_path / "events.jsonl")
    log.close()
    log.close()
    log.emit("node.stop")
    assert log.lost == 1


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_only_its_owner_may_read_a_log(umask: int, tmp_path: Path, set_umask: Callable[[int], None]) -> None:
    """A log has mode 600 whatever the umask."""
    set_umask(umask)
    path = tmp_path / "events.jsonl"
    log_to(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_event_says_what_it_means() -> None:
    """Each event has one sentence."""
    assert [name for name, sentence in EVENTS.items() if not (sentence.endswith(".") and "." in name)] == []


def test_the_log_knows_every_reason() -> None:
    """Each reason that the core or a node gives for dropping or refusing something is a word of the log."""
    modules = [path for name in ("consensus", "node") for path in (PROJECT / name).rglob("*.py")]
    reasons = {reason for path in modules for reason in reasons_in(path)}
    assert len(reasons) > 20
    assert sorted(reasons - REASONS.keys()) == []


def reasons_in(path: Path) -> set[str]:
    """The texts that a module gives as a reason: assigned, passed as one, or returned as text or None."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Assign(targets=[ast.Name(id="reason")], value=value):
                found.append(value)
            case ast.keyword(arg="reason" | "reason_code", value=value):
                found.append(value)
            case ast.Call(func=ast.Attribute(attr="ignore" | "drop"), args=[value, *_]):
                found.append(value)
            case ast.Call(func=ast.Name(id="DecodeError" | "Unreadable"), args=[value, *_]):
                found.append(value)
            case ast.FunctionDef(returns=ast.BinOp(ast.Name("str"), ast.BitOr(), ast.Constant(None))):
                found += returned_by(node)
            case ast.FunctionDef(name=name) if name.startswith("_reason"):
                found += returned_by(node)
    return {text for value in found for text in texts_of(value)}


def returned_by(function: ast.FunctionDef) -> list[ast.expr | None]:
    return [inner.value for inner in ast.walk(function) if isinstance(inner, ast.Return)]


def texts_of(value: ast.expr | None) -> list[str]:
    """The texts that an expression can have, as far as they stand there."""
    match value:
        case ast.Constant(str(text)) if text:
            return [text]
        case ast.IfExp(body=one, orelse=other):
            return texts_of(one) + texts_of(other)
    return []


def test_nobody_else_logs() -> None:
    """structlog, whose defaults print local variables, is imported by the event log alone."""
    packages = [PROJECT / name for name in ("consensus", "node", "scenarios")]
    modules = [path for package in packages for path in package.rglob("*.py")]
    assert [path.name for path in modules if "import structlog" in path.read_text()] == ["events.py"]
