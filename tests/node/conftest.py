"""What several tests of node/ need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def set_umask() -> Iterator[Callable[[int], int]]:
    """Sets the umask; the old one is back after the test."""
    before = os.umask(0o022)
    os.umask(before)
    yield os.umask
    os.umask(before)
