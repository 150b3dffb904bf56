"""Where fresh bytes come from."""

from __future__ import annotations

from collections.abc import Callable

Entropy = Callable[[int], bytes]
"""Gives that many fresh bytes: os.urandom in the live world, a seeded stream in the virtual one."""
