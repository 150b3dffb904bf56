"""Signing keys, wrapping keys, and the two files that hold them."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import ecdsa
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey, KEMKeyPair
from small_consortium import PARTIES, seeded

from node.canonical import DecodeError
from node.envelopes.keys import PartyKeys, SigningKey, VerifyKey, WrappingKey, WrappingPublicKey
from node.errors import PrivityError

VECTORS = Path(__file__).parent / "vectors"
RFC6979 = json.loads((VECTORS / "rfc6979-p256-sha256.json").read_text())
RFC9180 = json.loads((VECTORS / "rfc9180-x25519-sha256-aes256gcm.json").read_text())
ORDER = ecdsa.NIST256p.order
ALICE, BOB = PARTIES["alice"], PARTIES["bob"]


def vector(name: str) -> bytes:
    return bytes.fromhex(RFC9180[name])


# Signatures.


@pytest.mark.parametrize("expected", RFC6979["signatures"], ids=lambda expected: expected["message"])
def test_signatures_are_those_of_rfc_6979(expected: dict[str, str]) -> None:
    """The nonce is RFC 6979's and of s and order - s the lower is taken."""
    secret = int(RFC6979["secret"], 16)
    key = SigningKey.generate(lambda count: (secret - 1).to_bytes(count, "big"))
    assert RFC6979["public_x"] == key.public.raw[1:].hex().upper()
    r, s = int(expected["r"], 16), int(expected["s"], 16)
    signature = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
    assert signature == key.sign(expected["message"].encode())
    assert key.public.verify(signature, expected["message"].encode())


def test_the_high_twin_of_a_signature_is_refused() -> None:
    """(r, order - s), which ECDSA itself accepts, is refused: nobody can make a second signature of one."""
    signature = ALICE.signing.sign(b"message")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    twin = signature[:32] + (ORDER - s).to_bytes(32, "big")
    assert ALICE.signing.public.verify(signature, b"message")
    assert not ALICE.signing.public.verify(twin, b"message")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), ALICE.signing.public.raw)
    public.verify(utils.encode_dss_signature(r, ORDER - s), b"message", ec.ECDSA(hashes.SHA256()))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_second_implementation_agrees(message: bytes) -> None:
    """The pure Python `ecdsa` accepts each of our signatures, which has 64 bytes and is low-s."""
    signature = ALICE.signing.sign(message)
    assert len(signature) == 64
    assert 0 < int.from_bytes(signature[32:], "big") <= ORDER // 2
    public = ecdsa.VerifyingKey.from_string(
        ALICE.signing.public.raw, curve=ecdsa.NIST256p, hashfunc=hashlib.sha256
    )
    assert public.verify(signature, message)


@settings(deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=40))
def test_no_bytes_are_a_signature_by_chance(signature: bytes, message: bytes) -> None:
    """Any bytes at all are judged without an exception, and are not a signature."""
    assert not ALICE.signing.public.verify(signature, message)


@pytest.mark.parametrize("part", [0, 32])
@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_numbers_outside_the_group_are_refused(part: int, number: int) -> None:
    """r and s must lie between 0 and the order of the group."""
    signature = bytearray(ALICE.signing.sign(b"message"))
    signature[part : part + 32] = number.to_bytes(32, "big")
    assert not ALICE.signing.public.verify(bytes(signature), b"message")


def test_a_signature_is_for_one_key_and_one_message() -> None:
    """Neither another key nor another message verifies."""
    signature = ALICE.signing.sign(b"message")
    assert not BOB.signing.public.verify(signature, b"message")
    assert not ALICE.signing.public.verify(signature, b"messagf")


def test_a_verify_key_has_one_encoding() -> None:
    """Of all encodings of a point only the compressed one is a key, and its point must be on the curve."""
    key = ALICE.signing.public
    assert key == VerifyKey.from_bytes(key.raw)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.raw)
    long_form = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    off_curve = b"\x02" + b"\xff" * 32
    for raw in (long_form, long_form[1:], key.raw[1:], off_curve, b"\x04" + key.raw[1:], b"\x00" * 33, b""):
        with pytest.raises(DecodeError, match="verify_key"):
            VerifyKey.from_bytes(raw)


