"""What the traffic of a run tells: topics, order and number of messages, labels of logs and figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from node.canonical import DecodeError
from node.chain.store import DELIVERED
from node.consortium import Consortium, Member, Policy, Rules
from node.envelopes.envelope import NotAParty, unseal
from node.envelopes.keys import PartyKeys
from node.envelopes.transaction import PrivateTransaction
from node.logs.event_fields import FIELD_NAMES, is_name
from node.logs.event_names import EVENTS, HINTS, PHASES, REASONS
from node.message_kinds import kind_of
from node.node import Node
from node.run_folder import EVENTS as LOG
from node.topics import Topics
from node.wire import TransactionPacket, decode_frame, decode_packet
from scenarios.judging import Evidence
from scenarios.operating import Options
from scenarios.processes.capture import read_capture
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of

SCENARIO = """\
privity: 1
name: traffic
seed: 7
network: {{transport: memory}}
privacy: {{payload: {payload}}}
consensus: {{block_every: 50ms, view_timeout: 500ms}}
parties: {{alice: {{}}, bob: {{}}, carol: {{}}, dave: {{}}, erin: {{votes: false}}}}
steps:
  - {{at: 1s, do: send, id: offer, as: alice, to: [{to}], data: {data}}}
  - {{at: 2s, do: send, id: other, as: bob, to: [carol], data: {{note: the same in every run}}}}
"""
TOPIC = re.compile(r"privity/[0-9a-f]{8}/(tx|(all|in)/[0-9a-f]{16})")


def run(home: Path, to: str = "bob", data: str = "{price: 800}", payload: str = "on_chain") -> Evidence:
    """A run in which alice offers something, at the most talkative level."""
    home.mkdir()
    return evidence_of(home, SCENARIO.format(to=to, data=data, payload=payload), Options(level="debug"))


def packets(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    """Topic and bytes of every packet that passed the broker, in order."""
    for captured in read_capture(evidence.folder.capture):
        try:
            frame = decode_frame(captured.payload)
        except DecodeError:
            continue
        for data in frame.packets:
            yield captured.topic, data


@pytest.mark.parametrize("payload", ["on_chain", "off_chain"])
def test_p18_topics_are_tokens_and_no_stranger_opens_what_passes(tmp_path: Path, payload: str) -> None:
    """P18: no party, transaction or policy is in a topic; a foreign key opens no blob."""
    evidence = run(tmp_path / "run", payload=payload)
    stranger = PartyKeys.generate(lambda size: b"\x05" * size)
    topics = {topic for topic, _ in packets(evidence)}
    assert topics and all(TOPIC.fullmatch(topic) for topic in topics)
    ids = [sent.tx.hex()[:8] for sent in evidence.sent.values()]
    words = [*evidence.network.names, "offer", "other", evidence.network.policy_hash.hex()[:8], *ids]
    assert not [(word, topic) for word in words for topic in topics if word in topic]
    assert not any(captured.retain for captured in read_capture(evidence.folder.capture))
    opened = 0
    for _, data in packets(evidence):
        packet = decode_packet(data)
        blob = getattr(packet, "blob", None)
        if blob is None:
            continue
        transaction = packet.transaction  # type: ignore[union-attr]
        assert isinstance(transaction, PrivateTransaction)
        with pytest.raises(NotAParty):
            unseal(transaction, blob, stranger.wrapping)
        opened += 1
    assert opened >= 2


@pytest.mark.parametrize("name", ["a#b", "a+b", "a/b", "#", "+", "/", "$SYS", "a\0b", "A", ""])
def test_p18_no_name_can_mean_something_to_a_broker(name: str) -> None:
    """P18: a party called like a wildcard, a level or a topic of the broker's own is refused everywhere."""
    assert not is_name(name)
    keys = PartyKeys.generate(lambda size: bytes(range(1, size + 1)))
    raw = Member("ann", True, "", "", keys.signing.public.raw, keys.wrapping.public.raw)
    consortium = Consortium(1, bytes(16), 0, (raw,), Policy(), Rules())
    document = msgspec.msgpack.encode(consortium).replace(
        b"\xa3ann", bytes([0xA0 | len(name.encode())]) + name.encode()
    )
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(document, type=Consortium)


def test_p18_topics_need_no_name() -> None:
    """P18: two networks of the same parties share no topic, and a topic is a function of id and number."""
    first, second = Topics(bytes(32)), Topics(b"\x01" * 32)
    assert not set(first.of_node(0)) & set(second.of_node(0))
    assert len({first.inbox_of(replica) for replica in range(64)}) == 64


def said_by_each(evidence: Evidence) -> dict[str, list[str]]:
    """The kinds of all messages of consensus that each node said, in its own order."""
    topics = Topics(evidence.network.id)
    names = {topics.broadcast(place): name for place, name in enumerate(evidence.network.names)}
    found: dict[str, list[str]] = {name: [] for name in evidence.network.names}
    for topic, data in packets(evidence):
        if topic in names:
            kind = kind_of(data)
            found[names[topic]] += [kind] if kind != "status" else []  # Those answer the operator.
    return found


def test_p19_in_broadcast_mode_parties_and_others_say_the_same(tmp_path: Path) -> None:
    """P19: on chain each voter but the primary emits the same messages in one order, reader or not."""
    said = said_by_each(run(tmp_path / "one"))
    alice, *others = (said[name] for name in ("alice", "bob", "carol", "dave"))
    assert others[0] and others[0] == others[1] == others[2]
    assert {"pre-prepare"} <= set(alice) and "pre-prepare" not in others[0]
    # Who the readers are changes nothing in what anybody says.
    assert said_by_each(run(tmp_path / "two", to="carol, dave")) == said


