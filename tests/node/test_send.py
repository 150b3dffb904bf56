"""`privity send`: sealed with one party's keys, proved to be ordered, and nothing told when it is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.envelopes.disclosure import RULE_FIELD
from node.envelopes.envelope import NotAParty, unseal
from node.envelopes.rule import FREE
from node.envelopes.transaction import PrivateTransaction
from node.errors import NOT_REACHABLE, UNCONFIRMED, WRONG_USAGE
from node.run_reading import RunReading
from node.verbs import run_client
from node.verbs.send_input import MAX_BYTES, scalar
from scenarios.processes.broker import free_port
from tests.command_line import Privity
from tests.run_of_nodes import CANARY, NAMES, LiveRun
from tests.waiting import wait_until

TO_CITY = ("send", "--as", "acme", "--to", "city")


def content(run: LiveRun, label: str, party: str) -> dict[str, object]:
    """What a party reads in a transaction, from its own folder with its own key; its rule is not counted."""
    reading = RunReading(run.folder)
    found = reading.find(label)
    wait_until(lambda: found.id in run.ledger(party))
    node = RunReading(run.folder).node(party)
    transaction, blob = node.transactions[found.id].transaction, node.blob(found.id)
    assert isinstance(transaction, PrivateTransaction) and blob is not None
    fields = unseal(transaction, blob, run.keys[party].wrapping).payload.fields()
    assert fields.pop(RULE_FIELD) == FREE
    return fields


def test_what_a_user_sees(live: LiveRun, privity: Privity) -> None:
    """The lines are PRODUCT's: sealed, ordered, block, delivered, content, metadata, tx."""
    done = privity(live.home, *TO_CITY, "--set", "note=site visit ok?", "--id", "visit")
    assert (done.code, done.err) == (0, "")
    sealed, ordered, block, delivered, content, metadata, tx = done.out.splitlines()
    assert sealed == "sealed     for 1 reader (city) and yourself; padded to 256 B"
    assert re.fullmatch(
        r"ordered    block \d+ · view 0 · signed by [34] of 4 voters \(quorum 3\) +\d+ ms", ordered
    )
    assert re.fullmatch(r"block      [0-9a-f]{8}…  hash signed by [34] of 4 voters \(quorum 3\)", block)
    assert delivered == (
        "delivered  with the ledger, as ciphertext to every node; city opens it there once the block has come"
    )
    assert content == "content    acme, city         ciphertext, no key   bolt, notary, crane, broker"
    assert metadata == "metadata   everyone: sender, time, padded size.   hidden: recipients"
    assert re.fullmatch(r"tx         [0-9a-f]{8}…          next  privity show tx visit --as city", tx)


def test_sender_and_reader_read_it(live: LiveRun, privity: Privity) -> None:
    """Sender and named party read exactly the fields that were sent; others hold no key."""
    settings = ("--set", "price=10", "--set", 'name="10"', "--set", "who=a=b", "--set", "none=null")
    assert privity(live.home, *TO_CITY, *settings, "--id", "fields").code == 0
    sent = {"price": 10, "name": "10", "who": "a=b", "none": None}
    assert sent == content(live, "fields", "acme") == content(live, "fields", "city")
    with pytest.raises(NotAParty):
        content(live, "fields", "crane")


def test_the_document(live: LiveRun, privity: Privity) -> None:
    """`--json` is one document of schema privity.send/1, with both certificates' signers."""
    document = privity(live.home, *TO_CITY, "--set", "a=1", "--json").document
    keys = ["schema", "run", "tx", "id", "as", "to", "size_bytes", "slots", "keep", "redisclose", "seal"]
    keys += ["ordered"]
    assert list(document) == keys and document["keep"] is None
    assert (document["schema"], document["id"], document["to"]) == ("privity.send/1", None, ["city"])
    ordered = document["ordered"]
    assert list(ordered) == [
        *("height", "view", "block", "quorum", "voters"),
        *("commit_signers", "block_signers", "took_ms"),
    ]
    assert len(ordered["commit_signers"]) >= 3 and set(ordered["block_signers"]) <= set(NAMES)


def test_keep_stands_in_the_header_and_in_the_answer(live: LiveRun, privity: Privity) -> None:
    """`--keep 900` is signed with the transaction and told; what no header can hold is wrong usage."""
    done = privity(live.home, *TO_CITY, "--set", "a=1", "--id", "short", "--keep", "900")
    assert done.code == 0
    assert "kept       for 900 blocks after its own; then every node erases it" in done.out.splitlines()
    assert content(live, "short", "city") == {"a": 1}
    reading = RunReading(live.folder)
    transaction = reading.node("city").transactions[reading.find("short").id].transaction
    assert isinstance(transaction, PrivateTransaction) and transaction.header.core.keep == 900
    for number in ("0", "10000001", "soon"):
        assert privity(live.home, *TO_CITY, "--set", "a=1", "--keep", number).code == WRONG_USAGE


