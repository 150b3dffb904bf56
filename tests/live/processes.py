"""The nodes of a network as processes on a mosquitto of their own, for tests that kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from consensus.messages import Status
from consensus.output import VoteRecord
from node.canonical import encode
from node.chain.journal import Journal
from node.chain.store import Store
from node.client import Client
from node.consortium import Network, Rules
from scenarios.processes.broker import RunningBroker, start_broker
from tests.node.network_of_nodes import PARTIES, founded, sealed_for

RULES = Rules(block_every_ms=50)
ROOT = Path(__file__).resolve().parents[2]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Processes:
    """The nodes of one network, a process each, and a client of it."""

    def __init__(self, folder: Path, network: Network, broker: RunningBroker, client: Client) -> None:
        self.folder = folder
        self.network = network
        self.broker = broker
        self.client = client
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.sent: list[bytes] = []

    def start(self, name: str, level: str = "info") -> None:
        arguments = [str(self.folder / name), "--genesis", str(self.folder / "genesis.json")]
        arguments += ["--broker", self.broker.public_url, "--parent-pid", str(os.getpid())]
        arguments += ["--level", level]
        with (self.folder / f"{name}.stderr").open("ab") as errors:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "node", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def kill(self, name: str) -> None:
        """End a node as a power cut of its process does."""
        process = self.running.pop(name)
        process.kill()
        assert process.wait(10) == -signal.SIGKILL

    def errors(self) -> str:
        """What any node said on stderr, which is for crashes only."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.stderr")))

    def submit(self, count: int, seed: object) -> list[bytes]:
        """Publish that many transactions; their ids."""
        identifiers = []
        for n in range(count):
            sealed = sealed_for(self.network, {"n": n}, seed=(seed, n), to=("bob", "eve"), valid=(1, 900))
            self.client.submit(sealed.transaction, sealed.blob)
            identifiers.append(sealed.transaction.id)
        self.sent += identifiers
        return identifiers

    async def certified(self, identifiers: Iterable[bytes], within_s: float = 20) -> None:
        wanted = list(identifiers)
        proofs = await self.client.certified(wanted, ("ann", PARTIES["ann"].signing), within_s)
        assert len(proofs) == len(wanted), f"{len(proofs)} of {len(wanted)}\n{self.errors()}"

    async def statuses(self) -> dict[str, Status]:
        return await self.client.statuses([(name, PARTIES[name].signing) for name in self.running], 1)

    async def one_head(self, least: int = 1, within_s: float = 10) -> Status:
        """Wait until all that run stand at one head of at least that height."""
        deadline = time.monotonic() + within_s
        while True:
            statuses = await self.statuses()
            heads = {(status.sequence, status.block, status.state_root) for status in statuses.values()}
            if len(statuses) == len(self.running) and len(heads) == 1:
                (status, *_) = statuses.values()
                if status.sequence >= least:
                    return status
            seen = {name: status.sequence for name, status in statuses.items()}
            assert time.monotonic() < deadline, f"{seen}\n{self.errors()}"

    def ledger_of(self, name: str) -> list[tuple[bytes, str]]:
        """The transactions on a node's ledger with their outcomes, without the first."""
        with closing(Store(self.folder / name, read_only=True)) as store:
            return [(row.id, row.outcome) for row in store.all_transactions()][1:]

    def everyone_has_each_once(self) -> None:
        """Nothing that was sent is lost, and nothing was executed twice, on any node."""
        for name in self.running:
            assert sorted(self.ledger_of(name)) == sorted((each, "executed") for each in self.sent)

    def votes_of(self, name: str) -> dict[tuple[object, ...], set[bytes]]:
        """What a node recorded as its votes: for each kind, view and height, what it voted for."""
        votes: dict[tuple[object, ...], set[bytes]] = {}
        with closing(Journal.open_read_only(self.folder / name / "journal", self.network.id)) as journal:
            for _, record in journal.replay():
                if isinstance(record, VoteRecord):
                    vote = record.vote
                    key = (type(vote), getattr(vote, "view", 0), vote.sequence)
                    votes.setdefault(key, set()).add(encode(vote))
        return votes


def prepare_folders(folder: Path, rules: Rules = RULES, followers: int = 1) -> Network:
    """Keys and genesis of a new network, as a run folder has them."""
    network = founded(voters=4, followers=followers, rules=rules, salt=now_ms(), created_ms=now_ms())
    for name in network.names:
        (folder / name).mkdir(mode=0o700)
        PARTIES[name].save(folder / name / "keys")
    (folder / "genesis.json").write_text(network.to_json())
    return network


@asynccontextmanager
async def running(folder: Path, rules: Rules = RULES, *, followers: int = 1) -> AsyncIterator[Processes]:
    """Four voters and perhaps a follower, past block 1; in the end nobody has said anything on stderr."""
    network = prepare_folders(folder, rules, followers)
    broker = await start_broker("mosquitto", folder / "broker")
    client = Client.over_mqtt(network, broker.address, broker.protocol, os.urandom)
    found = Processes(folder, network, broker, client)
    try:
        for name in network.names:
            found.start(name)
        async with client:
            await found.one_head(within_s=30)
            yield found
    finally:
        for process in found.running.values():
            process.kill()
            process.wait(10)
        await broker.stop()
    assert found.errors() == ""
