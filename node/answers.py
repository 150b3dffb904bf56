"""What a node gives to those who ask: decided batches, bodies, proofs. All of it is public or ciphertext.

Nobody can make this node work without bound: one answer holds at most `ANSWER_BYTES`, and a replica that
asks too often is not answered for a moment.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from consensus.certificates import BlockCertificate, Decided
from consensus.messages import Fetch, FetchRequests
from node.canonical import DecodeError, encode
from node.chain.journal import BlockRecord, BodiesRecord, CertifiedRecord, Journal
from node.chain.store import BlockRow, Store, TransactionRow
from node.envelopes.transaction import Blob, PrivateTransaction, decode_blob
from node.mempool import Mempool
from node.topics import Topics
from node.wire import AnyTransaction, CommittedBatch, Inclusion, Inquiry, TransactionPacket

ANSWER_BYTES = 1 << 20
ANSWER_BLOCKS = 64
PAUSE_MS = 20
RECENT_BLOCKS = 64
MAX_WATCHED = 20_000


class Answers:
    """Reads the journal and the store of one node, and writes neither."""

    def __init__(
        self,
        journal: Journal,
        store: Store,
        mempool: Mempool,
        topics: Topics,
        send: Callable[[str, bytes], None],
        *,
        off_chain: bool = False,
    ) -> None:
        self._journal = journal
        self._store = store
        self._mempool = mempool
        self._topics = topics
        self._send = send
        self._off_chain = off_chain  # Then who asks for bodies gets headers; blobs are another matter.
        self._last_bodies: tuple[int, tuple[AnyTransaction, ...]] = (-1, ())
        self._answered_ms: dict[tuple[int, str], int] = {}
        self._recent: OrderedDict[int, BlockRecord] = OrderedDict()
        # Who asked about which transaction: inboxes by id; and what each party has open, the oldest first.
        self._watchers: dict[bytes, dict[bytes, int]] = {}
        self._watched_by: dict[int, OrderedDict[tuple[bytes, bytes], None]] = {}

    # For replicas.

    def fetch(self, message: Fetch, now_ms: int) -> None:
        """Send decided batches from the height asked for, with bodies and certificates (R23)."""
        if self._too_soon(message.replica, "fetch", now_ms):
            return
        inbox = self._topics.inbox_of(message.replica)
        answers: list[CommittedBatch] = []
        size = 0
        for row in self._store.blocks(message.sequence, ANSWER_BLOCKS):
            answer = self._committed(row, last=False)
            size += sum(len(encode(body)) for body in answer.transactions)
            if answers and size > ANSWER_BYTES:
                break
            answers.append(answer)
        for place, answer in enumerate(answers):
            decided = answer.decided
            if place == len(answers) - 1:
                decided = Decided(decided.batch, decided.certificate, decided.block_certificate, True)
            self._send(inbox, encode(CommittedBatch(decided, answer.transactions)))

    def fetch_requests(self, message: FetchRequests, now_ms: int) -> None:
        """Send the bodies that were asked for, as far as they are here."""
        if self._too_soon(message.replica, "bodies", now_ms):
            return
        inbox, size = self._topics.inbox_of(message.replica), 0
        for identifier in message.requests:
            packet = self.transaction(identifier)
            if packet is not None:
                encoded = encode(packet)
                size += len(encoded)
                if size > ANSWER_BYTES:
                    break
                self._send(inbox, encoded)

    def _too_soon(self, replica: int, kind: str, now_ms: int) -> bool:
        before = self._answered_ms.get((replica, kind))
        if before is not None and now_ms - before < PAUSE_MS:
            return True
        self._answered_ms[(replica, kind)] = now_ms
        return False

    def transaction(self, identifier: bytes) -> TransactionPacket | None:
        """A transaction with its blob, waiting or executed, or None if it is not here."""
        waiting = self._mempool.get(identifier)
        if waiting is not None:
            blob = decode_blob(waiting.blob) if waiting.blob is not None else self._blob(identifier)
            return TransactionPacket(waiting.transaction, blob)
        row = self._store.transaction(identifier)
        return None if row is None else self._packet(row)

    def body(self, identifier: bytes) -> tuple[PrivateTransaction, int]:
        """An executed private transaction, and its height."""
        row = self._store.transaction(identifier)
        assert row is not None
        transaction = self._body(row)
        assert isinstance(transaction, PrivateTransaction)
        return transaction, row.height

    def private(self, identifier: bytes) -> PrivateTransaction | None:
        """An executed private transaction; None if there is none with this id."""
        row = self._store.transaction(identifier)
        transaction = None if row is None else self._body(row)
        return transaction if isinstance(transaction, PrivateTransaction) else None

    def ordered(self, identifier: bytes) -> AnyTransaction | None:
        """An ordered transaction of any kind; None if there is none with this id."""
        row = self._store.transaction(identifier)
        return None if row is None else self._body(row)

    def _body(self, row: TransactionRow) -> AnyTransaction:
        # Neighbours are asked for one after the other, and a record holds up to a batch of them.
        at, bodies = self._last_bodies
        if at != row.body_at:
            record = self._journal.read(row.body_at)
            assert isinstance(record, BodiesRecord)
            bodies = record.transactions
            self._last_bodies = (row.body_at, bodies)
        return bodies[row.body_position]

    def _packet(self, row: TransactionRow) -> TransactionPacket:
        return TransactionPacket(self._body(row), self._blob(row.id))

    def _blob(self, identifier: bytes) -> Blob | None:
        """A blob, or None if it is not here or no use: others have it, and the chain needs none."""
        if self._off_chain:
            return None
        try:
            encoded = self._store.get_blob(identifier)
            return None if encoded is None else decode_blob(encoded)
        except (OSError, DecodeError):
            return None

    def _committed(self, row: BlockRow, *, last: bool) -> CommittedBatch:
        record = self._block(row)
        certificate = None
        if row.certified_at is not None:
            certified = self._journal.read(row.certified_at)
            assert isinstance(certified, CertifiedRecord)
            certificate = certified.certificate
        packets = []
        for identifier in record.batch.requests:
            packet = self.transaction(identifier)
            if packet is not None:
                packets.append(packet)
        return CommittedBatch(Decided(record.batch, record.certificate, certificate, last), tuple(packets))

    def _block(self, row: BlockRow) -> BlockRecord:
        recent = self._recent.get(row.height)
        if recent is not None:
            return recent
        record = self._journal.read(row.at)
        assert isinstance(record, BlockRecord)
        return record

    # For clients.

    def remember(self, height: int, record: BlockRecord | None = None) -> None:
        """Keep a block at hand that will be asked for as soon as its certificate is complete."""
        if record is None:
            row = self._store.block(height)
            assert row is not None
            record = self._block(row)
        self._recent[height] = record
        while len(self._recent) > RECENT_BLOCKS:
            self._recent.popitem(last=False)

    def watch(self, inquiry: Inquiry) -> None:
        """Answer about transactions whose block is certified, and keep an eye on the others.

        What does not fit into one answer is told when it is asked for again. Of too much to keep an eye on
        the party's own oldest goes.
        """
        heights = set()
        for identifier in inquiry.about:
            row = self._store.transaction(identifier)
            block = None if row is None else self._store.block(row.height)
            if block is not None and block.certified_at is not None:
                heights.add(block.height)
            else:
                self._keep_an_eye(identifier, inquiry.reply_to, inquiry.party)
        size = 0
        for height in sorted(heights):
            row_of_height = self._store.block(height)
            assert row_of_height is not None and row_of_height.certified_at is not None
            certified = self._journal.read(row_of_height.certified_at)
            assert isinstance(certified, CertifiedRecord)
            size += self._include(certified.certificate, [inquiry.reply_to])
            if size > ANSWER_BYTES:
                break

    def _keep_an_eye(self, identifier: bytes, inbox: bytes, party: int) -> None:
        inboxes = self._watchers.setdefault(identifier, {})
        if inbox in inboxes:
            return
        inboxes[inbox] = party
        watched = self._watched_by.setdefault(party, OrderedDict())
        watched[identifier, inbox] = None
        if len(watched) > MAX_WATCHED:
            (oldest, its_inbox), _ = watched.popitem(last=False)
            del self._watchers[oldest][its_inbox]
            if not self._watchers[oldest]:
                del self._watchers[oldest]

    def certified(self, certificate: BlockCertificate) -> None:
        """A block's certificate is complete: tell those who asked about something in it."""
        row = self._store.block(certificate.sequence)
        assert row is not None
        inboxes: dict[bytes, None] = {}
        if self._watchers:
            for identifier in self._block(row).batch.requests:
                for inbox, party in self._watchers.pop(identifier, {}).items():
                    inboxes[inbox] = None
                    del self._watched_by[party][identifier, inbox]
        self._include(certificate, list(inboxes))

    def _include(self, certificate: BlockCertificate, inboxes: list[bytes]) -> int:
        """Send the proof of a block to these inboxes; its size in bytes."""
        row = self._store.block(certificate.sequence)
        if row is None or not inboxes:
            return 0
        record = self._block(row)
        packet = encode(Inclusion(record.batch, record.certificate, record.header, certificate))
        for inbox in inboxes:
            self._send(self._topics.inbox(inbox), packet)
        return len(packet)
