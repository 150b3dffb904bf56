"""The Python interface: a consortium in a few lines, awaited or not, in both worlds."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from node.errors import PrivityError
from scenarios import Network
from scenarios.model.problems import ScenarioInvalid

FILE = """\
privity: 1
name: small
seed: 5
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
steps:
  - {at: 200ms, do: send, id: rent, as: alice, to: [bob], data: {note: "rent for the month of May"}}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, are: [alice, bob]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario of four parties."""
    path = tmp_path / "small.yaml"
    path.write_text(FILE)
    return path


def load(file: Path, **options: str) -> Network:
    """The network of the file in the virtual world, its run beside it."""
    return Network.load(file, transport="memory", home=file.parent / "home", **options)


async def test_who_was_named_reads_and_nobody_else(file: Path) -> None:
    """The first lines that anybody writes."""
    async with load(file) as net:
        tx = await net.send("alice", to=["bob"], data={"price": 1})
        assert await net.readers(tx) == {"alice", "bob"}
        assert tx.height is not None and tx.tx in net.block(tx.height).transactions
        assert net.block(tx.height).nodes == ("alice", "bob", "carol", "dave")


def test_the_same_without_async(file: Path) -> None:
    """`with` gives a network whose methods return when they are done."""
    with load(file) as net:
        tx = net.send("carol", to=[], data={"diary": "dear diary"}, id="diary")
        assert net.readers("diary") == {"carol"} == net.readers(tx)
        matrix = net.matrix()
        assert matrix.row("diary").cells["broker"].symbol == "○"
        assert "diary" in str(matrix) and '<th scope="row">diary</th>' in matrix._repr_html_()


async def test_the_steps_of_the_file_are_played_when_asked(file: Path) -> None:
    """And judged as `privity run` judges them."""
    async with load(file) as net:
        assert "rent" not in net.matrix()
        await net.play()
        judged = await net.judge()
    assert judged.document["verdict"] == "pass"


async def test_a_primary_that_crashed_is_replaced_and_comes_back(file: Path) -> None:
    """A fault begins now, heals by itself, and touched somebody."""
    async with load(file) as net:
        await net.send("alice", to=["bob"], data={"price": 1})
        record = await net.fault("crash", nodes=["primary"], for_="3s")
        assert record.nodes == ("alice",) and record.touched == 1
        await net.send("bob", to=["carol"], data={"price": 2})
        await net.wait_for(view=1)
        await net.wait_for(seconds=3)
        tx = await net.send("carol", to=["alice"], data={"price": 3})
        assert await net.readers(tx) == {"alice", "carol"}
        assert net.block(3).nodes == ("alice", "bob", "carol", "dave")


async def test_what_is_healed_early_is_healed(file: Path) -> None:
    """`heal` ends all faults that are on, and tells what they touched."""
    async with load(file) as net:
        await net.fault("partition", nodes=["alice", "bob"], id="split")
        with pytest.raises(PrivityError) as stopped:
            await net.send("alice", to=["bob"], data={"price": 1}, wait_s=3)
        assert stopped.value.code == "E-UNCONFIRMED"
        (record,) = await net.heal()
        assert record.id == "split" and record.touched > 0 and not record.active
        tx = await net.send("alice", to=["bob"], data={"price": 2})
        assert await net.readers(tx) == {"alice", "bob"}


async def test_a_view_that_cannot_come_says_why(file: Path) -> None:
    """An idle network keeps a dead primary; with something that waits, the error does not claim that."""
    async with load(file) as net:
        await net.fault("crash", nodes=["primary"])
        with pytest.raises(PrivityError, match="not within 3 s: view 1") as idle:
            await net.wait_for(view=1, within_s=3)
        assert idle.value.why.endswith("an idle network keeps its primary")
        await net.send("bob", to=["carol"], data={"price": 2}, wait_s=0)
        with pytest.raises(PrivityError) as waiting:
            await net.wait_for(view=9, within_s=1)
        assert "idle" not in waiting.value.why


async def test_mistakes_are_errors_with_hints(file: Path) -> None:
    """The same codes as on the command line."""
    async with load(file) as net:
        for kind, fields, code in (
            ("krash", {"nodes": ["alice"]}, "E-VALUE"),
            ("crash", {"nodes": ["alise"]}, "E-PARTY"),
            ("crash", {}, "E-MISSING"),
            ("loss", {"nodes": ["alice"], "chance": "30"}, "E-VALUE"),
        ):
            with pytest.raises(PrivityError) as refused:
                await net.fault(kind, **fields)
            assert refused.value.code == code, kind
        with pytest.raises(PrivityError, match="no party named alise; did you mean alice") as nobody:
            await net.send("alise", to=[], data={"a": 1})
        shown = "".join(traceback.format_exception(nobody.value))
        assert "  why   there are alice, bob, carol, dave\n" in shown
        with pytest.raises(PrivityError, match="cannot be a payload"):
            await net.send("alice", to=[], data={"a": object()})
        with pytest.raises(PrivityError, match="not within"):
            await net.wait_for(height=1000, within_s=1)
    with pytest.raises(ScenarioInvalid):
        Network.load(file.with_name("nowhere.yaml"))


@pytest.mark.mosquitto
def test_the_live_world_is_used_alike(file: Path) -> None:
    """Real processes on a real broker, from the same lines."""
    with Network.load(file, broker="mosquitto", home=file.parent / "home") as net:
        tx = net.send("alice", to=["bob"], data={"price": 1})
        assert net.readers(tx) == {"alice", "bob"}
