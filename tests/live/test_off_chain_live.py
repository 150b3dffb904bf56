"""`payload: off_chain` on real processes and a real broker: the story, and `privity send`."""

from __future__ import annotations

from node.errors import FINE, UNCONFIRMED
from tests.live.commands import SHIPPED, Privity

FILE = """\
privity: 1
name: direct
consensus: {block_every: 100ms, view_timeout: 1s}
privacy: {payload: off_chain, copies: all, receipt_timeout: 2s}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {at: 1s, do: send, id: rent, as: alice, to: [bob], data: {note: "rent for the month of May"}}
expect:
  - {check: agreement}
"""


def test_the_story_of_the_reader_that_was_down_passes_live(privity: Privity) -> None:
    """Every expectation of scenarios/off-chain.yaml holds on the embedded broker."""
    said = privity("run", SHIPPED / "off-chain.yaml", "--json", "-q")
    assert said.code == FINE, said.text
    assert said.json["verdict"] == "pass" and said.json["plan"]["differing"] == 0
    assert all(fault["touched"] for fault in said.json["faults"])


def test_send_waits_for_receipts_and_says_when_there_are_too_few(privity: Privity) -> None:
    """With all readers up it is ordered; with one down E-RECEIPTS, exit 3, and nothing on the ledger."""
    assert privity("up", "-d", privity.file(FILE)).code == FINE
    sent = privity("send", "--as", "alice", "--to", "bob,carol", "--set", "amount=4711", "--id", "deal")
    assert sent.code == FINE, sent.text
    assert "bob, carol signed for it before it was ordered" in sent.out
    assert "ciphertext, no key   broker         commitment only   dave\n" in sent.out
    assert "4711" in privity("show", "tx", "deal", "--as", "carol").out
    assert "4711" not in privity("show", "tx", "deal", "--as", "dave").text
    down = privity("fault", "crash", "carol", "--for", "60s", "--id", "down")
    assert down.code == FINE, down.text
    refused = privity("send", "--as", "alice", "--to", "bob,carol", "--set", "amount=4712", "--id", "second")
    message = refused.refused(UNCONFIRMED, "E-RECEIPTS")
    assert "second was not ordered: 1 of 2 receipts came within 2 s" in message and "carol" in message
    assert "4712" not in refused.text
    shown = privity("show", "tx", "second").out
    assert "not on any ledger" in shown
    assert privity("fault", "heal", "down").code == FINE
    again = privity("send", "--as", "alice", "--to", "bob,carol", "--set", "amount=4712", "--id", "third")
    assert again.code == FINE, again.text
