"""One AES-256-GCM ciphertext that opens without error under two keys.

AES-GCM does not commit to its key (CVE-2020-8897; Dodis et al., CRYPTO 2018). For a fixed nonce the tag is
linear, over GF(2^128), in each block of the ciphertext; so one free block can be solved such that the tags
under both keys are the same.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
NONCE = bytes(12)
_REDUCTION = 0xE1 << 120


def multiply(left: int, right: int) -> int:
    """The product in GF(2^128), with GCM's order of bits (SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_REDUCTION if right & 1 else 0)
    return product


def power(base: int, exponent: int) -> int:
    result = 1 << 127  # One.
    while exponent:
        if exponent & 1:
            result = multiply(result, base)
        base, exponent = multiply(base, base), exponent >> 1
    return result


def encrypt_block(key: bytes, block: bytes) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # One block: the bare cipher.
    return int.from_bytes(encryptor.update(block), "big")


def ghash(hash_key: int, blocks: list[bytes]) -> int:
    value = 0
    for block in blocks:
        value = multiply(value ^ int.from_bytes(block, "big"), hash_key)
    return value


def split(data: bytes) -> list[bytes]:
    return [data[start : start + BLOCK].ljust(BLOCK, b"\x00") for start in range(0, len(data), BLOCK)]


def two_key_ciphertext(keys: tuple[bytes, bytes], body: bytes, associated: bytes, free: int) -> bytes:
    """`body` with its block number `free` replaced, and the tag that both keys accept for it."""
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(body)).to_bytes(8, "big")
    ciphertext = split(body)
    ciphertext[free] = bytes(BLOCK)
    blocks = [*split(associated), *ciphertext, lengths]
    place = len(split(associated)) + free
    constant = factor = 0
    for key in keys:
        hash_key = encrypt_block(key, bytes(BLOCK))
        mask = encrypt_block(key, NONCE + b"\x00\x00\x00\x01")
        constant ^= ghash(hash_key, blocks) ^ mask
        factor ^= power(hash_key, len(blocks) - place)
    solved = multiply(constant, power(factor, 2**128 - 2))
    blocks[place] = ciphertext[free] = solved.to_bytes(BLOCK, "big")
    hash_key = encrypt_block(keys[0], bytes(BLOCK))
    tag = ghash(hash_key, blocks) ^ encrypt_block(keys[0], NONCE + b"\x00\x00\x00\x01")
    return b"".join(ciphertext) + tag.to_bytes(BLOCK, "big")
