"""Known mistakes of PBFT cores, most of them bugs of real ones, as replacements in our own source."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """Text of one file, which must stand there exactly once, and what takes its place."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """A mistake: the rule that it breaks, and how it is made."""

    name: str
    rule: str
    changes: tuple[Change, ...]


ORDERING, VIEWS, NEW_VIEW = "consensus/ordering.py", "consensus/view_change.py", "consensus/new_view.py"
SLOT, STATE, TIMERS = "consensus/slot.py", "consensus/state.py", "consensus/timers.py"
BARE_HOST = "scenarios/virtual/bare_host.py"

MUTANTS = (
    Mutant(
        "quorum less one",
        "R3",
        (
            Change(
                "consensus/quorum.py",
                "return (n + max_faulty(n)) // 2 + 1",
                "return (n + max_faulty(n)) // 2",
            ),
        ),
    ),
    Mutant(
        "the primary's prepare counts",
        "R5",
        (
            Change(ORDERING, "if vote.replica == vote.view % state.settings.n:", "if False:"),
            Change(
                ORDERING,
                "return slot.prepares.count_without(slot.digest, state.voting_view % state.settings.n)",
                "return slot.prepares.count(slot.digest)",
            ),
        ),
    ),
    Mutant(
        "messages are counted, not members",
        "R2",
        (
            Change(
                SLOT,
                "        if self.voted & bit:\n            return False\n",
                "        if self.voted & bit:\n            bit = 1 << (self.voted.bit_length() + 64)\n",
            ),
        ),
    ),
    Mutant(
        "digest of prepares ignored",
        "R6",
        (
            Change(
                ORDERING,
                "return slot.prepares.count_without(slot.digest, state.voting_view % state.settings.n)",
                "return (slot.prepares.voted & ~(1 << state.voting_view % state.settings.n)).bit_count()",
            ),
            Change(ORDERING, "if not slot.prepared and vote.digest == slot.digest:", "if not slot.prepared:"),
        ),
    ),
    Mutant(
        "digest of commits ignored",
        "R8",
        (
            Change(
                ORDERING,
                "    if slot.commits.count(digest) < state.quorum:\n        return\n    state.proven",
                "    if slot.commits.voted.bit_count() < state.quorum:\n        return\n    state.proven",
            ),
            Change(
                ORDERING, "have = slot.commits.count(vote.digest)", "have = slot.commits.voted.bit_count()"
            ),
        ),
    ),
    Mutant(
        "view of votes ignored",
        "R6",
        (
            Change(ORDERING, "    elif vote.view != state.voting_view:\n", "    elif False:\n"),
            Change(ORDERING, "    if vote.view == state.voting_view and state.low", "    if state.low"),
        ),
    ),
    Mutant(
        "second pre-prepare accepted",
        "R4",
        (
            Change(
                ORDERING,
                "    if slot.pre_prepare is not None:\n        same = slot.digest == vote.digest\n",
                "    if slot.pre_prepare is not None and slot.digest != vote.digest:\n"
                "        slot.begin_view()\n"
                "        state.accepted = min(state.accepted, max(state.executed, sequence - 1))\n"
                "    if slot.pre_prepare is not None:\n        same = slot.digest == vote.digest\n",
            ),
        ),
    ),
    Mutant(
        "a commit after the view-change",
        "R12",
        (
            Change(
                ORDERING,
                "if slot.prepared or not slot.accepted or not state.active:",
                "if slot.prepared or not slot.accepted:",
            ),
            Change(
                ORDERING,
                "        settings.epoch,\n        state.view,\n        slot.sequence,\n"
                "        digest,\n        state.primary,",
                "        settings.epoch,\n        state.voting_view,\n        slot.sequence,\n"
                "        digest,\n        state.voting_view % settings.n,",
            ),
            Change(
                ORDERING,
                "    if state.takes_part:\n        signed = state.cast(Commit(settings.epoch, state.view,",
                "    if state.speaks:\n        signed = state.cast(Commit(settings.epoch, state.voting_view,",
            ),
        ),
    ),
    Mutant(
        "prepared certificates left out",
        "R13",
        (
            Change(
                VIEWS,
                "if certificate is not None and certificate.sequence > state.low_watermark",
                "if certificate is not None and certificate.sequence < 0",
            ),
        ),
    ),
    Mutant(
        "prepared certificates of the last view only",
        "R13",
        (
            Change(
                SLOT,
                "        self.prepares, self.commits, self.own = VoteSet(), VoteSet(), []\n",
                "        self.prepares, self.commits, self.own = VoteSet(), VoteSet(), []\n"
                "        self.prepared_certificate = None\n",
            ),
        ),
    ),
    Mutant(
        "prepared certificates lost by a restart",
        "R13, R20",
        (
            Change(
                "consensus/restart.py", "        slot.prepared_certificate = certificate\n", "        pass\n"
            ),
        ),
    ),
    Mutant(
        "new-view from a weak quorum",
        "R16",
        (
            Change(
                VIEWS,
                "_count(state, state.view) < state.quorum:",
                "_count(state, state.view) < state.weak_quorum:",
            ),
            Change(VIEWS, "others[: state.quorum - 1]", "others[: state.weak_quorum - 1]"),
            Change(NEW_VIEW, "if len(changes) < quorum(n):", "if len(changes) < (n - 1) // 3 + 1:"),
        ),
    ),
    Mutant(
        "the certificate of the lowest view is picked",
        "R16",
        (Change(NEW_VIEW, "certificate.view > best.view", "certificate.view < best.view"),),
    ),
    Mutant(
        "what a new view renews is not computed again",
        "R17",
        (
            Change(
                NEW_VIEW,
                "if [entry for entry, _ in message.pre_prepares] != proposals:",
                "if proposals is None:",
            ),
        ),
    ),
    Mutant(
        "proposals are not bound to the new view",
        "R4, R17",
        (
            Change(
                VIEWS, "        if not state.outside_watermarks(entry.sequence):\n", "        if False:\n"
            ),
            Change(
                VIEWS,
                "state.renewed_top = max((entry.sequence for entry, _ in message.pre_prepares), default=0)",
                "state.renewed_top = 0",
            ),
        ),
    ),
    Mutant(
        "nested certificates unverified",
        "R14",
        (
            Change(
                "consensus/messages.py",
                '        if self.replica >= n:\n            return "not a voter"\n',
                "        if self.replica < n:\n            return None\n",
            ),
            Change(
                "consensus/evidence.py",
                "def nested_signatures_hold(message: ViewChange | NewView, check: Check) -> bool:\n",
                "def nested_signatures_hold(message: ViewChange | NewView, check: Check) -> bool:\n"
                "    return True\n",
            ),
        ),
    ),
    Mutant(
        "the stable checkpoint is unproven",
        "R14",
        (
            Change(
                "consensus/messages.py",
                "            if reason := self.stable.invalid(n):\n                return reason\n",
                "",
            ),
        ),
    ),
    Mutant(
        "log cut at execution",
        "R10, R13",
        (
            Change(
                "consensus/execution.py", "    if batch.sequence <= state.low_watermark:\n", "    if True:\n"
            ),
        ),
    ),
    Mutant(
        "floor not raised by a new view",
        "R18 i",
        (
            Change(
                VIEWS,
                "    if stable is not None and stable.sequence > state.low_watermark:\n",
                "    if False and stable is not None:\n",
            ),
        ),
    ),
    Mutant(
        "proof of the floor not kept",
        "R18 ii",
        (Change("consensus/checkpoints.py", "    state.stable = certificate\n", ""),),
    ),
    Mutant(
        "sent before it is durable",
        "R20",
        (
            Change(BARE_HOST, "            self._persist(outputs)\n", ""),
            Change(
                BARE_HOST,
                "                    self._send(send)\n",
                "                    self._send(send)\n            self._persist(outputs)\n",
            ),
        ),
    ),
    Mutant(
        "clock checked for renewed proposals",
        "R27",
        (
            Change(
                ORDERING,
                "    batch = slot.batch\n    if slot.accepted:\n        return True\n",
                "    if slot.sequence > state.executed and not slot.accepted:\n"
                "        return _accept_fresh(state, slot)\n"
                "    batch = slot.batch\n    if slot.accepted:\n        return True\n",
            ),
        ),
    ),
    Mutant(
        "view-changes not repeated",
        "R19 iv",
        (Change("consensus/replica.py", "                state.send(state.own_view_change)\n", ""),),
    ),
    Mutant(
        "timer reset by any progress",
        "R19 i",
        (Change(TIMERS, "max(oldest_ms, state.proven_ms) + settings.view", "state.now_ms + settings.view"),),
    ),
    Mutant(
        "nobody joins a weak quorum",
        "R15",
        (Change(VIEWS, "if len(ahead) >= state.weak_quorum:", "if len(ahead) > state.settings.n:"),),
    ),
    Mutant(
        "who is behind is not helped along",
        "R19 iv",
        (
            Change(
                VIEWS,
                "    shown_ms = state.shown_ms.get(replica)\n    if shown_ms is not None and",
                "    shown_ms = state.shown_ms.get(replica)\n    if shown_ms is None or",
            ),
        ),
    ),
    Mutant(
        "what is waited for alone is not shared",
        "R26",
        (Change(TIMERS, "if oldest and state.view_wanted_ms is None:", "if False:"),),
    ),
    Mutant(
        "executed when prepared",
        "R8",
        (
            Change(
                ORDERING,
                "    if slot.commits.count(digest) < state.quorum:\n        return\n    state.proven",
                "    if slot.commits.count(digest) < 1:\n        return\n    state.proven",
            ),
        ),
    ),
)
QUICK = (
    "quorum less one",
    "prepared certificates left out",
    "sent before it is durable",
    "executed when prepared",
)
