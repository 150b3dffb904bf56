"""`privity show`: what one party can make of a thing with its own keys, and what everybody may see."""

from __future__ import annotations

import json
import re

import pytest

from node.envelopes.payload import Leaf
from node.errors import NOT_ALLOWED, UNCONFIRMED, WRONG_USAGE
from node.run_reading import RunReading
from node.verbs.show_transaction import field_lines
from tests.command_line import Privity
from tests.run_of_nodes import CANARY, NAMES, LiveRun


def test_a_reader_sees_the_content(stopped: LiveRun, privity: Privity) -> None:
    """A named party sees fields, readers and commitment, decrypted with its own key."""
    done = privity(stopped.home, "show", "tx", "bid-acme", "--as", "city")
    title, status, first, second, commitment = done.out.splitlines()
    assert done.code == 0
    assert re.fullmatch(r"tx bid-acme  [0-9a-f]{8}… +seen as city", title)
    assert re.fullmatch(r"status      committed · block \d+ · view 0", status)
    assert (first, second) == ("content     price   412000", f"            secret  {CANARY}")
    facts = r"sender acme     readers city, acme     size 256 B \(padded\)"
    assert re.fullmatch(rf"commitment  [0-9a-f]{{8}}… \(salted\)     {facts}", commitment)


def test_a_non_party_may_not(stopped: LiveRun, privity: Privity) -> None:
    """A party that was not named gets PRODUCT's page, exit 6, and nothing of the content."""
    done = privity(stopped.home, "show", "tx", "bid-acme", "--as", "crane")
    lines = done.out.splitlines()
    assert (done.code, done.err) == (NOT_ALLOWED, "")
    assert re.fullmatch(r"content     not visible: crane is not a named party +E-NOT-PARTY", lines[2])
    assert "sender acme     recipients hidden     size 256 B (padded)" in lines[3]
    assert lines[4].startswith("crane can   check that it is on the ledger   privity show block ")
    assert lines[5].strip() == (
        'ask to be shown it             privity request bid-acme --as crane --of acme --reason "…"'
    )
    assert lines[6].strip() == "exit 6"
    assert CANARY not in done.out and "412000" not in done.out


def test_the_hint_given_works(stopped: LiveRun, privity: Privity) -> None:
    """The command that a non-party is pointed to shows the transaction on its own ledger."""
    out = privity(stopped.home, "show", "tx", "bid-acme", "--as", "crane").out
    (hint,) = re.findall(r"privity (show block .*)", out)
    shown = privity(stopped.home, *hint.split())
    assert (shown.code, "bid-acme" in shown.out) == (0, True)


def test_everybody_sees_the_public_side(stopped: LiveRun, privity: Privity) -> None:
    """Without --as no key is used: sender, size, block and commitment, and no content."""
    done = privity(stopped.home, "show", "tx", "tender")
    assert (done.code, "public view" in done.out, "recipients hidden" in done.out) == (0, True, True)
    assert CANARY not in done.out


@pytest.mark.parametrize(("party", "code"), [("city", 0), ("crane", NOT_ALLOWED)])
def test_every_look_is_written_down(party: str, code: int, copied: LiveRun, privity: Privity) -> None:
    """Each reading with --as leaves an audit.read event: as whom, of what, and whether it succeeded."""
    copied.folder.operator_events.unlink(missing_ok=True)
    assert privity(copied.home, "show", "tx", "bid-acme").code == 0
    assert not copied.folder.operator_events.exists()
    assert code == privity(copied.home, "show", "tx", "bid-acme", "--as", party).code
    (event,) = [json.loads(line) for line in copied.folder.operator_events.read_text().splitlines()]
    identifier = RunReading(copied.folder).find("bid-acme").id.hex()
    assert (event["ev"], event["party"], event["ok"]) == ("audit.read", party, code == 0)
    assert identifier[:8] == event["tx"]


def test_it_is_the_partys_own_key_that_counts(copied: LiveRun, privity: Privity) -> None:
    """With somebody else's wrapping key in its folder a party no longer reads what was sent to it."""
    crane = copied.folder.node("crane") / "keys" / "wrapping.pem"
    (copied.folder.node("city") / "keys" / "wrapping.pem").write_bytes(crane.read_bytes())
    assert privity(copied.home, "show", "tx", "bid-acme", "--as", "city").code == NOT_ALLOWED


def test_missing_is_not_the_same_as_not_mine(copied: LiveRun, privity: Privity) -> None:
    """Without the ciphertext nobody can tell whether he is a party: exit 3, and never E-NOT-PARTY."""
    identifier = RunReading(copied.folder).find("bid-acme").id
    (copied.folder.node("city") / "blobs" / identifier.hex()).unlink()
    done = privity(copied.home, "show", "tx", "bid-acme", "--as", "city")
    assert (done.code, "the ciphertext has not reached city" in done.out) == (UNCONFIRMED, True)
    assert "E-NOT-PARTY" not in done.out


DOCUMENT = [
    *("schema", "run", "tx", "id", "seen_as", "status", "access", "content", "readers", "acts"),
    *("writes", "redisclose", "breaches", "purged", "liar"),
    *("sender", "commitment", "body_path", "size_bytes", "slots", "keep", "height", "view", "block"),
]