# Wrapping.


def test_pyhpke_seals_the_vectors_of_rfc_9180() -> None:
    """With the RFC's ephemeral key PyHPKE gives the RFC's encapsulated key and ciphertexts."""
    suite = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
    ephemeral = x25519.X25519PrivateKey.from_private_bytes(vector("skEm"))
    pair = KEMKeyPair(
        *(KEMKey.from_pyca_cryptography_key(key) for key in (ephemeral, ephemeral.public_key()))
    )
    reader = KEMKey.from_pyca_cryptography_key(x25519.X25519PublicKey.from_public_bytes(vector("pkRm")))
    encapsulated, context = suite.create_sender_context(reader, info=vector("info"), eks=pair)
    assert vector("enc") == encapsulated
    expected = {message["sequence"]: message for message in RFC9180["encryptions"]}
    for sequence in range(257):
        message = expected.get(sequence, expected[0])
        sealed = context.seal(bytes.fromhex(message["pt"]), bytes.fromhex(message["aad"]))
        if sequence in expected:
            assert message["ct"] == sealed.hex()


def test_wraps_are_rfc_9180_with_the_ephemeral_key_given() -> None:
    """A wrap is the RFC's encapsulated key, then the text under the RFC's key and first nonce."""
    text = bytes.fromhex(RFC9180["encryptions"][0]["pt"])
    reader = WrappingPublicKey.from_bytes(vector("pkRm"))
    wrapped = reader.wrap(text, info=vector("info"), ephemeral=vector("skEm"))
    # The RFC's messages have associated data and ours have none, so its key and nonce are used again.
    sealed = AESGCM(vector("key")).encrypt(vector("base_nonce"), text, b"")
    assert vector("enc") + sealed == wrapped


def test_the_other_library_opens_the_vectors_of_rfc_9180() -> None:
    """`cryptography` opens, with the RFC's private key, what the RFC's key schedule encrypts."""
    reader = WrappingKey.from_secret(vector("skRm"))
    assert vector("pkRm") == reader.public.raw
    text = bytes.fromhex(RFC9180["encryptions"][0]["pt"])
    sealed = AESGCM(vector("key")).encrypt(vector("base_nonce"), text, b"")
    assert text == reader.unwrap(vector("enc") + sealed, info=vector("info"))


@settings(deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=64), st.binary(min_size=32, max_size=32))
def test_what_is_wrapped_opens_for_its_reader_only(secret: bytes, info: bytes, ephemeral: bytes) -> None:
    """A wrap opens with the reader's key under the same info, and with nothing else."""
    wrapped = ALICE.wrapping.public.wrap(secret, info=info, ephemeral=ephemeral)
    assert len(wrapped) == len(secret) + 48
    assert secret == ALICE.wrapping.unwrap(wrapped, info=info)
    assert ALICE.wrapping.unwrap(wrapped, info=info + b"x") is None
    assert BOB.wrapping.unwrap(wrapped, info=info) is None


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_are_a_wrap_by_chance(wrapped: bytes) -> None:
    """Any bytes at all are tried without an exception, and do not open."""
    assert ALICE.wrapping.unwrap(wrapped, info=b"") is None


SMALL_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    2**255 - 20,
]


@pytest.mark.parametrize("number", SMALL_ORDER)
def test_points_of_small_order_are_no_wrapping_keys(number: int) -> None:
    """A point with which everybody agrees on the same secret is refused (RFC 7748, section 7)."""
    with pytest.raises(DecodeError, match="wrapping_key"):
        WrappingPublicKey.from_bytes(number.to_bytes(32, "little"))


