"""The content key of one payload, and everything that is derived from it.

K is 32 fresh random bytes, used for one payload and never again; that is why a fixed nonce is sound for
the encryption and why derived ephemeral keys are sound for the wraps. With HKDF-SHA256 without salt, and D
the core digest:

    key commitment          HKDF(K, "privity/v1/key-commit")
    encryption key          HKDF(K, "privity/v1/encrypt")
    place of a slot         HKDF(K, "privity/v1/order" | D | public key): slots are sorted by it
    ephemeral key of slot   HKDF(K, "privity/v1/slot"  | D | index, 2 bytes | public key)
    dummy number d          HKDF(K, "privity/v1/dummy" | D | d, 2 bytes), 64 bytes: private key | value
    receipt of member m     HKDF(K, "privity/v1/receipt-ephemeral" | m, 2 bytes): wraps it for the sender
    share number i          HKDF(K, "privity/v1/share" | O | i): O is the owner digest (shares.py)
    salt of receipts R      HKDF(K, "privity/v1/receipts-salt" | SHA-256(R)), 16 bytes
    key of receipts         HKDF(K, "privity/v1/receipts-key" | salt)

AES-GCM does not commit to its key: one ciphertext can be made to open under two (CVE-2020-8897). The key
commitment in the signed header is what binds a transaction to one K.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

CONTENT_KEY_BYTES = 32
_SHA256 = hashes.SHA256()
_NO_SALT = bytes(32)
_NONCE = bytes(12)


class ContentKey:
    """K, with its derivations. Holders keep it no longer than they need it."""

    __slots__ = ("_root", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != CONTENT_KEY_BYTES:
            raise ValueError(f"a content key has {CONTENT_KEY_BYTES} bytes")
        self.raw = raw
        self._root = HKDF.extract(_SHA256, _NO_SALT, raw)  # The half of HKDF that all derivations share.

    def commitment(self) -> bytes:
        """The `key_commit` of the public header, 32 bytes."""
        return self._derive(b"privity/v1/key-commit")

    def meets(self, commitment: bytes) -> bool:
        """Whether this is the key that the header commits to, in constant time."""
        return constant_time.bytes_eq(self.commitment(), commitment)

    def encrypt(self, plaintext: bytes, core_digest: bytes) -> bytes:
        """AES-256-GCM with the core digest as associated data: ciphertext and 16-byte tag.

        To be called once for each key.
        """
        return AESGCM(self._derive(b"privity/v1/encrypt")).encrypt(_NONCE, plaintext, core_digest)

    def decrypt(self, ciphertext: bytes, core_digest: bytes) -> bytes | None:
        """The plaintext, or None if ciphertext and digest do not belong together under this key."""
        try:
            return AESGCM(self._derive(b"privity/v1/encrypt")).decrypt(_NONCE, ciphertext, core_digest)
        except InvalidTag:
            return None

    def place(self, core_digest: bytes, public: bytes) -> bytes:
        """What the slots are sorted by, for the reader with this public key, 32 bytes."""
        return self._derive(b"privity/v1/order" + core_digest + public)

    def ephemeral(self, core_digest: bytes, index: int, public: bytes) -> bytes:
        """The private key of the encapsulation in slot `index`, 32 bytes."""
        return self._derive(b"privity/v1/slot" + core_digest + index.to_bytes(2, "big") + public)

    def dummy(self, core_digest: bytes, number: int) -> tuple[bytes, bytes]:
        """The private wrapping key that dummy `number` is for, and the value it wraps, 32 bytes each."""
        both = self._derive(b"privity/v1/dummy" + core_digest + number.to_bytes(2, "big"), 64)
        return both[:32], both[32:]

    def receipt_ephemeral(self, replica: int) -> bytes:
        """The private key of the encapsulation that wraps a member's receipt for the sender, 32 bytes."""
        return self._derive(b"privity/v1/receipt-ephemeral" + replica.to_bytes(2, "big"))

    def receipts_salt(self, content: bytes) -> bytes:
        """The salt of a bundle of receipts, 16 bytes: another one for each content."""
        return self._derive(b"privity/v1/receipts-salt" + sha256(content).digest(), 16)

    def receipts_key(self, salt: bytes) -> bytes:
        """The key that encrypts a bundle of receipts, 32 bytes."""
        return self._derive(b"privity/v1/receipts-key" + salt)

    def share(self, owner: bytes, number: int) -> bytes:
        """The share of opener `number`, 32 bytes, if the scheme leaves it free (see shares.py)."""
        return self._derive(b"privity/v1/share" + owner + number.to_bytes(2, "big"))

    def share_salt(self, owner: bytes, number: int) -> bytes:
        """The salt that hides a share in its commitment, 16 bytes."""
        return self._derive(b"privity/v1/share-salt" + owner + number.to_bytes(2, "big"), 16)

    def _derive(self, info: bytes, length: int = 32) -> bytes:
        return HKDFExpand(_SHA256, length, info).derive(self._root)

    def __repr__(self) -> str:
        return "ContentKey(secret)"
