"""Whether a party belongs to a network: its place in the genesis file, and its keys."""

from __future__ import annotations

from node.consortium import Network
from node.envelopes.keys import PartyKeys
from node.errors import WRONG_USAGE, PrivityError


def position_of(network: Network, name: str, keys: PartyKeys) -> int:
    """The position of a member that holds these keys. Raises E-PARTY for no member, E-KEYS for other keys."""
    position = network.position(name)
    if position is None:
        raise PrivityError(
            "E-PARTY", "the genesis file names no such party", where=name, exit_code=WRONG_USAGE
        )
    member = network.members[position]
    if (keys.signing.public.raw, keys.wrapping.public.raw) != (member.signing_key, member.wrapping_key):
        raise PrivityError(
            "E-KEYS",
            "these are not the keys that the genesis file gives this party",
            where=name,
            next="restore the two key files as they were when the network was founded",
        )
    return position
