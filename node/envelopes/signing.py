"""Signatures: ECDSA on P-256 with SHA-256, deterministic (RFC 6979), low-s, 64 bytes r|s."""

from __future__ import annotations

from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from node.canonical import DecodeError
from node.envelopes.entropy import Entropy

SIGNATURE_BYTES = 64
VERIFY_KEY_BYTES = 33

_P256 = ec.SECP256R1()
# The order of the P-256 group (SP 800-186, section 3.2.1.3).
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SIGN = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY = ec.ECDSA(hashes.SHA256())


class VerifyKey:
    """The public half of a signing key: whose signature it is.

    `raw` is the compressed point of 33 bytes, the only encoding that is accepted anywhere.
    """

    __slots__ = ("_key", "raw")

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        self.raw = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)

    @classmethod
    def from_bytes(cls, raw: bytes) -> VerifyKey:
        """The key with this compressed point. Raises DecodeError for anything else."""
        if len(raw) != VERIFY_KEY_BYTES:
            raise DecodeError("verify_key")
        try:
            return cls(ec.EllipticCurvePublicKey.from_encoded_point(_P256, raw))
        except ValueError:
            raise DecodeError("verify_key") from None

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature (r|s, 64 bytes) over the message is this key's. Never raises.

        Of the two signatures (r, s) and (r, order - s) only the lower is accepted: otherwise anybody
        could turn one valid transaction into two that differ in their bytes.
        """
        if len(signature) != SIGNATURE_BYTES:
            return False
        r = int.from_bytes(signature[:32], "big")
        s = int.from_bytes(signature[32:], "big")
        if not (0 < r < _P256_ORDER and 0 < s <= _P256_ORDER // 2):
            return False
        try:
            self._key.verify(utils.encode_dss_signature(r, s), message, _VERIFY)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyKey) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash((VerifyKey, self.raw))

    def __repr__(self) -> str:
        return f"VerifyKey({self.raw.hex()[:8]})"


class SigningKey:
    """An ECDSA key on P-256. It signs, and does nothing else."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = VerifyKey(key.public_key())

    @classmethod
    def generate(cls, entropy: Entropy) -> SigningKey:
        """A new key. 48 bytes of entropy for a 32-byte number leave no bias (FIPS 186-5, A.2.1)."""
        secret = int.from_bytes(entropy(48), "big") % (_P256_ORDER - 1) + 1
        return cls(ec.derive_private_key(secret, _P256))

    @classmethod
    def from_secret(cls, secret: int) -> SigningKey:
        """The key with this number. Raises ValueError if there is none."""
        return cls(ec.derive_private_key(secret, _P256))

    def sign(self, message: bytes) -> bytes:
        """The signature over the message: r|s, 64 bytes, low-s, the same each time (RFC 6979)."""
        r, s = utils.decode_dss_signature(self._key.sign(message, _SIGN))
        return r.to_bytes(32, "big") + min(s, _P256_ORDER - s).to_bytes(32, "big")

    def to_pem(self) -> bytes:
        """The private key as PKCS8 PEM, not encrypted: for a file that only its owner can read."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def secret_bytes(self) -> bytes:
        """The private number, 32 bytes big-endian: to compare roles and to search for leaks."""
        return self._key.private_numbers().private_value.to_bytes(32, "big")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def __repr__(self) -> str:
        return f"SigningKey(secret, public {self.public.raw.hex()[:8]})"
