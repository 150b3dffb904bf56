"""A run folder as `up` leaves it, with real nodes on a real broker, all in one thread of this process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.chain.act import ActTransaction
from node.chain.deeds import PurgeReceipt
from node.chain.reading import read_node
from node.client import Client
from node.consortium import Consortium, Member, Network, Policy, Rules
from node.driver import Driver
from node.envelopes.envelope import Sealed, seal
from node.envelopes.keys import PartyKeys, WrappingPublicKey
from node.envelopes.rule import FREE, with_rule
from node.process_identity import process_started
from node.run_folder import Label, RunFolder
from node.wire import AnyTransaction
from scenarios.processes.broker import RunningBroker
from scenarios.processes.recorder import CaptureFile, Recorder
from tests.waiting import wait_until

VOTERS = ("city", "acme", "bolt", "notary")
FOLLOWERS = ("crane",)
NAMES = (*VOTERS, *FOLLOWERS)
CANARY = "canary-4f1c9b7e2a"
STRANGER = PartyKeys.generate(os.urandom)


def is_receipt(transaction: AnyTransaction) -> bool:
    """Whether a node says in it that it has erased what it had to."""
    return isinstance(transaction, ActTransaction) and isinstance(transaction.act.deed, PurgeReceipt)


@dataclass
class LiveRun:
    """A consortium of four voters and a follower, and what was planned to be sent in it."""

    folder: RunFolder
    network: Network
    keys: dict[str, PartyKeys]
    broker: RunningBroker
    planned: dict[str, set[str]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _stops: dict[str, asyncio.Event] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """What PRIVITY_HOME must be for the command line to find this run."""
        return self.folder.path.parents[1]

    def sealed(
        self,
        sender: str,
        to: Iterable[str],
        fields: Mapping[str, Any],
        also: Iterable[WrappingPublicKey] = (),
    ) -> Sealed:
        """A transaction of this network; `also` are further keys that nobody speaks of."""
        readers = [self.keys[name].wrapping.public for name in (sender, *to)]
        return seal(
            with_rule(fields, FREE),
            readers=[*readers, *also],
            network=self.network.id,
            sender=sender,
            policy=self.network.policy_hash,
            valid_from=1,
            valid_until=900,
            signing_key=self.keys[sender].signing,
            entropy=os.urandom,
        )

    def send(
        self,
        label: str,
        sender: str,
        to: Iterable[str],
        fields: Mapping[str, Any],
        also: Iterable[WrappingPublicKey] = (),
        *,
        noted: bool = True,
    ) -> bytes:
        """Send it, and return its id once every node has it in a certified block."""
        to = tuple(to)
        sealed = self.sealed(sender, to, fields, also)
        identifier = sealed.transaction.id
        now_ms = time.time_ns() // 1_000_000 - self.network.created_ms
        if noted:
            self.folder.add_transaction(Label(label, identifier.hex(), sender, to, now_ms))
            self.planned[label] = {sender, *to}
        asyncio.run(self._publish(sealed))
        wait_until(lambda: all(self._certified(name, identifier) for name in NAMES))
        return identifier

    def _certified(self, name: str, identifier: bytes) -> bool:
        reading = read_node(self.folder.node(name), self.network)
        ordered = reading.transactions.get(identifier)
        block = None if ordered is None else reading.block(ordered.height)
        return block is not None and block.block_certificate is not None

    async def _publish(self, sealed: Sealed) -> None:
        async with Client.over_mqtt(
            self.network, self.broker.address, self.broker.protocol, os.urandom
        ) as client:
            assert await client.connected(10)
            client.submit(sealed.transaction, sealed.blob)
            assert await client.delivered(10)

    def ledger(self, name: str) -> set[bytes]:
        """The ids of what was handed in, as one node's ledger has it: without the receipts of nodes."""
        found = read_node(self.folder.node(name), self.network).transactions
        return {each for each, ordered in found.items() if not is_receipt(ordered.transaction)}

    def stop_node(self, name: str) -> None:
        """Stop one node in good order."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._stop(name), self._loop).result(10)

    async def _stop(self, name: str) -> None:
        self._stops[name].set()
        await self._tasks[name]

    async def serve(self, ready: threading.Event, over: threading.Event) -> None:
        """Run the recorder and all nodes until `over`."""
        self._loop = asyncio.get_running_loop()
        capture_ms = time.time_ns() // 1_000_000 - 400  # Another beginning than the genesis, as in a run.
        self.folder.write_run(capture_ms=capture_ms)
        capture = CaptureFile(self.folder.capture, 64 << 20, capture_ms)
        recorder = Recorder(self.broker.address, self.broker.protocol, capture)
        self._stops["recorder"] = asyncio.Event()
        self._tasks["recorder"] = asyncio.create_task(recorder.run(self._stops["recorder"]))
        while not self.folder.capture.stat().st_size:
            await asyncio.sleep(0.005)
        for name in NAMES:
            driver = Driver(
                self.folder.node(name),
                self.network,
                name,
                self.broker.address,
                self.broker.protocol,
                run=self.folder.number,
            )
            self._stops[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(driver.run(self._stops[name]))
        ready.set()
        while not over.is_set():
            await asyncio.sleep(0.01)
        for name in (*NAMES, "recorder"):
            self._stops[name].set()
        await asyncio.gather(*self._tasks.values())
        capture.close()


def founded(home: Path, broker: RunningBroker) -> LiveRun:
    """A new run folder with keys and genesis, and nothing running yet."""
    folder = RunFolder.create(home)
    keys = {}
    for name in NAMES:
        keys[name] = PartyKeys.generate(os.urandom)
        keys[name].save(folder.make_node(name) / "keys")
    members = tuple(
        Member(
            name,
            name in VOTERS,
            "notary" if name == "notary" else "member",
            f"The {name}",
            keys[name].signing.public.raw,
            keys[name].wrapping.public.raw,
        )
        for name in NAMES
    )
    rules = Rules(block_every_ms=20)
    consortium = Consortium(1, os.urandom(16), time.time_ns() // 1_000_000, members, Policy(), rules)
    network = Network.founded(consortium, keys[NAMES[0]].signing)
    folder.genesis.write_text(network.to_json())
    pid = os.getpid()
    folder.write_run(
        pid=pid,
        pid_started=process_started(pid),
        state="ready",
        genesis_ms=network.created_ms,
        broker={"kind": broker.kind, "url": broker.public_url, "protocol": broker.protocol},
    )
    return LiveRun(folder, network, keys, broker)


@contextmanager
def live_run(home: Path, broker: RunningBroker) -> Iterator[LiveRun]:
    """A run whose nodes are up inside, and stopped in good order after."""
    run = founded(home, broker)
    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(run.serve(ready, over)), name="nodes")
    thread.start()
    try:
        assert ready.wait(15)
        wait_until(lambda: all(run.ledger(name) for name in NAMES))
        yield run
    finally:
        over.set()
        thread.join(20)
        run.folder.write_run(state="stopped")


def play_story(run: LiveRun) -> None:
    """Send what the tests of matrix and pages speak of; `run.planned` says who was named."""
    run.send("tender", "city", ["acme", "bolt", "crane"], {"item": "bus", "secret": CANARY})
    run.send("bid-acme", "acme", ["city"], {"price": 412000, "secret": CANARY})
    run.send("bid-bolt", "bolt", ["city", "notary"], {"price": 398500, "secret": CANARY})
    run.send("diary", "crane", [], {"entry": CANARY})
    # Who is named and who can read differ here: one key more than anybody says.
    run.send("planted", "acme", ["city"], {"secret": CANARY}, [run.keys["crane"].wrapping.public])
    run.send("leaked", "acme", ["city"], {"secret": CANARY}, [STRANGER.wrapping.public])
    run.send("", "notary", ["city"], {"secret": CANARY}, noted=False)