def test_a_wrapping_key_has_one_encoding() -> None:
    """The same point written another way, or with another length, is refused."""
    raw = ALICE.wrapping.public.raw
    assert ALICE.wrapping.public == WrappingPublicKey.from_bytes(raw)
    top_bit_set = raw[:31] + bytes([raw[31] | 0x80])
    unreduced = (2**255 - 19 + 9).to_bytes(32, "little")  # The base point, plus the prime.
    for other in (top_bit_set, unreduced, raw[:31], raw + b"\x00", b""):
        with pytest.raises(DecodeError, match="wrapping_key"):
            WrappingPublicKey.from_bytes(other)


# P11: one key, one role.


def test_keys_of_one_kind_cannot_do_the_work_of_the_other() -> None:
    """P11: a wrapping key cannot sign or verify, a signing key cannot wrap or unwrap."""
    for wrapping in (WrappingKey, WrappingPublicKey):
        assert not {"sign", "verify"} & set(dir(wrapping))
    for signing in (SigningKey, VerifyKey):
        assert not {"wrap", "unwrap"} & set(dir(signing))
    assert not issubclass(WrappingKey, SigningKey) and not issubclass(SigningKey, WrappingKey)
    assert ALICE.signing.public != ALICE.wrapping.public


def test_exchanged_key_files_are_refused(tmp_path: Path) -> None:
    """P11: a wrapping key in the signing key's file, or the reverse, is refused at load."""
    ALICE.save(tmp_path / "keys")
    signing, wrapping = tmp_path / "keys/signing.pem", tmp_path / "keys/wrapping.pem"
    pems = signing.read_bytes(), wrapping.read_bytes()
    for contents in ((pems[1], pems[1]), (pems[0], pems[0]), (pems[1], pems[0])):
        signing.write_bytes(contents[0])
        wrapping.write_bytes(contents[1])
        with pytest.raises(PrivityError) as refusal:
            PartyKeys.load(tmp_path / "keys")
        assert refusal.value.code == "E-KEYS"


