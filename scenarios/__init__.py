"""A whole consortium from one file: the model of it, the worlds it runs in, the verdict, the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.network import Network

VERSION = "0.1.0"
__all__ = ["VERSION", "Network"]


def __getattr__(name: str) -> Any:
    """`from scenarios import Network`, without the cost of it for whoever wants another module."""
    if name != "Network":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scenarios.network import Network

    return Network