def test_the_document_of_a_transaction(stopped: LiveRun, privity: Privity) -> None:
    """`show tx --json` is schema privity.show-tx/1; for a non-party content is null, with the error."""
    mine = privity(stopped.home, "show", "tx", "bid-acme", "--as", "city", "--json").document
    assert list(mine) == DOCUMENT
    assert (mine["schema"], mine["access"]) == ("privity.show-tx/1", "reads")
    assert mine["content"] == [{"path": ["price"], "value": 412000}, {"path": ["secret"], "value": CANARY}]
    other = privity(stopped.home, "show", "tx", "bid-acme", "--as", "crane", "--json")
    assert (other.code, list(other.document)) == (NOT_ALLOWED, [*DOCUMENT, "error"])
    assert (other.document["content"], other.document["readers"]) == (None, None)
    assert other.document["error"]["code"] == "E-NOT-PARTY"


def test_content_cannot_drive_the_terminal() -> None:
    """Control characters in names and values, which any sender can put there, are taken out."""
    salt = bytes(16)
    leaves = [
        Leaf(salt, ("a\x1b[2Jb",), "\x1b]0;title\x07red\x1b[31m\r"),
        Leaf(salt, ("list", 0), "one\ntwo"),
        Leaf(salt, ("raw",), b"\x1b"),
    ]
    assert field_lines(leaves) == ["a[2Jb    ]0;titlered[31m", "list[0]  one two", "raw      1b"]


def test_a_block(stopped: LiveRun, privity: Privity) -> None:
    """A block shows its hashes, its transactions, and by name who signed the batch and who the block."""
    document = privity(stopped.home, "show", "block", "2", "--json").document
    block = RunReading(stopped.folder).node("city").block(2)
    assert block is not None and block.block_certificate is not None
    assert (document["schema"], document["hash"]) == ("privity.show-block/1", block.hash.hex())
    assert document["parent"] == block.header.parent.hex()
    assert document["commit_certificate"]["signers"] == [
        NAMES[replica] for replica, _ in block.certificate.signatures
    ]
    assert document["block_certificate"]["signers"] == [
        NAMES[replica] for replica, _ in block.block_certificate.signatures
    ]
    assert [(row["name"], row["sender"]) for row in document["transactions"]] == [("tender", "city")]
    text = privity(stopped.home, "show", "block", "2").out
    assert block.hash.hex() in text and "of 4 voters (quorum 3): " in text
    assert "  tender   " in text


def test_a_node(stopped: LiveRun, live: LiveRun, privity: Privity) -> None:
    """A node shows what its disk holds, and when it runs, its own signed word."""
    document = privity(stopped.home, "show", "node", "crane", "--json").document
    assert (document["schema"], document["votes"]) == ("privity.show-node/1", False)
    assert (document["disk"]["transactions"], document["disk"]["payloads"]["delivered"]) == (7, 3)
    assert document["signed_status"] is None
    running = privity(live.home, "show", "node", "crane", "--json").document
    assert running["signed_status"]["height"] >= 1
    assert "its signed word" in privity(live.home, "show", "node", "crane").out


def test_a_party(stopped: LiveRun, privity: Privity) -> None:
    """A party shows what it sent and, found with its own key, what it may read."""
    document = privity(stopped.home, "show", "party", "crane", "--as", "crane", "--json").document
    assert (document["sent"], document["reads"]) == (["diary"], ["tender", "planted"])
    assert document["cannot_read"] == 4
    out = privity(stopped.home, "show", "party", "crane").out
    assert out.startswith("party crane  The crane\nrole        member · follows the chain, no vote\n")


@pytest.mark.parametrize("eyes", [(), ("--as", "city")])
def test_what_a_party_may_read_is_its_own_business(
    eyes: tuple[str, ...], stopped: LiveRun, privity: Privity
) -> None:
    """Neither the public nor another party is told what it may read, nor how much is not for it."""
    document = privity(stopped.home, "show", "party", "crane", *eyes, "--json").document
    assert (document["sent"], document["reads"], document["cannot_read"]) == (["diary"], None, None)
    out = privity(stopped.home, "show", "party", "crane", *eyes).out
    assert "not visible; --as crane shows it" in out and "tender" not in out


def test_the_consortium_is_public(stopped: LiveRun, privity: Privity) -> None:
    """The transaction of block 1 has no private content: it names the parties."""
    done = privity(stopped.home, "show", "tx", "consortium")
    assert (done.code, "public: 5 parties, 4 of them vote" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("seal", "tender-close"), "E-SEAL"),
        (("block", "2", "--svg", "f.svg"), "E-NOT-YET"),
        (("tx", "bid-acne"), "E-TX"),
        (("tx", "bid-acme", "--as", "acne"), "E-PARTY"),
        (("block", "99"), "E-BLOCK"),
        (("block", "two"), "E-BLOCK"),
        (("block", "0"), "E-BLOCK"),
        (("node", "acne"), "E-PARTY"),
        (("party", "\x1b[31m"), "E-PARTY"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], code: str, stopped: LiveRun, privity: Privity) -> None:
    """What there is not, and what is not built, is exit 2 with its code and an empty stdout."""
    done = privity(stopped.home, "show", *arguments)
    assert (done.code, done.out) == (WRONG_USAGE, "")
    assert code in done.err and "\x1b" not in done.err


def test_ascii(stopped: LiveRun, privity: Privity) -> None:
    """With --ascii no page has a character beyond ASCII."""
    for what in (("tx", "bid-acme"), ("block", "2"), ("node", "city"), ("party", "city")):
        assert privity(stopped.home, "show", *what, "--ascii").out.isascii()
