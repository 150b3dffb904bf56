"""Signatures of a virtual world, and what they cost whom.

`real` computes each one anew. `cached`, the default, verifies each distinct signature once in this process
and signs each distinct message once: keys are seeded and signing is RFC 6979, so both are pure. `modelled`
has no elliptic curve at all: a signature is a keyed hash of 64 bytes. Whatever the mode, the replica that
signs or verifies is charged the time that this takes on a real machine: it takes its next packet later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from node.envelopes.signing import SigningKey, VerifyKey

REAL, CACHED, MODELLED = "real", "cached", "modelled"
MODES = (REAL, CACHED, MODELLED)
VERIFY_US, SIGN_US = 65, 23
MEMO_SIZE = 1 << 16


class Memo:
    """A bounded memory of pure results: two generations, of which the older one is dropped when full."""

    __slots__ = ("_new", "_old", "_size", "at_once")

    def __init__(self, size: int) -> None:
        self._size = size // 2
        self._new: dict[tuple[bytes, ...], object] = {}
        self._old: dict[tuple[bytes, ...], object] = {}
        self.at_once = self._new.get  # The quickest way to what is known already.

    def get(self, key: tuple[bytes, ...]) -> object | None:
        """What is known, or None."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: tuple[bytes, ...], value: object) -> None:
        """Remember a result that is not None."""
        if len(self._new) >= self._size:
            self._old, self._new = self._new, {}
            self.at_once = self._new.get
        self._new[key] = value

    def __len__(self) -> int:
        return len(self._new) + len(self._old)


# Pure, hence good for every world of the process: runs of one seed after the other do not sign again.
_VERIFIED = Memo(MEMO_SIZE)
_SIGNED = Memo(MEMO_SIZE)


class Signatures:
    """The signing keys of all replicas of a world. Each use adds to `charged_us`; the world resets it."""

    def __init__(
        self,
        mode: str,
        keys: Sequence[SigningKey],
        *,
        verify_us: int = VERIFY_US,
        sign_us: int = SIGN_US,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"no such mode of signatures: {mode}")
        self.mode = mode
        self.verify_us = verify_us
        self.sign_us = sign_us
        self.charged_us = 0
        self.computed = 0  # Operations on the curve that this process really did for this world.
        self._keys = list(keys)
        self._public = [key.public for key in keys]
        self._raw = [key.public.raw for key in keys]
        self._secrets = [key.secret_bytes() for key in keys] if mode == MODELLED else []

    @property
    def replicas(self) -> int:
        """How many there are."""
        return len(self._keys)

    def sign(self, replica: int, message: bytes) -> bytes:
        """A replica's signature; its host is charged."""
        self.charged_us += self.sign_us
        if self.mode == CACHED:
            # Most are made once and asked for again: the same as `signature` does for those.
            known = _SIGNED.at_once((self._raw[replica], message))
            if known is not None:
                return known  # type: ignore[return-value]
        return self.signature(replica, message)

    def verify(self, replica: int, signature: bytes, message: bytes) -> bool:
        """Whether it is that replica's signature; the host that asks is charged."""
        self.charged_us += self.verify_us
        return self.check(replica, signature, message)

    def signature(self, replica: int, message: bytes) -> bytes:
        """The same as `sign`, and nobody is charged."""
        if self.mode == MODELLED:
            return hashlib.blake2b(message, digest_size=64, key=self._secrets[replica]).digest()
        if self.mode == REAL:
            self.computed += 1
            return self._keys[replica].sign(message)
        key = (self._raw[replica], message)
        known = _SIGNED.get(key)
        if isinstance(known, bytes):
            return known
        self.computed += 1
        signature = self._keys[replica].sign(message)
        _SIGNED.put(key, signature)
        return signature

    def check(self, replica: int, signature: bytes, message: bytes) -> bool:
        """The same as `verify`, and nobody is charged."""
        if not 0 <= replica < len(self._public):
            return False
        if self.mode == CACHED:
            known = _VERIFIED.at_once((self._raw[replica], signature, message))
            if known is not None:
                return known is True
        if self.mode == MODELLED:
            return signature == self.signature(replica, message)
        if self.mode == REAL:
            self.computed += 1
            return self._public[replica].verify(signature, message)
        key = (self._raw[replica], signature, message)
        known = _VERIFIED.get(key)
        if known is not None:
            return known is True
        self.computed += 1
        good = self._public[replica].verify(signature, message)
        _VERIFIED.put(key, good)
        return good


class ChargedVerifyKey(VerifyKey):
    """A replica's public key whose checks go through the world's signatures."""

    __slots__ = ("_verify",)

    def __init__(self, public: VerifyKey, verify: Callable[[bytes, bytes], bool]) -> None:
        self._key = public._key
        self.raw = public.raw
        self._verify = verify

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature over the message is this key's."""
        return self._verify(signature, message)


class ChargedSigningKey(SigningKey):
    """A replica's signing key whose signatures go through the world's."""

    __slots__ = ("_sign",)

    def __init__(self, key: SigningKey, public: VerifyKey, sign: Callable[[bytes], bytes]) -> None:
        self._key = key._key
        self.public = public
        self._sign = sign

    def sign(self, message: bytes) -> bytes:
        """The signature over the message."""
        return self._sign(message)
