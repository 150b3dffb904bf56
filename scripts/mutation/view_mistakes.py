"""Mistakes in changing views, in when they are asked for, and in coming back without one's records."""

from __future__ import annotations

from mistake import NEW_VIEW, ORDERING, SLOT, STATE, TIMERS, VIEWS, Change, Mutant

LOST_DISK_TEST = "tests/consensus/test_lost_disk.py"

VIEW_MISTAKES = (
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
                "self.commits, self.own = VoteSet(prepares_needed), VoteSet(quorum), []\n",
                "self.commits, self.own = VoteSet(prepares_needed), VoteSet(quorum), []\n"
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
        "tests/consensus/test_view_change.py",
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
        "tests/consensus/test_requests.py",
    ),
    Mutant(
        "the first timeout does not come back",
        "R19 v",
        (
            Change(
                STATE,
                "        self.failed_views = 0  # Also",
                "        self.failed_views += 0  # Also",
            ),
        ),
        "tests/consensus/test_timers.py",
    ),
    Mutant(
        "a view that this replica wants alone is timed",
        "R19 iii",
        (
            Change(
                TIMERS,
                "        if state.view_wanted_ms is not None:\n",
                "        state.view_wanted_ms = state.view_wanted_ms or state.now_ms\n        if True:\n",
            ),
        ),
        "tests/consensus/test_timers.py",
    ),
    Mutant(
        "an invalid view-change hides the valid ones",
        "R14",
        (
            Change(
                VIEWS,
                '        state.accuse("E3", signed)\n'
                "        state.ignore(reason, replica=replica)\n        return\n",
                '        state.accuse("E3", signed)\n        state.ignore(reason, replica=replica)\n'
                "        state.view_changes.clear()\n        return\n",
            ),
        ),
        "tests/consensus/test_view_change_faults.py",
    ),
    Mutant(
        "a replica that lost its disk votes",
        "R22",
        (
            Change(
                STATE,
                "return self.voter and not self.halted and self.silent_until is None",
                "return self.voter and not self.halted",
            ),
        ),
        LOST_DISK_TEST,
    ),
    Mutant(
        "a restart ends the silence of a lost disk",
        "R22",
        (Change("consensus/restart.py", "        state.silent_until = record.until\n", "        pass\n"),),
        LOST_DISK_TEST,
    ),
    Mutant(
        "a lost disk's window is left out of the estimate",
        "R22",
        (
            Change(
                "consensus/lost_disk.py",
                "        state.silent_until = estimate + state.settings.window\n",
                "        state.silent_until = estimate\n",
            ),
        ),
        LOST_DISK_TEST,
    ),
)
