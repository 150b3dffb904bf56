"""Whether the virtual world predicts the live one: one scenario in both, with latencies measured live.

While a scenario runs live, signed pings go to its nodes all the time. Half of a round trip, less the
signatures that the virtual world charges by itself, is what one hop takes here: broker, sockets, and the
node's own loop. The middle half of these becomes the `delay` of the virtual run. Compared are the medians of
the time to finality: from submission to the moment when f + 1 nodes have committed the block.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from consensus.quorum import weak_quorum
from node.logs.view import read_run_events
from node.run_folder import RunFolder
from scenarios.chains import read_chains
from scenarios.model.conditions import NetworkConditions
from scenarios.model.loading import load_scenario
from scenarios.model.scenario import Scenario
from scenarios.model.units import Range
from scenarios.operating import Operator, Options
from scenarios.session import Session, loop_of, new_folder
from scenarios.virtual.signatures import SIGN_US, VERIFY_US

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = ("hello.yaml", "trade.yaml", "seven-banks.yaml")
PING_S = 0.05
PING_LIMIT_S = 1.0


async def ping(run: Operator, hops_us: list[float]) -> None:
    """Ask one node after another where it stands, and note half of each round trip."""
    loop = asyncio.get_running_loop()
    for name in itertools.cycle(run.network.names):
        begin = loop.time()
        if await run.client.statuses([(name, run.keys[name].signing)], PING_LIMIT_S):
            hops_us.append((loop.time() - begin) * 1e6 / 2 - VERIFY_US - SIGN_US)
        await asyncio.sleep(PING_S)


async def played(scenario: Scenario, file: Path, home: Path, hops_us: list[float] | None) -> RunFolder:
    """The folder of a run of the scenario; pings go on during it if there is a list for them."""
    folder = new_folder(scenario, home=home)
    options = Options(broker=None if scenario.transport == "memory" else "mosquitto")
    session = Session(scenario, file, folder, options, lambda kind, text: None)
    async with session.running():
        pings = None if hops_us is None else asyncio.create_task(ping(session.run, hops_us))
        assert await session.play(), "the nodes did not come to rest"
        if pings is not None:
            pings.cancel()
    return folder


def finality_ms(folder: RunFolder, scenario: Scenario) -> list[float]:
    """For each transaction, from its submission to the commit of its block by f + 1 nodes."""
    enough = weak_quorum(len(scenario.voters))
    chains = read_chains(folder, list(scenario.voters))
    heights = {tx: height for chain in chains for tx, height in chain.executed.items()}
    commits: dict[int, list[int]] = defaultdict(list)
    for event in read_run_events(folder).events:
        if event["ev"] == "block.commit" and event["node"] in scenario.voters:
            commits[event["h"]].append(event["t"])
    return [sorted(commits[heights[label.tx]])[enough - 1] - label.t for label in folder.transactions()]


def in_loop(scenario: Scenario, work: Coroutine[Any, Any, RunFolder]) -> RunFolder:
    """Run in the loop of the scenario's world."""
    with asyncio.Runner(loop_factory=loop_of(scenario)) as runner:
        return runner.run(work)


def measured(file: Path, home: Path) -> dict[str, Any]:
    """One scenario in both worlds."""
    scenario = replace(load_scenario(file), transport="mqtt")
    hops_us: list[float] = []
    live = finality_ms(in_loop(scenario, played(scenario, file, home, hops_us)), scenario)
    low, middle, high = statistics.quantiles(hops_us, n=4)
    delay = Range(max(1, round(low)), max(1, round(high)))
    predicted = replace(scenario, transport="memory", conditions=NetworkConditions(delay_us=delay))
    virtual = finality_ms(in_loop(predicted, played(predicted, file, home, None)), predicted)
    medians = statistics.median(live), statistics.median(virtual)
    return {
        "scenario": scenario.name,
        "transactions": len(live),
        "pings": len(hops_us),
        "hop_us_p25": delay.low,
        "hop_us_p50": round(middle),
        "hop_us_p75": delay.high,
        "live_finality_ms_p50": medians[0],
        "virtual_finality_ms_p50": medians[1],
        "ratio": round(medians[1] / medians[0], 3),
    }


def results(arguments: list[str]) -> list[dict[str, Any]]:
    """One row for each scenario: those that come along without faults, or files that are named."""
    rows = []
    for name in arguments or [str(SCENARIOS / file) for file in FILES]:
        with tempfile.TemporaryDirectory(prefix="privity-calibrate-") as home:
            rows.append(measured(Path(name), Path(home)))
        print(f"{rows[-1]['scenario']} measured", file=sys.stderr)
    return rows