def test_only_the_senders_keys_are_needed(live: LiveRun, privity: Privity) -> None:
    """Sending works with all other parties' key files away: nothing but the sender's own is opened."""
    with keys_away(live, [name for name in NAMES if name != "acme"]):
        assert privity(live.home, *TO_CITY, "--set", "a=1").code == 0
    with keys_away(live, ["acme"]):
        done = privity(live.home, *TO_CITY, "--set", "a=1")
    assert (done.code, "E-KEYS" in done.err) == (NOT_REACHABLE, True)


@contextmanager
def keys_away(run: LiveRun, names: list[str]) -> Iterator[None]:
    """Inside, these parties' key files are elsewhere; their nodes have read them already."""
    for name in names:
        (run.folder.node(name) / "keys").rename(run.folder.node(name) / "away")
    try:
        yield
    finally:
        for name in names:
            (run.folder.node(name) / "away").rename(run.folder.node(name) / "keys")


def test_to_oneself(live: LiveRun, privity: Privity) -> None:
    """A sender who names himself, once or twice, is one reader; naming somebody twice changes nothing."""
    out = privity(live.home, "send", "--as", "acme", "--to", "acme", "--set", "a=1", "--id", "own").out
    assert out.startswith("sealed     for yourself only; padded to 256 B\n")
    assert "delivered" not in out
    out = privity(live.home, *TO_CITY, "--to", "city,acme,bolt", "--set", "a=1").out
    assert out.startswith("sealed     for 2 readers (city, bolt) and yourself;")


def test_without_waiting(live: LiveRun, privity: Privity) -> None:
    """--no-wait returns once the broker has it, claims no order, and it is ordered all the same."""
    done = privity(live.home, *TO_CITY, "--set", "a=1", "--id", "later", "--no-wait")
    assert (done.code, "signed by" in done.out) == (0, False)
    assert "ordered    not waited for" in done.out
    assert content(live, "later", "city") == {"a": 1}


def test_too_little_time(live: LiveRun, privity: Privity) -> None:
    """When no proof comes in time the outcome is called unknown, with exit 3, and it can be looked up."""
    done = privity(live.home, *TO_CITY, "--set", f"a={CANARY}", "--id", "hurry", "--timeout", "1ms")
    assert (done.code, done.out) == (UNCONFIRMED, "")
    assert "E-UNCONFIRMED" in done.err and "it may still be ordered" in done.err
    assert CANARY not in done.err
    assert content(live, "hurry", "city") == {"a": CANARY}


@pytest.mark.parametrize("data", ['{"price": 10, "by": "2027-01-01"}', "price: 10\nby: 2027-01-01\n"])
def test_data_from_a_file(data: str, live: LiveRun, privity: Privity, tmp_path: Path) -> None:
    """A map in JSON or YAML comes from FILE, @FILE or standard input; a date is text."""
    file = tmp_path / "data"
    file.write_text(data)
    for number, source in enumerate((str(file), f"@{file}", "-")):
        label = f"data-{'json' if data[0] == '{' else 'yaml'}-{'abc'[number]}"
        done = privity(live.home, *TO_CITY, "--data", source, "--id", label, stdin=data.encode())
        assert (done.code, done.err) == (0, "")
        assert content(live, label, "city") == {"price": 10, "by": "2027-01-01"}


