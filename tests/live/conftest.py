"""The `privity` command with a home of its own, for one test or for all of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.commands import HELLO, Privity


@pytest.fixture
def privity(tmp_path: Path) -> Iterator[Privity]:
    """The command; whatever the test leaves running is ended."""
    command = Privity(tmp_path)
    yield command
    command.kill_all()


@pytest.fixture(scope="module")
def hello_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Privity]:
    """hello.yaml, up in the background for all tests of a file, its steps played."""
    command = Privity(tmp_path_factory.mktemp("hello-up"))
    started = command.start("up", HELLO)
    try:
        started.says("The network stays up")
        yield command
    finally:
        command.kill_all()
