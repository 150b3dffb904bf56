"""A stage for transcripts: a few replicas, and a network on which nothing moves unless a script says so.

Commands; `name=value` pairs come in any order, lists are `1,2,3`, a batch is the names of its requests:

    replicas n=4 window=8 ...            begin, with any of the core's settings
    show records                         also tell what is persisted
    submit pay-bob [to=0,1]              a client hands in a request; to everybody if nothing else is said
    deliver [KIND...] [from=] [to=] [sequence=]     what waits, and fits; `deliver all` until nothing waits
    drop [KIND...] [from=] [to=] [sequence=]        what waits, and fits, is lost
    wait 2000 [at=1,2]                   time passes, in milliseconds, with a tick at each deadline
    crash 1 | restart 1 | state [1]
    inject TO KIND from= view= sequence= batch= ...   a message made by hand and signed by whom it names:
        proposal, prepare, commit, block-vote (block=WORD); view-change and new-view with the certificates
        that `prepared=1@0:pay-bob` describes (sequence, view, batch; `by=` voters); new-view has besides
        changes=0,1,2 for whose view-changes it shows, and begins=1:pay-bob to begin with something else
"""

from __future__ import annotations

import hashlib
from typing import Any

from consensus.certificates import Decided, PreparedCertificate
from consensus.messages import (
    Fetch,
    FetchBatch,
    FetchedBatch,
    FetchRequests,
    NewView,
    Proposal,
    Signed,
    Status,
    ViewChange,
)
from consensus.output import Output, Relay
from consensus.votes import Batch, BlockVote, Commit, Prepare, PrePrepare, Request, null_batch
from tests.consensus.alone import START_MS, Alone, block_certificate, other_digest, proposal_of
from tests.consensus.views import new_view, prepared, view_change
from tests.consensus.wire import flaw_of, signed

Packet = Signed | Proposal | FetchedBatch | Decided | Request
KINDS: dict[type, str] = {
    Proposal: "proposal",
    Prepare: "prepare",
    Commit: "commit",
    BlockVote: "block-vote",
    Status: "status",
    Fetch: "fetch",
    FetchRequests: "fetch-requests",
    FetchBatch: "fetch-batch",
    FetchedBatch: "batch",
    ViewChange: "view-change",
    NewView: "new-view",
    Decided: "decided",
    Request: "request",
}
# Notes that say in other words what a line already says.
UNTOLD = ("pre_prepare", "prepare", "commit", "certified", "view_change_received", "fetch", "fetch_batch")
UNTOLD_PACKETS = ("status",)


def kind_of(packet: Packet) -> str:
    """What a packet is called."""
    return KINDS[type(packet.message if isinstance(packet, Signed) else packet)]


def named(name: str) -> Request:
    """The request of this name."""
    identifier = hashlib.sha256(name.encode()).digest()
    return Request(identifier, "alice", identifier[:16], 1, 1 << 40, 100)


class Player(Alone):
    """A replica on the stage, with its records and its chain."""

    up = True

    def __init__(self, stage: Stage, replica: int, n: int, **settings: int) -> None:
        self.stage = stage
        super().__init__(replica, n, **settings)

    def take(self, output: Output) -> Output:
        self.stage.took(self.settings.replica, output)
        return super().take(output)


