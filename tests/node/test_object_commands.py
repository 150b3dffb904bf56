"""`send --object` and `show object`: what a user is told of a private object, and what others are not."""

from __future__ import annotations

import re

from node.errors import CHECK_FAILED, WRONG_USAGE
from node.run_reading import RunReading
from node.verbs.show_object import object_names
from tests.command_line import Privity
from tests.run_of_nodes import LiveRun

TO_CITY = ("send", "--as", "acme", "--to", "city", "--object", "ledger-of-loans")


def test_versions_go_up_and_a_stale_write_is_refused(live: LiveRun, privity: Privity) -> None:
    """The one who writes is told what came of it by its own node; a stale write leaves with code 1."""
    first = privity(live.home, *TO_CITY, "--set", "due=100", "--id", "loan-a")
    assert (first.code, first.err) == (0, "")
    assert "object     ledger-of-loans: version 1" in first.out
    back = ("send", "--as", "city", "--to", "acme", "--object", "ledger-of-loans", "--expects", "1")
    second = privity(live.home, *back, "--set", "due=60", "--id", "loan-b", "--json")
    assert (second.code, second.document["object"], second.document["version"]) == (0, "applied", 2)
    stale = privity(live.home, *TO_CITY, "--expects", "1", "--set", "due=80", "--id", "loan-c")
    assert stale.code == CHECK_FAILED
    assert "refused: stale, expected version 1, is 2" in stale.out

    shown = privity(live.home, "show", "object", "ledger-of-loans", "--as", "acme")
    assert shown.code == 0
    title, audience, version, fields, *history = shown.out.splitlines()
    assert re.fullmatch(r"object ledger-of-loans +seen as acme", title)
    assert (audience, version) == ("audience    acme, city", "version     2")
    assert fields == "fields      due  60"
    assert [line.split()[-1] for line in history[:2]] == ["1", "2"]
    assert history[2].endswith("refused: stale, expected version 1, is 2")
    document = privity(live.home, "show", "object", "ledger-of-loans", "--as", "acme", "--json").document
    assert [each["outcome"] for each in document["objects"][0]["history"]] == ["applied", "applied", "stale"]

    tx = privity(live.home, "show", "tx", "loan-c", "--as", "city").out
    assert "writes      ledger-of-loans: refused: stale, expected version 1, is 2" in tx
    assert "ledger-of-loans" not in privity(live.home, "show", "tx", "loan-c", "--as", "crane").out

    # Another party learns nothing, not even whether there is one; nobody has a public view.
    others = privity(live.home, "show", "object", "ledger-of-loans", "--as", "crane")
    none = privity(live.home, "show", "object", "no-such-thing", "--as", "crane")
    assert others.code == none.code == WRONG_USAGE and "E-OBJECT" in others.err
    assert others.err == none.err and "60" not in others.out
    assert privity(live.home, "show", "object", "ledger-of-loans").code == WRONG_USAGE
    reading = RunReading(live.folder)
    assert object_names(reading, "city") == ["ledger-of-loans"] and object_names(reading, "crane") == []


def test_what_is_wrong_is_said_before_anything_is_sent(live: LiveRun, privity: Privity) -> None:
    """An object's name is as private as its fields: no message quotes it, and no id may hold it."""
    lone = privity(live.home, "send", "--as", "acme", "--to", "city", "--set", "a=1", "--expects", "2")
    assert (lone.code, "--object" in lone.err) == (WRONG_USAGE, True)
    long = privity(live.home, "send", "--as", "acme", "--to", "city", "--set", "a=1", "--object", "x" * 65)
    assert (long.code, "E-OBJECT" in long.err, "xxx" in long.err) == (WRONG_USAGE, True, False)
    told = privity(live.home, *TO_CITY, "--set", "a=1", "--id", "ledger-of-loans")
    assert (told.code, "E-PRIVATE" in told.err) == (WRONG_USAGE, True)
