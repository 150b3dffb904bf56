"""A party's two keys, and the two files that hold them.

A signing key says who sent something; a wrapping key says who may read something. They are different
secrets of different types that cannot be taken for one another: a wrapping key has no `sign`, a signing
key has no `unwrap`, and a secret in both roles is refused when the files are read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from node.envelopes.entropy import Entropy
from node.envelopes.signing import SigningKey, VerifyKey
from node.envelopes.wrapping import WrappingKey, WrappingPublicKey
from node.errors import PrivityError
from node.private_files import make_private_folder, open_private

__all__ = ["Entropy", "PartyKeys", "SigningKey", "VerifyKey", "WrappingKey", "WrappingPublicKey"]

SIGNING_FILE = "signing.pem"
WRAPPING_FILE = "wrapping.pem"
_FILE_LIMIT = 4096  # A P-256 key in PKCS8 PEM has 241 bytes.


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """The signing key and the wrapping key of one party."""

    signing: SigningKey
    wrapping: WrappingKey

    @classmethod
    def generate(cls, entropy: Entropy) -> PartyKeys:
        """Two new and independent keys."""
        return cls(SigningKey.generate(entropy), WrappingKey.generate(entropy))

    def save(self, folder: Path) -> None:
        """Write both keys as PKCS8 PEM: files of mode 600 in a folder of mode 700.

        Never overwrites: what was wrapped for a lost key stays lost. Raises PrivityError (E-KEYS).
        """
        make_private_folder(folder)
        for name, pem in ((SIGNING_FILE, self.signing.to_pem()), (WRAPPING_FILE, self.wrapping.to_pem())):
            try:
                descriptor = open_private(folder / name, os.O_WRONLY | os.O_EXCL)
            except FileExistsError:
                raise _refused(folder / name, "there is a key already, and it is never overwritten") from None
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())

    @classmethod
    def load(cls, folder: Path) -> PartyKeys:
        """Read both keys.

        Raises PrivityError (E-KEYS) for a missing or unreadable file, one that others may open, one that
        holds another kind of key, and for one secret in two roles.
        """
        signing = _read(folder / SIGNING_FILE)
        if not isinstance(signing, ec.EllipticCurvePrivateKey) or signing.curve.name != "secp256r1":
            raise _refused(folder / SIGNING_FILE, "a signing key is a P-256 private key")
        wrapping = _read(folder / WRAPPING_FILE)
        if not isinstance(wrapping, x25519.X25519PrivateKey):
            raise _refused(folder / WRAPPING_FILE, "a wrapping key is an X25519 private key")
        keys = cls(SigningKey(signing), WrappingKey(wrapping))
        if _same_secret(keys):
            raise _refused(folder, "one secret serves as signing key and as wrapping key")
        return keys


def _read(path: Path) -> PrivateKeyTypes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _refused(path, f"the key file cannot be read ({error.strerror})") from None
    try:
        # Asked of the open file, so that nobody can swap it between the question and the reading.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "it is not a regular file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise _refused(path, f"others may open it: its mode is {stat.S_IMODE(status.st_mode):o}, not 600")
        pem = os.read(descriptor, _FILE_LIMIT)
    finally:
        os.close(descriptor)
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _refused(path, "it does not hold a private key in PKCS8 PEM without a passphrase") from None


def _same_secret(keys: PartyKeys) -> bool:
    """Whether both private numbers are one, in either byte order and with or without X25519's clamping."""
    number = keys.signing.secret_bytes()
    return any(_clamped(keys.wrapping.secret_bytes()) == _clamped(guess) for guess in (number, number[::-1]))


def _clamped(scalar: bytes) -> bytes:
    """The number that X25519 really uses (RFC 7748, section 5)."""
    return bytes([scalar[0] & 248, *scalar[1:31], scalar[31] & 127 | 64])


def _refused(path: Path, why: str) -> PrivityError:
    return PrivityError(
        "E-KEYS",
        "the keys of this party cannot be used",
        where=str(path),
        why=why,
        next="restore the two key files as they were; new keys cannot read what was wrapped for the old",
    )
