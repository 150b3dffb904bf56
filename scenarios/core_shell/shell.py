"""The shell: one replica, its keys, its records and a chain of hashes in place of a ledger."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import msgspec

from consensus.certificates import BlockCertificate, Decided
from consensus.evidence import nested_signatures_hold
from consensus.messages import FetchedBatch, NewView, Proposal, ReplicaMessage, Signed, ViewChange
from consensus.output import Decision, Output, Relay
from consensus.replica import Replica
from consensus.state import Settings
from consensus.votes import PrePrepare, Request
from node.canonical import DecodeError, decode, encode
from node.envelopes.keys import SigningKey, VerifyKey
from node.wire import MAX_PACKET, signed_bytes
from scenarios.core_shell.words import BadLine, batch_of, given, hex_bytes, message_of, shown
from scenarios.virtual.entropy import SEEDED, entropy

Packet = Signed | Proposal | FetchedBatch | Decided
_PACKET: msgspec.msgpack.Decoder[Signed | Proposal | FetchedBatch] = msgspec.msgpack.Decoder(
    Signed | Proposal | FetchedBatch
)
SETTINGS = {field.name for field in dataclasses.fields(Settings)}


class Shell:
    """Follows one command after the other. `answer` never raises for what a script says."""

    def __init__(self, line: dict[str, Any]) -> None:
        n, replica = given(line, "n", int), given(line, "replica", int)
        changes = given(line, "settings", dict, {})
        if unknown := sorted(set(changes) - SETTINGS):
            raise BadLine(f"no setting is called {unknown[0]!r}", f"one of {', '.join(sorted(SETTINGS))}")
        self._keys: dict[int, SigningKey] = {}
        self._settings = Settings(**{"n": n, "replica": replica, "epoch": line.get("epoch", 0), **changes})
        self._know_keys(line, n, replica)
        self._now_ms = given(line, "now_ms", int, 0)
        self._records: list[Any] = []
        self._decided: list[Decision] = []
        self._blocks = [bytes(32)]
        self._stable: BlockCertificate | None = None
        self._certified: set[int] = set()
        self._replica = self._fresh()

    def _know_keys(self, line: dict[str, Any], n: int, replica: int) -> None:
        """Keys of all members from a seed, for tests; or the public ones, and one's own."""
        if "test_keys" in line:
            draw = entropy(SEEDED, line["test_keys"], "core-shell")
            count = max(n, replica + 1)
            self._keys = {i: SigningKey.generate(draw) for i in range(count)}
            self._public = [self._keys[i].public for i in range(count)]
        else:
            try:
                raw = [hex_bytes(each, "members") for each in given(line, "members", list)]
                self._public = [VerifyKey.from_bytes(each) for each in raw]
                secret = int.from_bytes(hex_bytes(line.get("key"), "key"), "big")
                self._keys = {replica: SigningKey.from_secret(secret)}
            except (DecodeError, ValueError):
                raise BadLine(
                    "a key is no key of P-256", "compressed points in members, a scalar in key"
                ) from None
            if self._public[replica] != self._keys[replica].public:
                raise BadLine("the key is not that of the replica", "give the key of members[replica]")
        default = hashlib.sha256(b"".join(key.raw for key in self._public)).hexdigest()
        self._network_id = hex_bytes(line.get("network", default), "network")

    def _fresh(self) -> Replica:
        low = 0 if self._stable is None else self._stable.sequence
        return Replica(
            self._settings,
            lambda message: self._sign(self._settings.replica, message),
            executed=len(self._blocks) - 1,
            time_ms=max((each.batch.time_ms for each in self._decided), default=0),
            block=self._blocks[-1],
            stable=self._stable,
            decided=[each for each in self._decided if each.batch.sequence > low],
            records=self._records,
        )

    def _sign(self, replica: int, message: ReplicaMessage) -> bytes:
        if replica not in self._keys:
            raise BadLine(
                f"the key of replica {replica} is not here", 'begin with "test_keys" to sign for others'
            )
        return self._keys[replica].sign(signed_bytes(self._network_id, message))

    def _verifies(self, message: ReplicaMessage, signature: bytes) -> bool:
        if message.replica >= len(self._public):
            return False
        return self._public[message.replica].verify(signature, signed_bytes(self._network_id, message))

    @property
    def greeting(self) -> dict[str, Any]:
        """The answer to the first line."""
        members = [key.raw.hex() for key in self._public]
        return {"ready": True, "network": self._network_id.hex(), "members": members, **self._where()}

    def answer(self, text: str) -> dict[str, Any]:
        """Do what one line says; what the replica wants because of it, in order."""
        try:
            line = json.loads(text)
            if not isinstance(line, dict):
                raise BadLine("a line is a JSON object", '{"do": "state"}')
            verb = given(line, "do", str)
            does = getattr(self, f"_do_{verb}", None)
            if does is None:
                raise BadLine(
                    f"no command is called {verb!r}", "deliver, submit, tick, advance, restart, state"
                )
            return {"outputs": does(line), **self._where()}
        except json.JSONDecodeError as error:
            return {
                "error": {
                    "what": "this is no JSON",
                    "where": f"column {error.colno}",
                    "next": "mend the line",
                }
            }
        except BadLine as error:
            return {"error": {"what": error.what, "where": "this line", "next": error.next}}

    def _where(self) -> dict[str, Any]:
        replica = self._replica
        return {
            "now_ms": self._now_ms,
            "deadline_ms": replica.deadline_ms,
            "view": replica.view,
            "active": replica.active,
            "executed": replica.executed_sequence,
            "low": replica.low_watermark,
            "high": replica.high_watermark,
        }

    # Commands.

    def _do_state(self, line: dict[str, Any]) -> list[Any]:
        return []

    def _do_deliver(self, line: dict[str, Any]) -> list[Any]:
        packet = self._packet(line)
        flaw = ""
        if isinstance(packet, Signed | Proposal):
            message = packet.message if isinstance(packet, Signed) else packet.pre_prepare
            if not self._verifies(message, packet.signature):
                return [{"dropped": "bad signature"}]
            if isinstance(message, ViewChange | NewView) and not nested_signatures_hold(
                message, self._verifies
            ):
                flaw = "bad signature inside"
        return self._carried_out(self._replica.receive(packet, self._now_ms, flaw))

    def _packet(self, line: dict[str, Any]) -> Packet:
        if "packet" in line:
            try:
                return decode(_PACKET, hex_bytes(line["packet"], "packet"), MAX_PACKET)
            except DecodeError as error:
                raise BadLine(f"no packet: {error.reason}", "exact bytes as a send shows them") from None
        if "batch" in line and "message" not in line:
            return FetchedBatch(batch_of(given(line, "batch", dict)))
        fields, by = given(line, "message", dict), given(line, "by", int)
        n, epoch = self._settings.n, self._settings.epoch
        if "batch" in line:
            batch = batch_of(given(line, "batch", dict))
            view = given(fields, "view", int, 0)
            vote = PrePrepare(epoch, view, batch.sequence, batch.digest(), by)
            return Proposal(vote, self._sign(by, vote), batch)
        message = message_of(fields, by, self._sign, n, epoch)
        return Signed(message, self._sign(by, message))

    def _do_submit(self, line: dict[str, Any]) -> list[Any]:
        identifier = hex_bytes(line.get("id"), "id")
        if len(identifier) != 32:
            raise BadLine('"id" is 32 bytes', "64 hex digits")
        request = Request(
            identifier,
            given(line, "client", str, "client"),
            identifier[:16],
            given(line, "valid_from", int, 1),
            given(line, "valid_until", int, 2**53 - 1),
            given(line, "size", int, 100),
        )
        return self._carried_out(self._replica.submit(request, self._now_ms))

    def _do_tick(self, line: dict[str, Any]) -> list[Any]:
        at_ms = given(line, "at_ms", int, self._now_ms)
        if at_ms < self._now_ms:
            raise BadLine(f"time does not run back from {self._now_ms}", 'give a later "at_ms"')
        self._now_ms = at_ms
        return self._carried_out(self._replica.tick(at_ms))

    def _do_advance(self, line: dict[str, Any]) -> list[Any]:
        deadline_ms = self._replica.deadline_ms
        self._now_ms = max(self._now_ms, self._now_ms if deadline_ms is None else deadline_ms)
        return self._carried_out(self._replica.tick(self._now_ms))

    def _do_restart(self, line: dict[str, Any]) -> list[Any]:
        kept = given(line, "records", int, len(self._records))
        self._records = self._records[:kept]
        self._replica = self._fresh()
        outputs: list[Any] = []
        for sequence in range(1, len(self._blocks)):
            if sequence not in self._certified:
                block = self._blocks[sequence]
                outputs += self._carried_out(
                    self._replica.executed(sequence, block, block, None, self._now_ms)
                )
        return outputs + self._carried_out(self._replica.tick(self._now_ms))

    # Effects.

    def _carried_out(self, output: Output) -> list[Any]:
        """Do what a driver does with an output, and tell it in that order."""
        told: list[Any] = []
        for record in output.persist:
            self._records.append(record)
            told.append({"persist": shown(record), "bytes": encode(record).hex()})
        for send in output.send:
            if isinstance(send, Relay):
                told.append({"relay": [each.hex() for each in send.requests], "to": send.to})
            else:
                packet = encode(send.packet).hex()
                told.append({"send": shown(send.packet), "to": send.to, "packet": packet})
        later: list[Any] = []
        for decision in output.execute:
            block = hashlib.sha256(self._blocks[-1] + decision.certificate.digest).digest()
            self._blocks.append(block)
            self._decided.append(decision)
            sequence = decision.batch.sequence
            told.append({"execute": shown(decision.batch), "block": block.hex()})
            known = decision.block_certificate
            later += self._carried_out(self._replica.executed(sequence, block, block, known, self._now_ms))
        for certificate in output.certified:
            self._certified.add(certificate.sequence)
            if self._stable is None or certificate.sequence > self._stable.sequence:
                self._stable = certificate
            told.append({"certified": shown(certificate)})
        told += [{"expired": each.hex()} for each in output.expired]
        told += [{"note": shown(note)} for note in output.notes]
        return told + later
