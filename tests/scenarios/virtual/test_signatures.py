"""Signatures of the virtual world: three modes, one price."""

from __future__ import annotations

import pytest

from node.envelopes.signing import SigningKey
from scenarios.virtual.entropy import entropy, stream
from scenarios.virtual.signatures import MODES, Memo, Signatures


def keys(seed: str, number: int = 2) -> list[SigningKey]:
    """Keys of this seed."""
    draw = stream(seed, "keys")
    return [SigningKey.generate(draw) for _ in range(number)]


@pytest.mark.parametrize("mode", MODES)
def test_a_signature_holds_for_its_key_and_message_only(mode: str) -> None:
    """In each mode, and the replica is charged each time."""
    signatures = Signatures(mode, keys(f"holds {mode}"), verify_us=65, sign_us=23)
    signature = signatures.sign(0, b"message")
    assert len(signature) == 64 and signatures.sign(0, b"message") == signature
    for _ in range(2):
        assert signatures.verify(0, signature, b"message")
        assert not signatures.verify(1, signature, b"message")
        assert not signatures.verify(0, signature, b"massage")
        assert not signatures.verify(0, signature[:-1] + bytes([signature[-1] ^ 1]), b"message")
        assert not signatures.verify(2, signature, b"message")
    assert signatures.charged_us == 2 * 23 + 10 * 65


def test_cached_signatures_are_the_real_ones_computed_once() -> None:
    """In the whole process: another world of the same seed computes nothing."""
    real, cached = (Signatures(mode, keys("once")) for mode in ("real", "cached"))
    signature = cached.sign(1, b"m")
    assert signature == real.sign(1, b"m")
    assert [cached.verify(1, signature, b"m") for _ in range(3)] == [True] * 3
    assert [real.verify(1, signature, b"m") for _ in range(3)] == [True] * 3
    assert (cached.computed, real.computed) == (2, 4)
    again = Signatures("cached", keys("once"))
    assert again.verify(1, again.sign(1, b"m"), b"m") and again.computed == 0


def test_a_memo_is_bounded_and_keeps_what_is_used() -> None:
    """The oldest goes first, unless it was asked for."""
    memo = Memo(10)
    for number in range(100):
        memo.put((bytes([number]),), number)
        assert memo.get((b"\0",)) == 0
    assert len(memo) <= 10 and memo.get((b"\x01",)) is None and memo.get((b"\x63",)) == 99


def test_entropy_is_the_seed_s_or_the_system_s() -> None:
    """Each purpose draws from its own stream."""
    first, second = stream(1, "keys"), stream(1, "keys")
    assert first(16) == second(16) != first(16)
    assert len({stream(seed, purpose)(16) for seed in (1, 2) for purpose in ("keys", "salts")}) == 4
    assert entropy("seeded", 1, "keys")(16) == stream(1, "keys")(16)
    assert entropy("os", 1, "keys")(16) != entropy("os", 1, "keys")(16)
    with pytest.raises(ValueError, match="no such source"):
        entropy("dice", 1, "keys")
    with pytest.raises(ValueError, match="no such mode"):
        Signatures("none", [])
