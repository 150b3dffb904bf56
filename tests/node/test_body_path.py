"""A record's Merkle path to the root of its block, of one record or of hundreds."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest

from node.chain.block import BlockHeader, BodyPath


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 500])
def test_each_record_of_a_block_leads_to_its_root(size: int) -> None:
    """500 is as many as a block takes; the path is as long as the logarithm of that."""
    ids = tuple(sha256(number.to_bytes(4, "big")).digest() for number in range(size))
    root = BlockHeader.root_of(ids)
    for index, identifier in enumerate(ids):
        path = BodyPath.of(ids, identifier)
        assert (path.index, path.size) == (index, size) and len(path.hashes) <= (size - 1).bit_length()
        assert path.leads_to(root, identifier)
        assert not path.leads_to(root, bytes(32)) and not path.leads_to(bytes(32), identifier)
        for changed in (
            dataclasses.replace(path, index=index + 1),
            dataclasses.replace(path, hashes=(*path.hashes, bytes(32))),
            dataclasses.replace(path, hashes=(bytes(32), *path.hashes[1:])),
        ):
            assert (size == 1 and changed.hashes == path.hashes) or not changed.leads_to(root, identifier)


def test_what_is_not_in_the_block_has_no_path() -> None:
    with pytest.raises(ValueError, match="not in"):
        BodyPath.of((bytes(32),), bytes(31) + b"\x01")