class Stage:
    """Carries out one command after the other; `run` gives the lines that follow from one."""

    def __init__(self) -> None:
        self.players: dict[int, Player] = {}
        self.lines: list[str] = []
        self.waiting: list[tuple[int, int, Packet]] = []
        self.names: dict[bytes, str] = {}
        self.batches: dict[tuple[int, str], Batch] = {}
        self.requests: dict[bytes, Request] = {}
        self.records = False

    def run(self, command: str) -> list[str]:
        """What one command leads to."""
        verb, *words = command.split()
        plain = [word for word in words if "=" not in word]
        given = dict(word.split("=", 1) for word in words if "=" in word)
        self.lines = []
        getattr(self, f"_do_{verb}")(plain, given)
        return self.lines or ["ok"]

    # Words.

    def words_of(self, batch: Batch) -> str:
        """A batch by the names of its requests."""
        self.names[batch.digest()] = text = self._text(batch)
        self.batches.setdefault((batch.sequence, text), batch)
        return text

    def _text(self, batch: Batch) -> str:
        names = [self.names.get(each, each.hex()[:8]) for each in batch.requests]
        return f"[{','.join(names)}]" if names else "null"

    def _digest(self, digest: bytes, sequence: int = 0) -> str:
        if sequence and digest == null_batch(sequence).digest():
            return "null"
        return self.names.get(digest, digest.hex()[:8])

    def _vote(self, vote: PrePrepare | Prepare | Commit) -> str:
        return f"v{vote.view} s{vote.sequence} {self._digest(vote.digest, vote.sequence)}"

    def shown(self, packet: Packet) -> str:
        """A packet in words."""
        kind = kind_of(packet)
        if isinstance(packet, Proposal):
            self.words_of(packet.batch)
            return f"{kind} {self._vote(packet.pre_prepare)}"
        if isinstance(packet, FetchedBatch):
            return f"{kind} s{packet.batch.sequence} {self.words_of(packet.batch)}"
        if isinstance(packet, Decided):
            return f"{kind} s{packet.batch.sequence} {self.words_of(packet.batch)}"
        if isinstance(packet, Request):
            return f"{kind} {self.names[packet.id]}"
        message: Any = packet.message
        if isinstance(message, Prepare | Commit | PrePrepare):
            return f"{kind} {self._vote(message)}"
        if isinstance(message, BlockVote):
            return f"{kind} s{message.sequence} block {message.block.hex()[:4]}"
        if isinstance(message, ViewChange):
            return f"{kind} v{message.view} {self._bound(message)}"
        if isinstance(message, NewView):
            voters = ",".join(str(change.replica) for change, _ in message.view_changes)
            begins = [f"s{e.sequence} {self._digest(e.digest, e.sequence)}" for e, _ in message.pre_prepares]
            return f"{kind} v{message.view} of {voters} begins with {', '.join(begins) or 'nothing'}"
        if isinstance(message, FetchBatch):
            return f"{kind} s{message.sequence} {self._digest(message.digest, message.sequence)}"
        if isinstance(message, FetchRequests):
            return f"{kind} {','.join(self.names.get(each, '?') for each in message.requests)}"
        return f"{kind} s{message.sequence}"

    def _bound(self, change: ViewChange) -> str:
        proofs = [f"s{p.sequence}@v{p.view} {self._digest(p.digest)}" for p in change.prepared]
        return f"stable s{change.low_watermark}, prepared {', '.join(proofs) or 'nothing'}"

    # What replicas do.

    def tell(self, replica: int, text: str) -> None:
        self.lines.append(f"{replica} {text}")

    def took(self, replica: int, output: Output) -> None:
        """An output is about to be carried out."""
        if self.records:
            for record in output.persist:
                self.tell(replica, f"persists {type(record).__name__.removesuffix('Record')}")
        for send in output.send:
            if isinstance(send, Relay):
                for identifier in send.requests:
                    self._queue(replica, send.to, self.requests[identifier])
                relayed = ",".join(self.names[each] for each in send.requests)
                self.tell(replica, f"relays {relayed} to {send.to}")
                continue
            if kind_of(send.packet) not in UNTOLD_PACKETS:
                to = "" if send.to is None else f" to {send.to}"
                self.tell(replica, f"sends {self.shown(send.packet)}{to}")
            self._queue(replica, send.to, send.packet)
        for note in output.notes:
            if note.event == "ignored":
                who = "" if note.replica is None else f" of {note.replica}"
                self.tell(replica, f"ignores it{who}: {note.reason}")
            elif note.event not in UNTOLD:
                about = [f"s{note.sequence}"] if note.sequence else []
                about += [f"of {note.replica}"] if note.replica is not None else []
                reason = f": {note.reason}" if note.reason else ""
                view = f" v{note.view}" if note.event in ("view_change", "new_view") else ""
                self.tell(replica, " ".join([note.event.replace("_", "-") + view, *about]) + reason)
        for decision in output.execute:
            self.tell(replica, f"executes s{decision.batch.sequence} {self.words_of(decision.batch)}")
        for certificate in output.certified:
            self.tell(replica, f"has certificate s{certificate.sequence}")

    def _queue(self, source: int, to: int | None, packet: Packet) -> None:
        for target in self.players if to is None else [to]:
            if target != source:
                self.waiting.append((source, target, packet))

    # Commands.

    def _do_replicas(self, plain: list[str], given: dict[str, str]) -> None:
        settings = {name: int(value) for name, value in given.items()}
        n = settings.pop("n")
        self.players = {replica: Player(self, replica, n, **settings) for replica in range(n)}

    def _do_show(self, plain: list[str], given: dict[str, str]) -> None:
        self.records = "records" in plain

    def _do_submit(self, plain: list[str], given: dict[str, str]) -> None:
        for name in plain:
            request = named(name)
            self.names[request.id], self.requests[request.id] = name, request
            for replica in self._replicas(given.get("to")):
                self._give(replica, request)

    def _give(self, replica: int, request: Request) -> None:
        """A node hands its replica what is not executed yet, or what a proposal wants."""
        player = self.players[replica]
        done = any(request.id in decision.batch.requests for decision in player.decisions)
        if not done or player.replica.wants(request.id):
            player.submit(request)

    def _replicas(self, text: str | None) -> list[int]:
        chosen = list(self.players) if text is None else [int(each) for each in text.split(",")]
        return [replica for replica in chosen if self.players[replica].up]

    def _fits(self, item: tuple[int, int, Packet], plain: list[str], given: dict[str, str]) -> bool:
        source, target, packet = item
        if plain and plain != ["all"] and kind_of(packet) not in plain:
            return False
        message: Any = packet.message if isinstance(packet, Signed) else getattr(packet, "batch", packet)
        sequence = str(getattr(message, "sequence", ""))
        wanted = (("from", str(source)), ("to", str(target)), ("sequence", sequence))
        return all(value in given.get(name, value).split(",") for name, value in wanted)

    def _do_deliver(self, plain: list[str], given: dict[str, str]) -> None:
        again = True
        while again:
            chosen = [item for item in self.waiting if self._fits(item, plain, given)]
            self.waiting = [item for item in self.waiting if not self._fits(item, plain, given)]
            for source, target, packet in chosen:
                self._hand_over(source, target, packet)
            again = plain == ["all"] and bool(chosen)

    def _hand_over(self, source: int, target: int, packet: Packet) -> None:
        player = self.players[target]
        if not player.up:
            return
        message = packet.message if isinstance(packet, Signed) else None
        if isinstance(packet, Request):
            self._give(target, packet)
        elif isinstance(message, Fetch):
            found = [each for each in player.decisions if each.batch.sequence >= message.sequence]
            for each in found:
                known = [c for c in player.certified if c.sequence == each.batch.sequence]
                answer = Decided(each.batch, each.certificate, known[0] if known else None, each is found[-1])
                self.tell(target, f"answers {self.shown(answer)}")
                self._queue(target, source, answer)
        elif isinstance(message, FetchRequests):
            for identifier in message.requests:
                self._queue(target, source, self.requests[identifier])
        else:
            player.take(player.replica.receive(packet, player.now_ms, flaw_of(packet) if message else ""))

    def _do_drop(self, plain: list[str], given: dict[str, str]) -> None:
        self.waiting = [item for item in self.waiting if not self._fits(item, plain, given)]

    def _do_wait(self, plain: list[str], given: dict[str, str]) -> None:
        for replica in self._replicas(given.get("at")):
            self.players[replica].run_for(int(plain[0]))

    def _do_crash(self, plain: list[str], given: dict[str, str]) -> None:
        self.players[int(plain[0])].up = False
        self.waiting = [item for item in self.waiting if item[1] != int(plain[0])]

    def _do_restart(self, plain: list[str], given: dict[str, str]) -> None:
        replica = int(plain[0])
        old = self.players[replica]
        stable = old.certified[-1] if old.certified else None
        low = 0 if stable is None else stable.sequence
        kept = [each for each in old.decisions if each.batch.sequence > low]
        fresh = old.restart(stable=stable, decided=kept)
        assert isinstance(fresh, Player)
        fresh.decisions, fresh.up = list(old.decisions), True
        fresh.now_ms = max(player.now_ms for player in self.players.values())
        self.players[replica] = fresh
        for sequence in range(low + 1, len(fresh.blocks)):
            block = fresh.blocks[sequence]
            fresh.take(fresh.replica.executed(sequence, block, block, None, fresh.now_ms))
        fresh.tick()
        for request in self.requests.values():
            self._give(replica, request)

    def _do_state(self, plain: list[str], given: dict[str, str]) -> None:
        for number in [int(each) for each in plain] or list(self.players):
            replica = self.players[number].replica
            begun = "" if replica.active else ", not begun"
            halted = f", halted: {replica.halted}" if replica.halted else ""
            span = f"({replica.low_watermark}, {replica.high_watermark}]"
            self.tell(
                number, f"view {replica.view}{begun}, executed {replica.executed_sequence}, {span}{halted}"
            )

    def _do_inject(self, plain: list[str], given: dict[str, str]) -> None:
        target, kind = int(plain[0]), plain[1]
        sender, view = int(given["from"]), int(given.get("view", "0"))
        sequence = int(given.get("sequence", "1"))
        packet: Packet
        if kind == "proposal":
            batch = self._batch(sequence, given["batch"], sender)
            packet = proposal_of(batch, view=view, replica=sender)
        elif kind == "block-vote":
            packet = signed(BlockVote(0, sequence, other_digest(given["block"]), sender))
        elif kind == "view-change":
            packet = signed(self._change(sender, view, given.get("prepared"), given))
        elif kind == "new-view":
            packet = self._new_view(sender, view, given)
        else:
            digest = self._batch(sequence, given["batch"], view % len(self.players)).digest()
            packet = signed({"prepare": Prepare, "commit": Commit}[kind](0, view, sequence, digest, sender))
        self._hand_over(sender, target, packet)

    def _batch(self, sequence: int, text: str, proposer: int = 0) -> Batch:
        """The batch of these requests that was seen at this place, or else a new one."""
        if text == "null":
            return null_batch(sequence)
        for name in text.split(","):
            request = named(name)
            self.names.setdefault(request.id, name)
            self.requests.setdefault(request.id, request)
        known = self.batches.get((sequence, f"[{text}]"))
        if known is None:
            identifiers = tuple(named(name).id for name in text.split(","))
            known = Batch(sequence, proposer, START_MS + sequence, identifiers)
            self.words_of(known)
        return known

    def _certificate(self, text: str, given: dict[str, str]) -> PreparedCertificate:
        place, batch = text.split(":")
        sequence, view = (int(each) for each in place.split("@"))
        voters = [int(each) for each in given["by"].split(",")] if "by" in given else None
        n = len(self.players)
        return prepared(self._batch(sequence, batch, view % n), view=view, voters=voters, n=n)

    def _change(self, sender: int, view: int, text: str | None, given: dict[str, str]) -> ViewChange:
        proofs = [self._certificate(each, given) for each in (text or "").split(";") if each]
        stable = None
        if "stable" in given:
            stable = block_certificate(int(given["stable"]), other_digest("block"), (0, 1, 2))
        return view_change(sender, view, *proofs, stable=stable)

    def _new_view(self, sender: int, view: int, given: dict[str, str]) -> Signed:
        changes = [
            self._change(int(each), view, given.get("prepared") if place == 0 else None, given)
            for place, each in enumerate(given["changes"].split(","))
        ]
        entries = None
        if "begins" in given:
            pairs = [each.split(":") for each in given["begins"].split(";") if each]
            entries = [(int(place), self._batch(int(place), text, sender).digest()) for place, text in pairs]
        return new_view(view, changes, entries, replica=sender, n=len(self.players))
