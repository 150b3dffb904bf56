"""Seals on real processes and mosquitto (P50): PRODUCT's tender, and a session at the command line."""

from __future__ import annotations

import json
import time

import pytest

from node.errors import FINE, NOT_ALLOWED
from tests.live.commands import SHIPPED, Privity

pytestmark = pytest.mark.mosquitto

SESSION = """\
privity: 1
name: session
network: {broker: mosquitto}
consensus: {block_every: 50ms}
privacy: {payload: off_chain}
parties: {city: {}, acme: {}, bolt: {}, notary: {}, auditor: {votes: false}}
seals:
  close: {opens_at: 40s, openers: [notary, auditor], then_to: [city]}
steps:
  - {at: 0s, do: send, id: bid, as: acme, seal: close, data: {price: 412000}}
expect:
  - {check: agreement}
"""


def test_the_tender_passes_live(privity: Privity) -> None:
    """Sealed, asked for too early, opened by both, shown to the losers: every expectation holds."""
    said = privity("run", SHIPPED / "sealed-bid-tender.yaml", "--broker", "mosquitto", "--json")
    assert said.code == FINE, said.text
    assert said.json["verdict"] == "pass" and "E-SEAL-EARLY ✓" in said.err


def test_p50_openers_at_the_command_line(privity: Privity) -> None:
    """Too early is exit 6 and on the ledger; one share of two opens nothing; silence is named, then over."""
    up = privity("up", privity.file(SESSION), "-d")
    assert up.code == FINE, up.text
    told = privity("open", "close", "--as", "notary").refused(NOT_ALLOWED, "E-SEAL-EARLY")
    assert "even then notary holds 1 of 2 key shares; auditor must join" in told
    assert "the attempt is on the ledger: block" in told
    privity("open", "close", "--as", "bolt").refused(NOT_ALLOWED, "E-NOT-OPENER")
    sealed = privity("show", "tx", "bid", "--as", "city")
    assert sealed.code == NOT_ALLOWED and "E-SEAL-EARLY" in sealed.out
    second = privity("send", "--as", "bolt", "--seal", "close", "--set", "price=5", "--id", "second")
    assert second.code == FINE and "under close: 2 of 2 openers" in second.out
    (genesis,) = privity.home.rglob("genesis.json")
    opens_ms = json.loads(genesis.read_text())["created_ms"] + 40_100
    time.sleep(max(0.0, opens_ms / 1000 - time.time()))
    asked = privity("open", "close", "--as", "notary", "--json").json
    assert (len(asked["openers"][0]["released"]), asked["gave"], asked["open"]) == (2, ["notary"], False)
    challenged = privity("challenge", "close", "--as", "city", "--of", "auditor", "--json").json
    assert len(challenged["heights"]) == 2
    page = privity("show", "seal", "close").out
    assert "named       auditor has not released all its shares" in page
    assert privity("open", "close", "--as", "auditor", "--json").json["open"] is True
    late = privity("send", "--as", "bolt", "--seal", "close", "--set", "price=6", "--id", "late")
    assert late.code == FINE and "E-SEAL-LATE" in late.out
    opened = privity("show", "tx", "bid", "--as", "city")
    assert opened.code == FINE and "price  412000" in opened.out
    nothing = privity("challenge", "close", "--as", "city", "--of", "auditor")
    assert "nothing to complain about" in nothing.out
    page = privity("show", "seal", "close", "--as", "city", "--json").json
    assert [(each["name"], each["late"], each["read"]) for each in page["payloads"]] == [
        ("bid", False, True),
        ("second", False, True),
        ("late", True, False),
    ]
    assert [each["refused"] for each in page["requests"]] == ["too early", None, None]
