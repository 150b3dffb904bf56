"""Checking signatures with own means: ECDSA over P-256 with SHA-256, r and s of 32 bytes each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from scenarios.checkers.reading import DOMAINS, packed

Check = Callable[[int, bytes, bytes], bool]
"""Whether a member (by position) made this signature over these bytes."""

REMEMBERED = 1 << 16


def p256(public_keys: Sequence[bytes]) -> Check:
    """A check with these compressed public keys; what was found is remembered."""
    keys = [ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw) for raw in public_keys]

    def check(author: int, signature: bytes, signed: bytes) -> bool:
        if not 0 <= author < len(keys) or len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key = (public_keys[author], signature, signed)
        if key not in _FOUND:
            try:
                encoded = utils.encode_dss_signature(r, s)
                keys[author].verify(encoded, signed, ec.ECDSA(hashes.SHA256()))
                good = True
            except InvalidSignature:
                good = False
            if len(_FOUND) >= REMEMBERED:
                _FOUND.clear()
            _FOUND[key] = good
        return _FOUND[key]

    return check


_FOUND: dict[tuple[bytes, bytes, bytes], bool] = {}


def signed_bytes(network_id: bytes, array: list[Any]) -> bytes:
    """What the author of a message signs."""
    return signed_body(network_id, array[0], packed(array))


def signed_body(network_id: bytes, kind: int, body: bytes) -> bytes:
    """The same of a message that is encoded already."""
    return DOMAINS.get(kind, b"?") + network_id + body
