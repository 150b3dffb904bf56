"""The names of MQTT topics: opaque tokens, with no party, no transaction and no policy in them (P18).

A replica's token is a hash of the network id and its position: no name is in it, and no name can mean
something to a broker. It keeps no secret from who reads the packets, for both stand in them, and proves
nothing about who published there.
"""

from __future__ import annotations

import hashlib


class Topics:
    """The topics of one network."""

    def __init__(self, network_id: bytes) -> None:
        self._network_id = network_id
        self._prefix = f"privity/{network_id.hex()[:8]}"
        self.transactions = f"{self._prefix}/tx"
        self.all_broadcasts = f"{self._prefix}/all/+"

    def token(self, replica: int) -> bytes:
        """The token of a replica, 8 bytes."""
        preimage = b"privity/v1/topic\0" + self._network_id + replica.to_bytes(2, "big")
        return hashlib.sha256(preimage).digest()[:8]

    def broadcast(self, replica: int) -> str:
        """Where a replica says what everybody may hear."""
        return f"{self._prefix}/all/{self.token(replica).hex()}"

    def inbox(self, token: bytes) -> str:
        """Where packets for one replica or one client go."""
        return f"{self._prefix}/in/{token.hex()}"

    def inbox_of(self, replica: int) -> str:
        """Where packets for a replica go."""
        return self.inbox(self.token(replica))

    def of_node(self, replica: int) -> list[str]:
        """What a node subscribes to."""
        return [self.transactions, self.all_broadcasts, self.inbox_of(replica)]