DEEP = '{"a":' * 9 + f'"{CANARY}"' + "}" * 9
WRONG = {
    "unknown sender": (("send", "--as", "acne", "--to", "city", "--set", f"a={CANARY}"), b"", "E-PARTY"),
    "unknown reader": (("send", "--as", "acme", "--to", "town", "--set", f"a={CANARY}"), b"", "E-PARTY"),
    "nothing": (TO_CITY, b"", "E-PAYLOAD"),
    "no equals": ((*TO_CITY, "--set", CANARY), b"", "E-PAYLOAD"),
    "name twice": ((*TO_CITY, "--set", f"a={CANARY}", "--set", "a=2"), b"", "E-PAYLOAD"),
    "own name": ((*TO_CITY, "--set", f"_canary={CANARY}"), b"", "E-PAYLOAD"),
    "list": ((*TO_CITY, "--data", "-"), f'["{CANARY}"]'.encode(), "E-PAYLOAD"),
    "text": ((*TO_CITY, "--data", "-"), CANARY.encode(), "E-PAYLOAD"),
    "broken": ((*TO_CITY, "--data", "-"), f"a: [{CANARY}\nb: {{{CANARY}".encode(), "E-PAYLOAD"),
    "tag": ((*TO_CITY, "--data", "-"), f"a: !!python/name:{CANARY} x".encode(), "E-PAYLOAD"),
    "not UTF-8": ((*TO_CITY, "--data", "-"), CANARY.encode() + b"\xff", "E-PAYLOAD"),
    "JSON name twice": ((*TO_CITY, "--data", "-"), f'{{"a": "{CANARY}", "a": 1}}'.encode(), "E-PAYLOAD"),
    "YAML name twice": ((*TO_CITY, "--data", "-"), f"a: {CANARY}\na: 1".encode(), "E-PAYLOAD"),
    "missing file": ((*TO_CITY, "--data", "/nowhere/data.json"), b"", "E-PAYLOAD"),
    "too deep": ((*TO_CITY, "--data", "-"), DEEP.encode(), "E-LIMIT"),
    "far too deep": ((*TO_CITY, "--data", "-"), b'{"a":' * 50_000, "E-LIMIT"),
    "too many leaves": ((*TO_CITY, "--data", "-"), json.dumps({"a": [CANARY] * 257}).encode(), "E-LIMIT"),
    "too long": ((*TO_CITY, "--data", "-"), json.dumps({"a": CANARY * 7000}).encode(), "E-LIMIT"),
    "huge": ((*TO_CITY, "--data", "-"), b'{"a": "' + b"x" * MAX_BYTES + b'"}', "E-LIMIT"),
    "bad id": ((*TO_CITY, "--set", f"a={CANARY}", "--id", "No Good"), b"", "E-NAME"),
    "private id": ((*TO_CITY, "--set", "price=398500", "--id", "bid-398500"), b"", "E-PRIVATE"),
    "seal": ((*TO_CITY, "--set", f"a={CANARY}", "--seal", "tender-close"), b"", "E-USAGE"),
    "no seal": (("send", "--as", "acme", "--set", f"a={CANARY}", "--seal", "tender-close"), b"", "E-SEAL"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(case: str, live: LiveRun, privity: Privity) -> None:
    """A wrong argument is exit 2 with its code; nothing is sent or repeated of the content (P21, P26)."""
    arguments, stdin, code = WRONG[case]
    before = len(live.folder.transactions())
    done = privity(live.home, *arguments, stdin=stdin)
    assert (done.code, done.out) == (WRONG_USAGE, "")
    assert f"   {code}\n" in done.err
    assert CANARY not in done.err and "398500" not in done.err
    assert before == len(live.folder.transactions())


def test_the_nearest_party_is_named(live: LiveRun, privity: Privity) -> None:
    """A misspelt party is answered with the nearest one."""
    assert "did you mean acme?" in privity(live.home, *WRONG["unknown sender"][0]).err


def test_an_id_is_given_once(live: LiveRun, privity: Privity) -> None:
    """An id that a transaction has already, or that the scenario has planned, is refused."""
    live.folder.plan.write_text('{"id":"planned-1","as":"city","to":["acme"]}\n')
    first = privity(live.home, *TO_CITY, "--set", "a=1", "--id", "once")
    again = privity(live.home, *TO_CITY, "--set", "a=1", "--id", "once")
    planned = privity(live.home, *TO_CITY, "--set", "a=1", "--id", "planned-1")
    assert (first.code, again.code, planned.code) == (0, WRONG_USAGE, WRONG_USAGE)
    assert "E-ID" in again.err and "E-ID" in planned.err


def test_no_run_to_send_to(copied: LiveRun, privity: Privity) -> None:
    """A run that has stopped, or whose folder is gone, is exit 5."""
    done = privity(copied.home, *TO_CITY, "--set", f"a={CANARY}")
    assert (done.code, done.out) == (NOT_REACHABLE, "") and "E-NOT-RUNNING" in done.err
    shutil.rmtree(copied.folder.path)
    gone = privity(copied.home, *TO_CITY, "--set", f"a={CANARY}")
    assert (gone.code, "E-NO-RUN" in gone.err) == (NOT_REACHABLE, True)
    assert CANARY not in done.err + gone.err


def test_a_broker_that_does_not_answer(
    copied: LiveRun, privity: Privity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a broker nothing was sent, which is said, and no label is left behind."""
    monkeypatch.setattr(run_client, "CONNECT_S", 0.2)
    broker = {"kind": "url", "url": f"mqtt://127.0.0.1:{free_port()}", "protocol": "5"}
    copied.folder.write_run(state="ready", broker=broker)
    before = copied.folder.transactions()
    done = privity(copied.home, *TO_CITY, "--set", "a=1")
    assert (done.code, "nothing was sent" in done.err) == (NOT_REACHABLE, True)
    assert before == copied.folder.transactions()


def test_logs_have_no_content(live: LiveRun, privity: Privity) -> None:
    """The operator's log tells that something was sent and certified, and nothing of what or to whom."""
    done = privity(live.home, *TO_CITY, "--set", f"a={CANARY}", "--id", "logged")
    log = live.folder.operator_events.read_text()
    events = [json.loads(line) for line in log.splitlines()]
    mine = [event["ev"] for event in events if event.get("id") == "logged"]
    assert mine == ["tx.submit", "send.certified"]
    assert CANARY not in log and "city" not in [event.get("to") for event in events]
    assert CANARY not in done.out + done.err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('"10"', "10"),
        ("ten", "ten"),
        ("", ""),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ('{"a": 1}', '{"a": 1}'),
        ("yes", "yes"),
    ],
)
def test_values_of_set(text: str, value: object) -> None:
    """A plain value of JSON is that value; everything else is the text itself."""
    assert (type(value), value) == (type(scalar(text)), scalar(text))
