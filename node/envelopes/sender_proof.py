"""Proof that a sender lied, for judges who hold no private key.

The sender signed the commitment to one content key K and to one payload. Whoever shows a K that meets the
commitment makes anyone able to decrypt, and to see whether the content is what was signed. An honest
sender cannot be framed: nobody else's K meets the commitment (HKDF-SHA256 is collision resistant), and the
envelope that the true K opens is as it should be.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from node.canonical import DecodeError, decode, encode
from node.envelopes.content_key import ContentKey
from node.envelopes.key_slots import find_readers, is_slot_of
from node.envelopes.keys import VerifyKey, WrappingPublicKey
from node.envelopes.payload import Payload
from node.envelopes.transaction import (
    BLOB_LIMIT,
    TRANSACTION_LIMIT,
    Blob,
    Bytes32,
    PrivateTransaction,
    PublicHeader,
    check_blob,
    core_digest,
    owner_of,
    signed_bytes,
)

PROOF_LIMIT = BLOB_LIMIT + TRANSACTION_LIMIT + 128


class SenderProof(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What convinces a judge: the signed transaction, its blob, and a content key.

    `reader` is the wrapping key of the reader who found a wrong content key in its slot, None otherwise.
    It opens the payload to the judge: the complainant decides to show it.
    """

    transaction: PrivateTransaction
    blob: Blob
    content_key: Bytes32
    reader: Bytes32 | None

    def verify(
        self,
        sender_key: VerifyKey,
        members: Iterable[WrappingPublicKey] = (),
        mandatory: Iterable[WrappingPublicKey] = (),
    ) -> str | None:
        """The lie that is proved, as a token, or None: then nothing is proved against the sender.

        `sender_key` is the judge's own knowledge of the sender, `members` of the wrapping keys of all
        members under the header's policy; without it lies about slots are not looked for. `mandatory` are
        those of them whom the policy demands as readers. Tokens:
        `wrapped_key` (a reader was given another key than the one committed to), `ciphertext` (it does
        not decrypt), `payload_root` (another payload than committed to), `slots` (a slot is neither for
        a member nor a dummy), `mandatory_reader` (one of those has no slot), and those of
        `Payload.parse`. Never raises.
        """
        header = self.transaction.header
        if check_blob(header, self.blob):
            return None
        if not sender_key.verify(self.transaction.signature, signed_bytes(header)):
            return None
        key = ContentKey(self.content_key)
        if not key.meets(header.core.key_commit):
            return self._wrong_key_wrapped(key)
        try:
            open_content(header, self.blob, key)
        except DecodeError as lie:
            return lie.reason
        known = tuple(members)
        if not known:
            return None
        readers = find_readers(key, core_digest(header.core), self.blob.slots, known)
        if readers is None:
            return "slots"
        return None if set(mandatory) <= set(readers) else "mandatory_reader"

    def _wrong_key_wrapped(self, key: ContentKey) -> str | None:
        """A slot derived from a key that the header does not commit to. Only the sender can make one:
        the slots are hashed in the signed header, and to derive a given slot from another key is to
        invert HKDF."""
        if self.reader is None:
            return None
        try:
            reader = WrappingPublicKey.from_bytes(self.reader)
        except DecodeError:
            return None
        digest = core_digest(self.transaction.header.core)
        wrong = any(is_slot_of(key, digest, i, reader, slot) for i, slot in enumerate(self.blob.slots))
        return "wrapped_key" if wrong else None

    def __repr__(self) -> str:
        return "SenderProof(secret)"


def encode_proof(proof: SenderProof) -> bytes:
    """The canonical bytes of the proof."""
    return encode(proof)


def decode_proof(data: bytes) -> SenderProof:
    """The proof with these bytes, not yet verified. Raises DecodeError."""
    return decode(SenderProof, data, PROOF_LIMIT)


def open_content(header: PublicHeader, blob: Blob, key: ContentKey) -> Payload:
    """The payload that a key which meets the commitment opens, held against the signed header.

    Raises DecodeError; with the true key and the true blob that is a lie of the sender.
    """
    plaintext = key.decrypt(blob.ciphertext, core_digest(header.core))
    if plaintext is None:
        raise DecodeError("ciphertext")
    payload = Payload.parse(plaintext)
    if payload.root(owner_of(header.core)) != header.core.payload_root:
        raise DecodeError("payload_root")
    return payload
