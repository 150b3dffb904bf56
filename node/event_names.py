"""Every word that can stand in a log: events, phases, reasons, hints. What is not here cannot be logged.

The sets are closed because a log with free text would sooner or later hold a payload. A new event,
reason or hint is one more line here.
"""

from __future__ import annotations

LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}

EVENTS: dict[str, str] = {
    "run.start": "A run began: its folder, its parties and its broker are fixed.",
    "run.ready": "A block was committed with the same hash on every node; the run may be used.",
    "run.stop": "The run ended and its processes are gone.",
    "step.start": "A step of the scenario began.",
    "step.done": "A step of the scenario was carried out.",
    "step.refused": "A step of the scenario was refused; whether that was expected is in its expectation.",
    "expect.pass": "An expectation holds.",
    "expect.fail": "An expectation is broken.",
    "expect.unknown": "An expectation could be neither confirmed nor refuted.",
    "node.start": "A node's process began, with what its own disk remembers.",
    "node.ready": "The node executed a block and takes part.",
    "node.state": "The whole state of a node in numbers: height, view, head, mempool, window, payloads.",
    "node.stop": "A node stopped in good order.",
    "node.crash": "A node's process ended without being asked to.",
    "node.recover": "A node that had been away is back at the height of the others.",
    "node.catch_up": "A node fetches committed blocks by certificate, because it is behind.",
    "net.connect": "The connection to the broker stands.",
    "net.disconnect": "The connection to the broker broke; it is tried again.",
    "net.send": "A packet was handed to the broker.",
    "net.recv": "A packet arrived and its signature is good.",
    "net.drop": "What a peer sent was refused, for the reason given.",
    "net.delay": "A fault of the scenario held a packet back.",
    "net.dup": "A fault of the scenario, or the broker, delivered a packet twice.",
    "disk.error": "The disk refused a write; a node stops voting rather than forget a vote.",
    "tx.submit": "A client sealed and published a transaction.",
    "tx.accept": "A node checked a transaction's signature and keeps it in its mempool.",
    "tx.reject": "A node refused a transaction, for the reason given.",
    "tx.duplicate": "A transaction came again that the node has already; nothing follows from it.",
    "tx.expired": "A transaction left its validity window without having been ordered.",
    "tx.commit": "A transaction is part of a block that this node executed.",
    "send.certified": "A client holds and has checked the certificates of its transaction's block.",
    "priv.seal": "A payload was sealed for its readers.",
    "priv.deliver": "A party unsealed a payload, and it meets its commitment.",
    "priv.decrypt": "Somebody decrypted a payload with a party's own key.",
    "priv.denied": "Somebody without a key to the content asked for it.",
    "priv.missing": "A named party lacks the payload; its private view waits, the chain does not.",
    "priv.request": "A party asked to be shown a content.",
    "priv.disclose": "A reader was added by the sender; this cannot be undone.",
    "seal.share": "An opener released its share of a seal.",
    "seal.early": "An opening was asked for before its time.",
    "seal.open": "A seal is open.",
    "agg.contribute": "A party contributed a masked value to a total.",
    "agg.result": "A total was computed.",
    "pbft.pre_prepare": "The primary proposed a batch for a height.",
    "pbft.prepare": "A vote of a backup for the proposed batch was counted.",
    "pbft.prepared": "The proposal and a quorum less one of matching prepares are here.",
    "pbft.commit": "A vote of a prepared replica was counted.",
    "pbft.committed": "Prepared, and a quorum of matching commits: the batch is decided.",
    "pbft.timeout": "The oldest request waited for longer than the view's timeout.",
    "pbft.view_change": "A replica voted for a higher view.",
    "pbft.new_view": "A new primary began its view with a proof.",
    "pbft.checkpoint": "A checkpoint became stable: a quorum signed the same state.",
    "pbft.stalled": "Heights do not move although requests wait.",
    "block.commit": "A block was executed and stored.",
    "state.hash": "The state root after a height.",
    "state.mismatch": "Two state roots for one height differ.",
    "evidence.equivocation": "Somebody signed two messages that contradict each other; both are kept.",
    "fault.start": "A fault of the scenario began.",
    "fault.end": "A fault of the scenario was healed.",
    "audit.read": "Somebody looked at a content, and as whom.",
}

# Kinds of packets, and the steps of a vote.
PHASES = frozenset(
    [
        "consortium",
        "transaction",
        "blob",
        "batch",
        "pre_prepare",
        "prepare",
        "commit",
        "block_vote",
        "block",
        "status",
        "fetch",
        "view_change",
        "new_view",
        "checkpoint",
        "share",
        "receipt",
        "request",
        "ping",
    ]
)

HINTS: dict[str, str] = {
    "asking": "asking {}",
    "behind": "{} blocks behind",
    "free-space": "free some space, then start this node again",
    "opens-at": "opens at {}s",
    "sealed": "sealed {}",
    "trying-again": "trying again in {} ms",
}

# As the code that gives the reason writes it. In the log it is a token: "not a voter" is not_a_voter.
_REASONS = (
    "already certified",
    "already executed",
    "bad signature",
    "batch is for another sequence number",
    "batch too large",
    "behind",
    "blob does not match",
    "block certificate is for another sequence number",
    "broker gone",
    "certificate is for another batch",
    "commitment does not match",
    "digest does not match the batch",
    "disk full",
    "duplicate",
    "empty batch",
    "expired",
    "inbox full",
    "interrupted",
    "key commitment does not match",
    "malformed",
    "mempool full",
    "no key",
    "nonce used",
    "not a party",
    "not a voter",
    "not canonical",
    "not from the primary",
    "not yet valid",
    "oldest request is overdue",
    "other",
    "other consortium",
    "other network",
    "other policy",
    "other version",
    "other view",
    "outside watermarks",
    "over limit",
    "own message",
    "payload missing",
    "proposer is not the primary",
    "queue full",
    "repeated",
    "request outside its window",
    "request twice in a batch",
    "second vote differs",
    "shape",
    "size",
    "slot does not match",
    "the primary prepares nothing",
    "time not after the parent's",
    "too few votes",
    "too many requests",
    "unknown kind",
    "unknown sender",
    "validity window too long",
    "voter is no member",
    "voters not in ascending order",
)


def reason_token(reason: str) -> str:
    """A reason as the log writes it: 'time not after the parent's' -> 'time_not_after_the_parents'."""
    return reason.replace("'", "").replace(" ", "_").replace("-", "_")


# Both spellings lead to the token.
REASONS: dict[str, str] = {
    spelling: reason_token(reason) for reason in _REASONS for spelling in (reason, reason_token(reason))
}
