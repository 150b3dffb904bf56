"""Questions of clients: each is answered once with where this node stands, and about what it names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from consensus.messages import Signed
from node.answers import Answers
from node.canonical import encode
from node.reporting import Reporter
from node.topics import Topics
from node.wire import SignedInquiry, Verifier

REMEMBERED = 10_000


class Inquiries:
    """Of one node. `status(echo)` says where it stands, signed; `send(topic, packet)` takes the answers."""

    def __init__(
        self,
        verifier: Verifier,
        answers: Answers,
        topics: Topics,
        status: Callable[[bytes], Signed],
        send: Callable[[str, bytes], None],
        report: Reporter,
    ) -> None:
        self._verifier = verifier
        self._answers = answers
        self._topics = topics
        self._status = status
        self._send = send
        self._report = report
        self._answered: OrderedDict[tuple[int, bytes], None] = OrderedDict()  # The oldest first.

    def take(self, packet: SignedInquiry) -> None:
        """One question, whoever sent it."""
        inquiry = packet.inquiry
        question = (inquiry.party, inquiry.echo)
        if question in self._answered:
            self._report.drop("repeated")  # Anybody at the broker can say it again; it costs us nothing.
            return
        if not self._verifier.message(inquiry, packet.signature, inquiry.party):
            self._report.drop("bad signature")
            return
        self._answered[question] = None
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        self._send(self._topics.inbox(inquiry.reply_to), encode(self._status(inquiry.echo)))
        self._answers.watch(inquiry)
