"""Where keys, salts and nonces of a virtual world come from: the run's seed, or the operating system.

Seeded bytes are for simulation only: whoever knows the seed knows every secret. Each purpose has a stream of
its own, so that drawing more for one purpose changes nothing for another.
"""

from __future__ import annotations

import hashlib
import os

from node.envelopes.entropy import Entropy

SEEDED = "seeded"
OS = "os"


def stream(seed: object, purpose: str) -> Entropy:
    """Bytes that depend on the seed, the purpose, and what was drawn for it before, and on nothing else."""
    prefix = f"privity/virtual/{seed}/{purpose}".encode()
    block = 0

    def draw(size: int) -> bytes:
        nonlocal block
        block += 1
        return hashlib.shake_256(b"%b\0%d" % (prefix, block)).digest(size)

    return draw


def entropy(kind: str, seed: object, purpose: str) -> Entropy:
    """The source that `kind` names: `seeded` or `os`."""
    if kind == SEEDED:
        return stream(seed, purpose)
    if kind == OS:
        return os.urandom
    raise ValueError(f"no such source of entropy: {kind}")
