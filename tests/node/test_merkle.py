"""Merkle trees: the shape of RFC 6962, and paths that prove one place in one tree."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.envelopes.merkle import Tree

VECTORS = json.loads((Path(__file__).parent / "vectors" / "rfc6962-merkle.json").read_text())
RFC_TREE = Tree(leaf_prefix=b"\x00", inner_prefix=b"\x01")
LEAVES = [RFC_TREE.leaf(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"]]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    """The roots over the first 0 to 8 leaves are those of Certificate Transparency's reference."""
    assert VECTORS["roots"][size] == RFC_TREE.root(LEAVES[:size]).hex()


@pytest.mark.parametrize("vector", VECTORS["paths"], ids=lambda vector: f"leaf {vector['index']}")
def test_paths_are_those_of_the_reference(vector: dict[str, Any]) -> None:
    """Inclusion paths are those of Certificate Transparency's reference."""
    path = RFC_TREE.path(LEAVES[: vector["size"]], vector["index"])
    assert vector["path"] == [node.hex() for node in path]


@given(st.integers(1, 70), st.data())
def test_a_path_proves_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    """A path verifies for its own leaf, index, size and root, and for nothing beside them."""
    leaves = [sha256(bytes([number])).digest() for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    root, path = RFC_TREE.root(leaves), RFC_TREE.path(leaves, index)
    assert RFC_TREE.verify(leaves[index], index, size, path, root)
    assert not RFC_TREE.verify(bytes(32), index, size, path, root)
    assert not RFC_TREE.verify(leaves[index], index, size, path, bytes(32))
    assert not RFC_TREE.verify(leaves[index], index, size, (*path, bytes(32)), root)
    assert not RFC_TREE.verify(leaves[index], -1, size, path, root)
    assert not RFC_TREE.verify(leaves[index], size, size, path, root)
    if path:
        assert not RFC_TREE.verify(leaves[index], index, size, path[:-1], root)
        assert not RFC_TREE.verify(leaves[index], index, size, (*path[:-1], path[-1][:-1]), root)
    for other in range(size):
        if other != index:
            assert not RFC_TREE.verify(leaves[index], other, size, path, root)


def test_an_inner_node_is_no_leaf() -> None:
    """A tree shown as its two inner nodes has another root: leaves and inner nodes hash apart."""
    inner = [RFC_TREE.root(LEAVES[:2]), RFC_TREE.root(LEAVES[2:4])]
    assert RFC_TREE.leaf(LEAVES[0] + LEAVES[1]) != inner[0]
    assert not RFC_TREE.verify(inner[0], 0, 4, [inner[1]], RFC_TREE.root(LEAVES[:4]))


def test_prefixes_keep_trees_apart() -> None:
    """The same leaves under other prefixes have another root."""
    other = Tree(leaf_prefix=b"\x03", inner_prefix=b"\x04")
    assert RFC_TREE.root(LEAVES) != other.root(LEAVES)
    assert RFC_TREE.leaf(b"a") != other.leaf(b"a")


def test_a_path_to_nowhere_is_an_error() -> None:
    """There is no path for an index outside the tree."""
    with pytest.raises(IndexError):
        RFC_TREE.path(LEAVES, len(LEAVES))
