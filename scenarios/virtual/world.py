"""The virtual world: replicas, their network, disks and clocks in one process, from one seed.

    world = World(4, seed=7)                      # BareHosts on a LAN, signatures cached
    world = World(4, topology="wan", observers=[checker], hosts={3: SomeAdversary}, window=16)
    identifier = world.submit()                   # a fresh request, given to everybody by a client
    world.crash(0, power_cut=True); world.run_for(3_000); world.restart(0, wiped=True)
    world.crash_at(2, 17, torn=True)              # at its 18th effect: record, flush, send, execution
    world.network.partition("split", [0, 1], [2, 3]); world.network.rule("slow", Rule(kinds=...))
    world.heal(); world.run_until(world.all_done, limit_ms=60_000)
    world.trace_hash
    nodes = found(4, 0, folder, stream(7, "keys"), block_every_ms=50)     # node_host: whole nodes
    world = World(4, seed=7, nodes=nodes)
    submit_private(world, {"amount": 5}, sender=0, to=[1])                # and world.close() in the end

Time is an integer, in microseconds from the founding; hosts see milliseconds on their own clocks. A place
is where one instance of a replica runs; twins (`add_twin`) are two places of one replica. `hosts` gives
some places another process: a function from a `Seat` to a `Host`; such a replica counts as faulty. A host
that raises is a bug of ours: it comes out of `run` with seed, time and replica noted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from consensus.output import Note
from consensus.state import Settings
from consensus.votes import Request, encode
from node.envelopes.entropy import Entropy
from node.envelopes.keys import PartyKeys
from node.topics import Topics
from scenarios.virtual import topology as topologies
from scenarios.virtual.bare_host import BareHost
from scenarios.virtual.bare_wire import Wire
from scenarios.virtual.clients import FOR_EVER, Clients
from scenarios.virtual.entropy import OS, SEEDED, entropy
from scenarios.virtual.host import Crash, Starter
from scenarios.virtual.inbox import NEVER
from scenarios.virtual.network import CLIENT, Network
from scenarios.virtual.node_host import GENESIS_MS, NodeHost, Nodes
from scenarios.virtual.observer import Observer
from scenarios.virtual.seat import Seat
from scenarios.virtual.signatures import CACHED, SIGN_US, VERIFY_US, Signatures
from scenarios.virtual.stepping import EVENT_LIMIT, Stepping, Stuck

if TYPE_CHECKING:
    import networkx


class World(Stepping):
    """Voters 0 to n - 1, then followers, each in its place. See the top of this file."""

    def __init__(
        self,
        n: int = 4,
        followers: int = 0,
        *,
        seed: int = 0,
        topology: str | networkx.Graph = "lan",
        hosts: Mapping[int, Starter] | None = None,
        starter: Starter | None = None,
        nodes: Nodes | None = None,
        observers: Iterable[Observer] = (),
        signatures: str = CACHED,
        verify_us: int = VERIFY_US,
        sign_us: int = SIGN_US,
        crypto: str = SEEDED,
        client_retry_ms: int = 2_000,
        keep_blocks: int = 0,
        start: bool = True,
        **settings: Any,
    ) -> None:
        self.n, self.followers, self.crypto = n, followers, crypto
        self.keep_blocks = keep_blocks  # By bare hosts, of those that are certified; 0 for all.
        super().__init__(seed)
        self.watching.add(observers)
        self.on_note: Callable[[int, Note], None] | None = None
        self.carrying: list[Callable[[int, str, bytes], None]] = []  # Told of all that a broker would see.
        self._subscribers: dict[str, Callable[[bytes], None]] = {}
        self.clients_cut = False  # Whether nothing reaches clients.
        self.random = {name: Random(f"{seed}/{name}") for name in ("network", "faults", "workload", "ids")}
        self.trace = self._trace.add
        self.members = range(n + followers)
        self._settings = settings
        self._starter = starter or (BareHost if nodes is None else NodeHost)
        self._streams: dict[str, Entropy] = {}
        self.nodes: Nodes | None = None
        self._found(nodes, signatures, verify_us, sign_us)
        graph = topologies.preset(topology, n + followers) if isinstance(topology, str) else topology
        links = topologies.Links.of(graph, n + followers)
        self.network = Network(links, self.random["network"], self.random["faults"])
        self.wire = Wire(self.network_id, self.signatures)
        self.topics = Topics(self.network_id)
        self._inboxes = {self.topics.inbox_of(replica): replica for replica in self.members}
        self._broadcasts = {self.topics.broadcast(replica): replica for replica in self.members}
        self.seats: list[Seat] = []
        self._places: dict[int, list[int]] = {replica: [] for replica in self.members}
        self.correct: set[int] = set(self.members) - set(hosts or {})
        for replica in self.members:
            self._add_seat(replica, (hosts or {}).get(replica, self._starter), replica in self.correct)
        self.clients = Clients(self, client_retry_ms)
        if start:
            for replica in self.members:
                self.start(replica)

    def _found(self, nodes: Nodes | None, mode: str, verify_us: int, sign_us: int) -> None:
        """Keys of everybody, and the id of the network."""
        if nodes is None:
            draw = self.entropy_of("keys")
            self.keys = [PartyKeys.generate(draw) for _ in self.members]
        else:
            assert (self.n, len(self.members)) == (nodes.network.n, len(nodes.keys)), "another network"
            assert not self._settings, "nodes have the rules of their network"
            self.keys = nodes.keys
        signing = [keys.signing for keys in self.keys]
        self.signatures = Signatures(mode, signing, verify_us=verify_us, sign_us=sign_us)
        if nodes is not None:
            self.nodes = nodes.charged(self.signatures)
            self.keys, self.network_id = self.nodes.keys, nodes.network.id
            return
        founding = encode([self.n, self.followers, [keys.signing.public.raw for keys in self.keys]])
        self.network_id = hashlib.sha256(b"privity/virtual/network\0" + founding).digest()

    def settings(self, replica: int) -> Settings:
        """The settings of one replica."""
        if self.nodes is not None:
            return self.nodes.network.settings(replica)
        return Settings(self.n, replica, **self._settings)

    def entropy_of(self, purpose: str) -> Entropy:
        """The stream of bytes for one purpose."""
        if purpose not in self._streams:
            self._streams[purpose] = entropy(self.crypto, self.seed, purpose)
        return self._streams[purpose]

    def _add_seat(self, replica: int, starter: Starter, correct: bool, like: int | None = None) -> Seat:
        place = len(self.seats)
        seat = Seat(
            self, place, replica, self.settings(replica), self.keys[replica], starter, correct=correct
        )
        self.seats.append(seat)
        self._places[replica].append(place)
        self.network.join(seat.inbox, like)
        return seat

    def add_twin(self, replica: int, starter: Starter | None = None, *, start: bool = True) -> int:
        """A second instance of a replica, with the same keys and a disk of its own; its place.

        Both are faulty from now on. They do not hear each other, unless a tap lets them.
        """
        self.correct.discard(replica)
        self.clients.distrust(replica)
        for place in self._places[replica]:
            self.seats[place].correct = False
        seat = self._add_seat(replica, starter or self._starter, False, like=self._places[replica][0])
        if start:
            self.start(seat.place)
        return seat.place

    # Processes.

    def start(self, place: int) -> None:
        """Bring a place up with what its disk holds, and nothing else."""
        seat = self.seats[place]
        assert seat.host is None, f"{place} is up"
        for call in self.watching.started:
            call(self.now_us, seat.replica_id)
        self.signatures.charged_us = 0
        seat.busy_us, seat.paused = self.now_us, False
        seat.due_us = NEVER
        self._forget_arrivals(seat)
        try:
            seat.host = seat.starter(seat)
            self._tick(seat)
            seat.host.flush()
        except Crash:
            self._crashed(seat)
        except BaseException as error:
            self._explain(error, seat)
            raise
        self._after_step(seat)

    def restart(self, place: int, *, wiped: bool = False) -> None:
        """Bring a place up again, with what its disk held, or with nothing."""
        if wiped:
            self.wipe(place)
        self.start(place)

    def stop(self, place: int) -> None:
        """Stop a place in good order."""
        seat = self.seats[place]
        if seat.host is not None:
            seat.host.close()
            self._down(seat, "stop")

    def crash(self, place: int, *, power_cut: bool = False) -> None:
        """Stop a place without a warning. A power cut takes with it what was not durable."""
        seat = self.seats[place]
        if seat.host is None:
            return
        self.happened["crash"] += 1
        if seat.crash(power_cut=power_cut):
            self.happened["records lost"] += 1
        self._down(seat, "power cut" if power_cut else "crash")

    def wipe(self, place: int) -> None:
        """Destroy the disk of a place that is down."""
        seat = self.seats[place]
        assert seat.host is None, f"{place} is up"
        assert self.nodes is None, "a node that lost its journal comes back under a new key only"
        self.happened["wiped"] += 1
        seat.records.wipe()

    def crash_at(self, place: int, effect: int, *, torn: bool = False) -> None:
        """Crash a place at its effect of this number from now on, 0 being the next; an append torn in two."""
        seat = self.seats[place]
        seat.crash_at = seat.effects + effect
        seat.crash_torn = torn

    def pause(self, place: int) -> None:
        """Let a process hang: what arrives waits, timers too."""
        self.seats[place].paused = True

    def resume(self, place: int) -> None:
        """Let it go on."""
        seat = self.seats[place]
        if seat.paused:
            seat.paused = False
            self._wake(seat, max(self.now_us, seat.busy_us))

    def skew(self, place: int, skew_ms: int) -> None:
        """Set a place's clock ahead of, or behind, the time of the world."""
        seat = self.seats[place]
        seat.skew_us = skew_ms * 1000
        if seat.host is not None and not seat.paused:
            self._wake(seat, max(self.now_us, seat.busy_us))

    def heal(self) -> None:
        """A network without faults, everybody up, on time and without crash points."""
        self.network.heal()
        for seat in self.seats:
            seat.crash_at = None
            seat.skew_us = 0
            self.resume(seat.place)
            if seat.host is None:
                self.start(seat.place)

    def close(self) -> None:
        """Stop everybody in good order: nodes have files open."""
        for seat in self.seats:
            self.stop(seat.place)

    def up(self, place: int) -> bool:
        """Whether a place runs."""
        return self.seats[place].host is not None

    # Time.

    def at(self, at_ms: int, action: Callable[[], None]) -> None:
        """Have something happen at a time, in milliseconds from the founding."""
        self.agenda.at(max(at_ms * 1000, self.now_us), action)

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Have something happen after a time."""
        self.agenda.at(self.now_us + delay_ms * 1000, action)

    def run_for(self, duration_ms: int, *, event_limit: int = EVENT_LIMIT) -> None:
        """Let everything happen that is due within this time."""
        end_us = self.now_us + duration_ms * 1000
        self._run(end_us, event_limit)
        self.now_us = end_us

    def run_until(
        self,
        condition: Callable[[], bool],
        limit_ms: int,
        *,
        event_limit: int = EVENT_LIMIT,
        every_us: int = 1000,
    ) -> None:
        """Let time pass until something is so, looked at every so often. Raises Stuck if it takes long."""
        end_us = self.now_us + limit_ms * 1000
        last = self.events + event_limit
        while not condition():
            if self.now_us >= end_us:
                raise Stuck(f"not within {limit_ms} ms: {self.describe()}")
            next_us = self.agenda.next_us
            until_us = min(max(self.now_us + every_us, end_us if next_us is None else next_us), end_us)
            self._run(until_us, last - self.events)
            self.now_us = until_us

    # What hosts do.

    def sent(self, seat: Seat, topic: str, data: bytes) -> None:
        """A place hands a packet to the network. It leaves when what led to it is computed."""
        to, now_us = self._inboxes.get(topic), self.now_us
        self.trace(b"s", now_us, seat.place, data)
        for call in self.watching.sent:
            call(now_us, seat.replica_id, to, data)
        for carry in self.carrying:
            carry(now_us, topic, data)
        leaves_us = now_us + self.signatures.charged_us
        if to is not None:
            for place in self._places[to]:
                if place != seat.place:
                    self.network.send(seat.place, place, data, leaves_us)
        elif topic in self._broadcasts or topic == self.topics.transactions:
            self.network.broadcast(seat.place, data, leaves_us)
        elif self.clients_cut:
            self.happened["sent to a client that is cut off"] += 1
        elif (subscriber := self._subscribers.get(topic)) is not None:
            self.agenda.at(leaves_us + self.network.client_delay_us(), partial(subscriber, data))
        else:
            self.happened["sent to nobody"] += 1

    def executed(
        self,
        seat: Seat,
        height: int,
        block: bytes,
        state_root: bytes,
        digest: bytes,
        requests: Sequence[bytes],
    ) -> None:
        """A place executed a batch."""
        self.trace(b"e", self.now_us, seat.place, b"%d " % height + block + state_root + digest)
        for call in self.watching.executed:
            call(self.now_us, seat.replica_id, height, block, state_root, digest)
        if seat.correct:
            self.clients.executed(seat.replica_id, requests)

    @property
    def trace_hash(self) -> str | None:
        """The hash of the run so far; None if its bytes are not the seed's."""
        return None if self.crypto == OS else self._trace.value

    # Clients.

    def subscribe(self, topic: str, deliver: Callable[[bytes], None]) -> None:
        """Let a client hear what replicas send to its topic."""
        self._subscribers[topic] = deliver

    def hear_faults(self) -> None:
        """From now on packets pass the injectors of the nodes that they are for."""
        self.network.listen(self._hear)

    def _hear(
        self, source: int, target: int, data: bytes, at_us: int, direct: bool
    ) -> Iterable[tuple[int, bytes]]:
        host = self.seats[target].host
        if not isinstance(host, NodeHost) or host.injector.idle:
            return ((0, data),)
        if direct:
            topic = self.topics.inbox_of(self.seats[target].replica_id)
        elif source == CLIENT:
            topic = self.topics.transactions
        else:
            topic = self.topics.broadcast(self.seats[source].replica_id)
        return host.injector.incoming(topic, data, at_us)

    def publish(self, topic: str, data: bytes) -> None:
        """A client hands over a packet: a transaction for all, or something for one replica's inbox."""
        for carry in self.carrying:
            carry(self.now_us, topic, data)
        to = self._inboxes.get(topic)
        if to is not None:
            for place in self._places[to]:
                self.network.send(CLIENT, place, data, self.now_us)
        elif topic == self.topics.transactions:
            self.network.broadcast(CLIENT, data, self.now_us)
        else:
            self.happened["sent to nobody"] += 1

    def request(self, *, valid_from: int = 1, valid_until: int = FOR_EVER, size: int = 100) -> Request:
        """A fresh request."""
        return self.clients.request(valid_from, valid_until, size)

    def submit(self, request: Request | None = None, *, to: Iterable[int] | None = None) -> bytes:
        """Give a request to everybody, or to some places, and again until enough replicas executed it."""
        return self.clients.submit(request or self.request(), to)

    # What can be seen.

    def all_done(self) -> bool:
        """Whether every correct replica executed every request that was submitted."""
        return not self.clients.unfinished

    def heights(self) -> dict[int, int]:
        """How far each place is."""
        return {seat.place: seat.height for seat in self.seats}

    def noted(self) -> Counter[str]:
        """What all correct replicas noted so far, without the normal case."""
        total: Counter[str] = Counter()
        for seat in self.seats:
            if seat.correct:
                total.update(seat.happened)
        return total

    def describe(self) -> str:
        """Where everybody stands, for what goes wrong."""
        down = [seat.place for seat in self.seats if seat.host is None]
        views = {
            seat.place: (replica.view, replica.active)
            for seat in self.seats
            if (replica := getattr(seat.host, "replica", None) or getattr(seat.host, "node", None))
        }
        return (
            f"seed {self.seed}, {self.now_us} µs, {self.events} events, heights {self.heights()}, "
            f"down {down}, "
            f"(view, active) {views}, unfinished {len(self.clients.unfinished)}, "
            f"{dict(self.happened)}, {dict(self.network.happened)}"
        )


__all__ = ["GENESIS_MS", "Stuck", "World"]
