"""Opening a seal on a running run as one of its openers: asked for on the record, then the shares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from node.chain.reading import NodeReading, read_node
from node.client import Client
from node.disclosure.disclosing import Author
from node.envelopes.keys import PartyKeys
from node.errors import NOT_ALLOWED, PrivityError
from node.run_reading import RunReading
from node.seals.challenging import lacking_of
from node.seals.opening import challenge, is_owed, release, request_opening
from node.seals.seal import Seal
from node.verbs.disclosing import author, record
from node.verbs.run_client import connected

_POLL_S = 0.1
Found = TypeVar("Found")


@dataclass(slots=True)
class Opened:
    """What became of it: heights, how many shares were handed over, of what there is no ciphertext here.

    `gave` are the openers that have released a share of every payload, as the opener's own ledger has it.
    """

    opener: str
    request: bytes
    height: int
    released: list[int] = field(default_factory=list)
    payloads: int = 0
    missing: int = 0
    gave: tuple[str, ...] = ()


async def open_seal(reading: RunReading, name: str, keys: PartyKeys, seal: Seal, timeout_s: float) -> Opened:
    """Ask, and when the request counts, release this opener's shares.

    Raises PrivityError: E-NOT-OPENER, E-SEAL-EARLY (exit 6; the request stays on the ledger), E-UNCONFIRMED,
    E-BROKER, E-NOT-RUNNING.
    """
    async with connected(reading) as client:
        by = await author(reading, client, name, keys)
        act = request_opening(by, seal)
        proof = await record(reading, client, by, act, seal.then_to, timeout_s)
        header = proof.header
        at_ms = header.time_ms - reading.network.created_ms
        if not seal.is_open(header.height, at_ms):
            raise _early(seal, name, at_ms, header.height)
        done = Opened(name, act.id, header.height)
        await _release(reading, client, by, seal, done, timeout_s)
        return done


async def _release(
    reading: RunReading, client: Client, by: Author, seal: Seal, done: Opened, timeout_s: float
) -> None:
    node = await _until(lambda: _executed(reading, by.name, done.height), timeout_s)
    if node is None:
        return  # Its own node is behind, or down: it has nothing to release from.
    state = node.seals.states[seal.name]
    done.payloads = len(state.on_time)
    for bid in state.on_time:
        tx = bid.tx
        blob = await _until(partial(node.blob, tx), timeout_s)
        made = None if blob is None else release(by, node.private_of(tx), blob)
        if made is None:
            done.missing += 1
            continue
        if not is_owed(state, by.name, made):
            continue
        proof = await record(reading, client, by, made, seal.then_to, timeout_s)
        done.released.append(proof.header.height)
    last = max([done.height, *done.released])
    node = await _until(lambda: _executed(reading, by.name, last), timeout_s)
    if node is not None:
        done.gave = tuple(node.seals.states[seal.name].gave())


async def challenge_opener(
    reading: RunReading, name: str, keys: PartyKeys, seal: Seal, of: str, timeout_s: float
) -> list[int]:
    """Say on the record that shares of `of` are missing or cannot be read, of each payload that cannot be.

    The heights of what was recorded; none if there is nothing to complain about.
    """
    node = reading.node(name)
    state = node.seals.states[seal.name]
    if state.opened is None:
        raise PrivityError(
            "E-SEAL-EARLY",
            f"{seal.name} is not open yet, so nobody owes a share",
            why=f"it opens at {seal.opens}",
            exit_code=NOT_ALLOWED,
        )
    lacking = lacking_of(reading.network, node, seal, name, keys.wrapping, of)
    heights = []
    async with connected(reading) as client:
        by = await author(reading, client, name, keys)
        for tx in lacking:
            proof = await record(reading, client, by, challenge(by, tx, of), (of,), timeout_s)
            heights.append(proof.header.height)
    return heights


def _executed(reading: RunReading, name: str, height: int) -> NodeReading | None:
    node = read_node(reading.folder.node(name), reading.network)
    return node if node.height >= height else None


async def _until(look: Callable[[], Found | None], timeout_s: float) -> Found | None:
    """What there is to see, once it is there; None if it is not in time."""
    until = time.monotonic() + timeout_s
    while (found := look()) is None and time.monotonic() < until:
        await asyncio.sleep(_POLL_S)
    return found


def _early(seal: Seal, name: str, at_ms: int, height: int) -> PrivityError:
    now = f"block {height}" if seal.opens_at_height else f"{at_ms / 1000:.1f}s"
    others = [each for each in seal.openers if each != name]
    held = f"even then {name} holds 1 of {seal.threshold} key shares"
    if seal.threshold == 1:
        held = f"then {name} alone can open it"
    elif seal.threshold == len(seal.openers):
        held += f"; {', '.join(others)} must join"
    else:
        held += f"; {seal.threshold - 1} of {', '.join(others)} must join"
    return PrivityError(
        "E-SEAL-EARLY",
        f"refused: {seal.name} opens at {seal.opens}; it is {now}",
        why=held,
        next=f"the attempt is on the ledger: block {height}; ask again when it is time",
        exit_code=NOT_ALLOWED,
    )
