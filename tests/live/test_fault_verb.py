"""`privity fault` and `privity why` on a network that is up: broken, explained and healed from outside."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from node.errors import CHECK_FAILED, FINE
from scenarios.faults.record import read
from tests.live.commands import Privity
from tests.waiting import wait_until

FILE = """\
privity: 1
name: broken
consensus: {block_every: 100ms, view_timeout: 1s}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {at: 1s, do: load, id: traffic, as: [bob, carol], to: random, rate: 5/s, for: 60s, data: {n: 1}}
expect:
  - {check: agreement}
"""


def height(privity: Privity) -> int:
    """How far the network is."""
    return max(node["height"] or 0 for node in privity("ps", "--json").json["nodes"])


def why(privity: Privity) -> dict[str, Any]:
    """What `privity why --json` says; whoever is missing makes it exit code 1."""
    said = privity("why", "--json")
    assert said.code == (FINE if said.json["well"] else CHECK_FAILED), said.text
    return dict(said.json)


@pytest.mark.mosquitto
def test_a_primary_is_crashed_explained_replaced_and_healed(privity: Privity) -> None:
    """Under load: theory says it continues, why names the fault, it does continue, and it heals."""
    file = privity.file(FILE)
    assert privity("up", "-d", file, "--broker", "mosquitto").code == FINE
    broken = privity("fault", "crash", "primary", "--for", "3s", "--id", "down", "--json")
    assert broken.code == FINE, broken.text
    (fault,) = broken.json["faults"]
    (primary,) = fault["nodes"]  # Not alice, if a slow start moved the view.
    assert (fault["state"], fault["touched"]) == ("on", 1)
    assert 2.9 <= fault["heals"] - fault["began"] <= 3.1
    assert broken.json["theory"]["text"].startswith("1 of 4 down: continues, after a view change")

    said = why(privity)
    (gone,) = said["missing"]
    assert (gone["node"], gone["how"], gone["fault"]) == (primary, "crashed", "down")
    assert (
        said["need"]["have"] == [name for name in ("alice", "bob", "carol", "dave") if name != primary]
        and "privity fault heal down" in said["next"]
    )
    before = height(privity)
    wait_until(lambda: height(privity) > before + 1)  # Without the primary, or with it: it goes on.

    wait_until(lambda: why(privity)["missing"] == [])
    listed = privity("fault", "list", "--json").json["faults"]
    assert [(each["id"], each["state"]) for each in listed] == [("down", "healed")]

    # What is wrong is refused as in a file, and nothing happens.
    assert "no party named alise; did you mean alice?" in privity("fault", "crash", "alise").refused(
        2, "E-PARTY"
    )
    assert "4 has no unit; write 4s" in privity("fault", "pause", "bob", "--for", "4").refused(
        2, "E-DURATION"
    )
    privity("fault", "crash", "bob", "--id", "down").refused(2, "E-ID")
    privity("fault", "heal", "down").refused(2, "E-FAULT")
    privity("fault", "list", "bob").refused(2, "E-USAGE")

    # Two against two stops it, correctly; healing all lets it go on.
    halves = privity("fault", "partition", "--groups", "alice,bob:carol,dave", "--id", "halves")
    assert "2 of 4 missing: stops, correctly" in halves.out
    stopped = why(privity)
    assert (stopped["state"], stopped["rule"]["correct"]) == ("stopped", True)
    assert {each["fault"] for each in stopped["missing"]} == {"halves"}
    healed = privity("fault", "heal", "--json").json["faults"]
    assert [(each["id"], each["state"]) for each in healed] == [("halves", "healed")]
    assert healed[0]["touched"] > 0
    before = height(privity)
    wait_until(lambda: height(privity) > before)

    run = privity.run
    assert privity("down").code == FINE
    privity.nothing_is_left()
    assert [(each.id, each.touched > 0) for each in read(run.faults)] == [("down", True), ("halves", True)]
    logged = [json.loads(line) for line in run.events.read_text().splitlines()]
    told = [(each["ev"], each["fault"]) for each in logged if each["ev"].startswith("fault.")]
    assert told.count(("fault.start", "down")) == 1 and told.count(("fault.end", "down")) == 1
    privity("fault", "crash", "bob").refused(5, "E-NOT-RUNNING")


def test_why_of_a_live_network(privity: Privity) -> None:
    """All is well; the primary was killed by somebody and no fault explains it; the broker is gone."""
    assert privity("why").refused(5, "E-NO-RUN")
    assert privity("up", "-d", "--no-steps", privity.file(FILE)).code == FINE
    well = privity("why")
    assert well.code == FINE
    assert well.out.startswith("All is well: nothing is pending, so no block is due. 4 of 4 voters are there")

    os.kill(privity.node_pid("alice"), signal.SIGKILL)
    wait_until(lambda: why(privity)["missing"] != [])
    said = privity("why")
    assert said.code == CHECK_FAILED
    assert "  down  alice: ended by itself at " in said.out and "  need  3 of 4 voters" in said.out
    assert "privity logs alice --level warn" in said.out

    broken = privity("fault", "broker-outage", "--for", "60s", "--id", "no-broker")
    assert "stops, correctly" in broken.out
    gone = why(privity)
    assert (gone["state"], gone["rule"]["correct"], gone["faults"]) == ("broker", True, ["no-broker"])
    assert gone["answer"].startswith("The broker does not answer.")
    assert privity("fault", "heal", "no-broker").code == FINE
    wait_until(lambda: why(privity)["state"] != "broker")

    # Nobody's fault: it is the broker all the same, and not every node at once.
    os.kill(privity.pid_of("embedded_broker"), signal.SIGKILL)
    killed = why(privity)
    assert (killed["state"], killed["faults"]) == ("broker", [])
    assert [each["how"] for each in killed["missing"]] == ["ended by itself"]
    assert privity("down").code == FINE
    privity.nothing_is_left()
    assert privity("why").out.startswith("Run 0001 ended at ")
