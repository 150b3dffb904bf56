"""Whether the virtual world predicts the live one: one scenario in both, with latencies measured live.

The log of the live run tells for each block when its primary proposed it and when each of the others had the
proposal: what one hop takes here, with disk, broker, sockets, decoding, and the cores that all nodes share.
The middle eight tenths of these, less the signatures that the virtual world charges by itself, become the
`delay` of the virtual run. Compared are the medians of the time to finality: from submission to the moment
when f + 1 nodes have committed the block.
"""

from __future__ import annotations

import asyncio
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
from scenarios.operating import Options
from scenarios.session import Session, loop_of, new_folder
from scenarios.virtual.signatures import SIGN_US, VERIFY_US

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = (
    Path(__file__).with_name("four-traders.yaml"),
    SCENARIOS / "trade.yaml",
    SCENARIOS / "seven-banks.yaml",
)
ENOUGH = 40  # Transactions; a median of three says little.


def hops_us(folder: RunFolder, scenario: Scenario) -> list[float]:
    """How long each proposal took from the primary to each of the others."""
    proposed: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for event in read_run_events(folder).events:
        if event["ev"] == "pbft.pre_prepare" and event["node"] in scenario.voters:
            proposed[event["h"], event["v"]].setdefault(event["node"], event["t"])
    found = []
    for (_, view), seen in sorted(proposed.items()):
        sent = seen.pop(scenario.voters[view % len(scenario.voters)], None)
        if sent is not None:
            found += [(t - sent) * 1000.0 - VERIFY_US - SIGN_US for t in seen.values()]
    return found


async def played(scenario: Scenario, file: Path, home: Path) -> RunFolder:
    """The folder of a run of the scenario."""
    folder = new_folder(scenario, home=home)
    options = Options(broker=None if scenario.transport == "memory" else "mosquitto")
    session = Session(scenario, file, folder, options, lambda kind, text: None)
    async with session.running():
        assert await session.play(), "the nodes did not come to rest"
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
    """One scenario in both worlds, each as often as it takes to see enough transactions."""
    scenario = replace(load_scenario(file), transport="mqtt")
    live: list[float] = []
    hops: list[float] = []
    runs = 0
    while len(live) < ENOUGH:
        folder = in_loop(scenario, played(scenario, file, home))
        live += finality_ms(folder, scenario)
        hops += hops_us(folder, scenario)
        runs += 1
    tenths = statistics.quantiles(hops, n=10)
    low, middle, high = tenths[0], tenths[4], tenths[8]
    delay = Range(max(1, round(low)), max(1, round(high)))
    virtual: list[float] = []
    for again in range(runs):
        predicted = replace(
            scenario,
            transport="memory",
            seed=scenario.seed + again,
            conditions=NetworkConditions(delay_us=delay),
        )
        virtual += finality_ms(in_loop(predicted, played(predicted, file, home)), predicted)
    medians = statistics.median(live), statistics.median(virtual)
    return {
        "scenario": scenario.name,
        "runs": runs,
        "transactions": len(live),
        "hops": len(hops),
        "hop_us_p10": delay.low,
        "hop_us_p50": round(middle),
        "hop_us_p90": delay.high,
        "live_finality_ms_p50": medians[0],
        "virtual_finality_ms_p50": medians[1],
        "ratio": round(medians[1] / medians[0], 3),
    }


def results(arguments: list[str]) -> list[dict[str, Any]]:
    """One row for each scenario: those that come along without faults, or files that are named."""
    rows = []
    for name in arguments or FILES:
        with tempfile.TemporaryDirectory(prefix="privity-calibrate-") as home:
            rows.append(measured(Path(name), Path(home)))
        print(f"{rows[-1]['scenario']} measured", file=sys.stderr)
    return rows
