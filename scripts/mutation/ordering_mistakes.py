"""Mistakes in ordering, executing, checkpoints and the state that these prove."""

from __future__ import annotations

from mistake import BARE_HOST, CHECKPOINTS, LEDGER, ORDERING, SLOT, TALLYING, Change, Mutant

ORDERING_MISTAKES = (
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
            Change(TALLYING, "if votes.by_digest.get(digest, 0) & bit:", "if False:"),
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
        "second pre-prepare accepted",
        "R4",
        (
            Change(
                ORDERING,
                "    if slot.pre_prepare is not None:\n        same = slot.digest == vote.digest\n",
                "    if slot.pre_prepare is not None and slot.digest != vote.digest:\n"
                "        slot.begin_view(state.prepares_needed, state.quorum)\n"
                "        again = [each for known in slot.batches.values() for each in known.requests]\n"
                "        state.waiting.update({each: None for each in again if each in state.requests})\n"
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
        "log cut at execution",
        "R10, R13",
        (
            Change(
                "consensus/execution.py", "    if batch.sequence <= state.low_watermark:\n", "    if True:\n"
            ),
        ),
    ),
    Mutant(
        "view of prepares ignored",
        "R6",
        (
            Change(
                ORDERING,
                "    elif vote.view != state.voting_view:\n",
                "    elif vote.view != state.voting_view and isinstance(vote, Commit):\n",
            ),
            Change(
                ORDERING,
                "    if vote.view == state.voting_view and state.low",
                "    if (vote.view == state.voting_view or isinstance(vote, Prepare)) and state.low",
            ),
        ),
    ),
    Mutant(
        "view of commits ignored",
        "R8",
        (
            Change(
                ORDERING,
                "    elif vote.view != state.voting_view:\n",
                "    elif vote.view != state.voting_view and isinstance(vote, Prepare):\n",
            ),
            Change(
                ORDERING,
                "    if vote.view == state.voting_view and state.low",
                "    if (vote.view == state.voting_view or isinstance(vote, Commit)) and state.low",
            ),
        ),
    ),
    Mutant(
        "a prepare after the view-change",
        "R12",
        (
            Change(
                ORDERING,
                "    if vote.view != state.view or not state.active:\n",
                "    if vote.view != state.voting_view:\n",
            ),
            Change(
                ORDERING,
                "    if vote.replica != state.primary or vote",
                "    if vote.replica != vote.view % state.settings.n or vote",
            ),
            Change(
                ORDERING,
                "    state.recheck_at = None\n    if not state.active:\n        return\n",
                "    state.recheck_at = None\n",
            ),
            Change(
                ORDERING,
                "    if batch.proposer != state.primary:\n",
                "    if batch.proposer != state.voting_view % state.settings.n:\n",
            ),
            Change(
                ORDERING,
                "    if state.takes_part and not state.is_primary:\n"
                "        vote = Prepare(settings.epoch, state.view,",
                "    if state.speaks and settings.replica != state.voting_view % settings.n:\n"
                "        vote = Prepare(settings.epoch, state.voting_view,",
            ),
        ),
    ),
    Mutant(
        "a primary does not stop at the high watermark",
        "R11",
        (Change(ORDERING, "    if state.accepted >= state.high_watermark or ", "    if "),),
    ),
    Mutant(
        "a proposal above the high watermark accepted",
        "R11",
        (
            Change(
                ORDERING,
                "    if state.outside_watermarks(vote.sequence):\n        fetching",
                "    if vote.sequence > state.high_watermark + state.settings.window:\n        fetching",
            ),
        ),
    ),
    Mutant(
        "a stable checkpoint of a weak quorum",
        "R10",
        (
            Change(
                CHECKPOINTS,
                "        if have >= state.quorum:\n",
                "        if have >= state.weak_quorum:\n",
            ),
            Change(
                CHECKPOINTS,
                "    if votes.count(vote.block) >= state.quorum:\n",
                "    if votes.count(vote.block) >= state.weak_quorum:\n",
            ),
            Change(CHECKPOINTS, "= VoteSet(state.quorum)", "= VoteSet(state.weak_quorum)"),
        ),
    ),
    Mutant(
        "contradictions are not told",
        "R30",
        (
            Change(
                ORDERING,
                "    if digest != vote.digest:\n        earlier",
                "    if False:\n        earlier",
            ),
        ),
    ),
    Mutant(
        "duplicate table not in the state root",
        "R10, R24",
        (Change(LEDGER, "self._network.id + digests)", "self._network.id)"),),
        "tests/scenarios/checkers/test_public_state.py",
    ),
    Mutant(
        "a repeat takes effect",
        "R24",
        (Change(LEDGER, "            if key in self._executed:\n", "            if key is None:\n"),),
        "tests/node/test_ledger.py",
    ),
)
