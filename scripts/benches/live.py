"""Private transactions per second on real processes and mosquitto, against what cryptography alone allows.

The floor is measured in the same run with bare calls of `cryptography`: the machine's cores divided by what
one transaction cannot do without: each voter's verify, one sign, a wrap for each slot of the bucket, an
unwrap for each reader and the sender, one AES. The ratio to it does not depend on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from node.envelopes.envelope import seal
from node.run_folder import RunFolder
from scenarios.live import LiveRun
from scenarios.model.loading import parse_scenario
from scenarios.operating import Options

VOTERS = 4
READERS = 2  # Beside the sender.
SLOTS = 4
TRANSACTIONS = 3000
WARM_UP = 200
GROUP = 20
OUTSTANDING = 30  # Groups that wait for their certificates at once.
PAYLOAD_BYTES = 512

SCENARIO = """
privity: 1
name: bench-live
network: {transport: mqtt, broker: mosquitto}
consensus: {block_every: 50ms}
parties: {a: {votes: true}, b: {votes: true}, c: {votes: true}, d: {votes: true}}
steps: [{at: 0s, do: send, id: first, as: a, to: [b], data: {ready: true}}]
expect: [{check: agreement}]
"""


def timed_us(work: Callable[[], object], rounds: int = 300) -> float:
    """The median time of one call, in microseconds of this thread's CPU."""
    times = []
    for _ in range(rounds):
        begin = time.thread_time_ns()
        work()
        times.append(time.thread_time_ns() - begin)
    return statistics.median(times) / 1000


def floor_us() -> dict[str, float]:
    """What the unavoidable operations of one transaction cost, in microseconds each."""
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    signing = ec.generate_private_key(ec.SECP256R1())
    public, message = signing.public_key(), os.urandom(400)
    signature = signing.sign(message, algorithm)
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    wrapping = x25519.X25519PrivateKey.generate()
    wrapping_public, key, info = wrapping.public_key(), os.urandom(32), os.urandom(48)
    wrapped = suite.encrypt(key, wrapping_public, info=info)
    aes, payload = AESGCM(key), os.urandom(1024)
    return {
        "verify_us": timed_us(lambda: public.verify(signature, message, algorithm)),
        "sign_us": timed_us(lambda: signing.sign(message, algorithm)),
        "wrap_us": timed_us(lambda: suite.encrypt(key, wrapping_public, info=info)),
        "unwrap_us": timed_us(lambda: suite.decrypt(wrapped, wrapping, info=info)),
        "aes_us": timed_us(lambda: aes.encrypt(bytes(12), payload, info)),
    }


def cpu_s(pids: list[int]) -> float:
    """User and system time that these processes have used so far, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Load:
    """Keeps a fixed number of transactions on their way, and times each from publishing to certificates."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._names = list(run.keys)
        self._next = 0
        self.finality_ms: list[float] = []

    async def group(self) -> None:
        """Seal and publish a group, and wait until both certificates of each are checked."""
        run, network = self._run, self._run.network
        begins: dict[bytes, float] = {}
        first = self._names[self._next % VOTERS]
        for _ in range(GROUP):
            place = self._next
            self._next += 1
            sender = self._names[place % VOTERS]
            readers = [self._names[(place + step) % VOTERS] for step in range(READERS + 1)]
            begin = time.monotonic()
            sealed = seal(
                {"number": place, "filler": os.urandom(PAYLOAD_BYTES // 2).hex()},
                readers=[run.keys[name].wrapping.public for name in readers],
                network=network.id,
                sender=sender,
                policy=network.policy_hash,
                valid_from=1,
                valid_until=network.rules.validity_window,
                signing_key=run.keys[sender].signing,
                entropy=os.urandom,
            )
            run.client.submit(sealed.transaction, sealed.blob)
            begins[sealed.transaction.id] = begin
            await asyncio.sleep(0)
        proofs = await run.client.certified(list(begins), (first, run.keys[first].signing), 60)
        assert len(proofs) == GROUP, f"{GROUP - len(proofs)} transactions were not certified within 60 s"
        end = time.monotonic()
        self.finality_ms += [(end - begin) * 1000 for begin in begins.values()]

    async def run(self, count: int) -> float:
        """Send this many; how many seconds it took."""
        begin = time.monotonic()
        left = iter(range(count // GROUP))

        async def worker() -> None:
            for _ in left:
                await self.group()

        await asyncio.gather(*(worker() for _ in range(OUTSTANDING)))
        return time.monotonic() - begin


async def measure(transactions: int, folder: Path) -> dict[str, Any]:
    """One run: start, warm up, load, stop. Figures with their units in their names."""
    os.environ["PRIVITY_HOME"] = str(folder)
    source = folder / "bench-live.yaml"
    source.write_text(SCENARIO)
    scenario = parse_scenario(SCENARIO, "bench-live.yaml")
    run = LiveRun(scenario, source, RunFolder.create(), Options(record=False), lambda kind, text: None)
    try:
        await run.start()
        load = Load(run)
        await load.run(WARM_UP)
        load.finality_ms.clear()
        pids = [*run.pids.values(), os.getpid()]
        before = cpu_s(pids)
        seconds = await load.run(transactions)
        cpu = cpu_s(pids) - before
        settled = await run.settle()
        statuses = await run.statuses()
    finally:
        await run.stop()
    assert settled and len({status.block for status in statuses.values()}) == 1, "the nodes do not agree"
    costs = floor_us()
    needed_us = (
        VOTERS * costs["verify_us"]
        + costs["sign_us"]
        + SLOTS * costs["wrap_us"]
        + (READERS + 1) * costs["unwrap_us"]
        + costs["aes_us"]
    )
    cores = len(os.sched_getaffinity(0))
    floor = cores / needed_us * 1e6
    rate = transactions / seconds
    quantiles = statistics.quantiles(load.finality_ms, n=100)
    return {
        "n": VOTERS,
        "transactions": transactions,
        "readers": READERS + 1,
        "payload_bytes": PAYLOAD_BYTES,
        "outstanding": OUTSTANDING * GROUP,
        "tx_per_s": round(rate, 1),
        "finality_ms_p50": round(quantiles[49], 1),
        "finality_ms_p99": round(quantiles[98], 1),
        "cpu_ms_per_tx": round(cpu / transactions * 1000, 3),
        "floor_tx_per_s": round(floor, 1),
        "ratio_to_floor": round(rate / floor, 3),
        **{name: round(value, 1) for name, value in costs.items()},
    }


def results(arguments: list[str]) -> list[dict[str, Any]]:
    """Measure, with `--transactions N` instead of the usual number."""
    count = TRANSACTIONS
    if arguments[:1] == ["--transactions"] and len(arguments) == 2 and arguments[1].isdigit():
        count = max(GROUP, int(arguments[1]) // GROUP * GROUP)
    elif arguments:
        sys.exit("usage: scripts/bench live [--json] [--transactions N]")
    with tempfile.TemporaryDirectory(prefix="privity-bench-") as folder:
        return [asyncio.run(measure(count, Path(folder)))]