def test_p19_a_party_that_acknowledges_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P19: were a reader to say one packet more, the comparison above would find it."""
    idle = Node.idle

    def telling(self: Node) -> None:
        before = self.private_view.counts[DELIVERED]
        idle(self)
        if self.private_view.counts[DELIVERED] > before:
            self._send(self.topics.broadcast(self.replica_id), self._last_said)  # type: ignore[attr-defined]

    send = Node.__init__

    def begin(self: Node, *given: object, **named: object) -> None:
        send(self, *given, **named)  # type: ignore[arg-type]
        out = self._send

        def noting(topic: str, data: bytes) -> None:
            self._last_said = data  # type: ignore[attr-defined]
            out(topic, data)

        self._send = noting

    monkeypatch.setattr(Node, "__init__", begin)
    monkeypatch.setattr(Node, "idle", telling)
    said = said_by_each(run(tmp_path / "one"))
    assert len(said["bob"]) != len(said["dave"])


def test_p19_in_direct_mode_users_are_told_what_an_observer_learns(privity: Privity, tmp_path: Path) -> None:
    """P19: off chain the inboxes tell who is a reader; metadata table, report and README say so."""
    file = tmp_path / "traffic.yaml"
    file.write_text(SCENARIO.format(to="bob", data="{price: 800}", payload="off_chain"))
    done = privity(tmp_path, "run", str(file), "--report", str(tmp_path / "r.html"))
    assert done.code == 0, done.out + done.err
    told = "sees to which inboxes a ciphertext goes, which answer, and who fetches it"
    assert told in " ".join(privity(tmp_path, "who-sees", "--metadata").out.split())
    assert told in " ".join((tmp_path / "r.html").read_text().split())
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert "to which inboxes a ciphertext goes, which of them answer" in readme
    # And it is so: the offer's ciphertext goes to the inboxes of alice and bob alone.
    (evidence,) = [run(tmp_path / "again", payload="off_chain")]
    topics = Topics(evidence.network.id)
    inbox = {topics.inbox_of(place): name for place, name in enumerate(evidence.network.names)}
    got = {inbox[topic] for topic, data in packets(evidence) if _delivers(data, evidence.sent["offer"].tx)}
    assert got == {"alice", "bob"}


def _delivers(data: bytes, tx: bytes) -> bool:
    packet = decode_packet(data)
    blob = getattr(packet, "blob", None)
    return blob is not None and not isinstance(packet, TransactionPacket) and packet.transaction.id == tx  # type: ignore[union-attr]


def test_p20_users_are_told_that_senders_are_public(privity: Privity, tmp_path: Path) -> None:
    """P20: an anonymous sender is refused by name; check and README say who knows the sender."""
    file = tmp_path / "traffic.yaml"
    text = SCENARIO.format(to="bob", data="{price: 800}", payload="on_chain")
    file.write_text(text)
    assert (
        "everyone can see that alice and bob send, and when (metadata.sender: public)"
        in privity(tmp_path, "check", str(file)).out
    )
    file.write_text(text.replace("{payload: on_chain}", "{metadata: {sender: anonymous}}"))
    refused = privity(tmp_path, "check", str(file)).err
    assert "hidden senders" in refused and "E-NOT-YET" in refused
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert "who sends (the name stands in the header)" in readme


def figures(evidence: Evidence, name: str) -> list[dict[str, object]]:
    """What a node's log says of it in numbers."""
    lines = (evidence.folder.node(name) / LOG).read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["ev"] == "node.state"]


def test_p23_labels_come_from_fixed_lists(tmp_path: Path) -> None:
    """P23: every event, field, reason, phase and hint of a run at its most talkative is on an allow-list."""
    evidence = run(tmp_path / "run")
    hints = [re.escape(hint).replace(r"\{\}", r"[a-z0-9._-]+") for hint in HINTS.values()]
    seen = 0
    for name in evidence.network.names:
        for event in map(json.loads, (evidence.folder.node(name) / LOG).read_text().splitlines()):
            assert event["ev"] in EVENTS
            assert set(event) - {"ts", "t", "seq", "lam", "run", "node", "lvl", "ev"} <= set(FIELD_NAMES)
            assert event.get("reason_code", "not_a_party") in REASONS.values()
            assert event.get("phase", "prepare") in PHASES
            assert "hint" not in event or any(re.fullmatch(hint, event["hint"]) for hint in hints)
            seen += 1
    assert seen > 100


def test_p23_runs_that_differ_in_secrets_have_equal_figures(tmp_path: Path) -> None:
    """P23: a non-party's numbers are the same whatever the content is, and whoever else reads it."""
    first = run(tmp_path / "one")
    shown = (
        "h",
        "v",
        "mempool",
        "low",
        "high",
        "pending",
        "delivered",
        "missing",
        "not_party",
        "unreadable",
        "t",
    )
    numbers = [
        [{key: each.get(key) for key in shown} for each in figures(first, name)] for name in ("dave", "erin")
    ]
    assert all(len(each) > 1 for each in numbers)
    for place, (to, data) in enumerate(
        [("bob", "{yield: 9}"), ("carol", "{price: 800}"), ("carol", "{a: [1, true, text]}")]
    ):
        other = run(tmp_path / f"other {place}", to=to, data=data)
        again = [
            [{key: each.get(key) for key in shown} for each in figures(other, name)]
            for name in ("dave", "erin")
        ]
        assert again == numbers
