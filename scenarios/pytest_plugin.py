"""A network as a pytest fixture, for tests of what may be read by whom.

    @pytest.mark.privity("tender.yaml", seed=7)
    def test_only_city_reads_the_bid(privity_net):
        tx = privity_net.send("acme", to=["city"], data={"price": 1})
        assert privity_net.readers(tx) == {"acme", "city"}

The network is up, in the virtual world unless the marker says `transport="mqtt"`. Its steps are not played
until the test calls `play()`. A coroutine test gets the form whose methods are awaited. The file is looked
for beside the test, then where pytest was started. A failing test tells how to repeat the run.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scenarios.network import BlockingNetwork, Network

MARKER = "privity"
_NETWORK = pytest.StashKey["Network"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "privity(file, **options): the scenario of the fixture privity_net; see Network.load"
    )


@pytest.fixture
def privity_net(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlockingNetwork | Network]:
    """The network that the marker of the test names, up."""
    # Only here: a session that has no such test does not pay for it.
    from scenarios.network import Network

    marker = request.node.get_closest_marker(MARKER)
    if marker is None or len(marker.args) != 1:
        raise pytest.UsageError(
            f"{request.node.nodeid}: privity_net needs a marker with the file of a scenario, as in "
            '@pytest.mark.privity("tender.yaml", seed=7)'
        )
    options: dict[str, Any] = {"transport": "memory", "home": tmp_path / "privity"} | marker.kwargs
    network = Network.load(_found(Path(marker.args[0]), request), **options)
    request.node.stash[_NETWORK] = network
    with network as blocking:
        yield network if inspect.iscoroutinefunction(request.function) else blocking


def _found(file: Path, request: pytest.FixtureRequest) -> Path:
    beside = request.path.parent / file
    return beside if beside.exists() else file


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tell how a run that failed can be repeated."""
    outcome: Any = yield
    report = outcome.get_result()
    network = item.stash.get(_NETWORK, None)
    if network is not None and report.when == "call" and report.failed:
        told = f"repeat  {network.repeat}\nrun     {network.folder.path}"
        report.sections.append(("privity", told))
