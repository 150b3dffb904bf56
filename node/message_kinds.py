"""What kind of message a packet holds, told from its first bytes and without decoding it."""

from __future__ import annotations

# By the tag of the packet and, if it is a signed message, that of the message.
KINDS = {
    (1, 1): "pre-prepare",
    (1, 2): "prepare",
    (1, 3): "commit",
    (1, 4): "block-vote",
    (1, 5): "status",
    (1, 6): "fetch",
    (1, 7): "fetch-requests",
    (1, 8): "view-change",
    (1, 9): "new-view",
    (1, 10): "fetch-batch",
    (2, 0): "pre-prepare",
    (3, 0): "request",
    (4, 0): "decided",
    (5, 0): "inquiry",
    (6, 0): "inclusion",
    (7, 0): "batch",
}
OTHER = "other"


def kind_of(data: bytes) -> str:
    """What kind of message a packet holds; "other" for what is none."""
    if len(data) < 4:
        return OTHER
    tag = data[1]
    return KINDS.get((tag, data[3] if tag == 1 else 0), OTHER)