@pytest.mark.parametrize("form", ["as it is", "other byte order", "clamped"])
def test_one_secret_in_two_roles_is_refused(tmp_path: Path, form: str) -> None:
    """P11: the same number as signing key and as wrapping key is refused at load, however it is written."""
    secret = seeded("one secret")(32)
    number = {"other byte order": secret[::-1]}.get(form, secret)
    if form == "clamped":
        number = bytes([secret[0] & 248, *secret[1:31], secret[31] & 127 | 64])
    signing = SigningKey(ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
    PartyKeys(signing, WrappingKey.from_secret(number)).save(tmp_path / "keys")
    with pytest.raises(PrivityError) as refusal:
        PartyKeys.load(tmp_path / "keys")
    assert refusal.value.code == "E-KEYS"
    assert "one secret" in refusal.value.why


# Files.


def test_saved_keys_load_again(tmp_path: Path) -> None:
    """Both keys survive their files, and the names of the files say which is which."""
    ALICE.save(tmp_path / "keys")
    loaded = PartyKeys.load(tmp_path / "keys")
    assert ALICE.signing.public == loaded.signing.public
    assert ALICE.wrapping.public == loaded.wrapping.public
    assert sorted(os.listdir(tmp_path / "keys")) == ["signing.pem", "wrapping.pem"]


def test_key_files_are_private_under_any_umask(tmp_path: Path) -> None:
    """Files of mode 600 in a folder of mode 700, also when the umask would allow everything."""
    umask = os.umask(0)
    try:
        ALICE.save(tmp_path / "keys")
    finally:
        os.umask(umask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {"signing.pem": 0o600, "wrapping.pem": 0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["signing.pem", "wrapping.pem"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_a_file_that_others_may_open_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    """A key file with any right for group or world is refused."""
    ALICE.save(tmp_path / "keys")
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(PrivityError) as refusal:
        PartyKeys.load(tmp_path / "keys")
    assert refusal.value.code == "E-KEYS"
    assert f"{mode:o}" in refusal.value.why


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    """Saving over existing keys is refused and leaves them as they were."""
    ALICE.save(tmp_path / "keys")
    with pytest.raises(PrivityError) as refusal:
        BOB.save(tmp_path / "keys")
    assert refusal.value.code == "E-KEYS"
    assert ALICE.signing.public == PartyKeys.load(tmp_path / "keys").signing.public


def test_files_that_hold_no_usable_key_are_refused(tmp_path: Path) -> None:
    """Missing, empty, cut, encrypted and foreign key files, and folders, are refused without a traceback."""
    ALICE.save(tmp_path / "keys")
    path = tmp_path / "keys/signing.pem"
    good = path.read_bytes()
    key = ec.generate_private_key(ec.SECP384R1())
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    contents: list[bytes | None] = [
        b"",
        b"not a key",
        good[:100],
        key.private_bytes(*pem, serialization.NoEncryption()),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            *pem, serialization.BestAvailableEncryption(b"x")
        ),
        None,
    ]
    for content in contents:
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(PrivityError) as refusal:
            PartyKeys.load(tmp_path / "keys")
        assert refusal.value.code == "E-KEYS"
        assert refusal.value.where == str(path)
    path.mkdir(mode=0o700)
    with pytest.raises(PrivityError):
        PartyKeys.load(tmp_path / "keys")


def test_secrets_appear_in_no_message_and_in_no_repr(tmp_path: Path) -> None:
    """Neither the repr of a key nor an error about its file has any of its secret bytes."""
    ALICE.save(tmp_path / "keys")
    (tmp_path / "keys/wrapping.pem").chmod(0o644)
    with pytest.raises(PrivityError) as refusal:
        PartyKeys.load(tmp_path / "keys")
    shown = "\n".join(refusal.value.lines()) + repr(ALICE) + repr(ALICE.signing) + repr(ALICE.wrapping)
    for secret in (ALICE.signing.secret_bytes(), ALICE.wrapping.secret_bytes()):
        assert not any(secret[start : start + 4].hex() in shown for start in range(29))


@pytest.mark.parametrize("key", [ALICE.signing, ALICE.wrapping, ALICE], ids=["signing", "wrapping", "both"])
def test_private_keys_are_not_pickled(key: Any) -> None:
    """A private key cannot slip into another process or a dump."""
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_keys_come_from_the_entropy_given() -> None:
    """The same stream gives the same keys, another stream others: no other randomness is in them."""
    first, again, other = (PartyKeys.generate(seeded(seed)) for seed in ("a", "a", "b"))
    assert first.signing.public == again.signing.public
    assert first.wrapping.public == again.wrapping.public
    assert len({first.signing.public, other.signing.public}) == 2
    assert len({first.wrapping.public, other.wrapping.public}) == 2


@settings(deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(min_size=32, max_size=32))
def test_a_wrap_is_what_pyhpke_makes(secret: bytes, info: bytes, ephemeral: bytes) -> None:
    """Two implementations of the sender agree on every byte, and `is_wrap` on what a wrap is."""
    suite = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
    private = x25519.X25519PrivateKey.from_private_bytes(ephemeral)
    pair = KEMKeyPair(*(KEMKey.from_pyca_cryptography_key(key) for key in (private, private.public_key())))
    public = BOB.wrapping.public
    reader = KEMKey.from_pyca_cryptography_key(x25519.X25519PublicKey.from_public_bytes(public.raw))
    encapsulated, context = suite.create_sender_context(reader, info=info, eks=pair)
    wrapped = public.wrap(secret, info=info, ephemeral=ephemeral)
    assert wrapped == encapsulated + context.seal(secret)
    assert public.is_wrap(wrapped, secret, info=info, ephemeral=ephemeral)
    for changed in (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), bytes([wrapped[0] ^ 1]) + wrapped[1:]):
        assert not public.is_wrap(changed, secret, info=info, ephemeral=ephemeral)
    assert not public.is_wrap(wrapped, secret + b"x", info=info, ephemeral=ephemeral)
