"""The rules of the house that a walk over the imports can hold: one direction, and a pure core."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each package with those of ours that it may import; consensus <- node <- scenarios.
MAY_IMPORT = {
    "consensus": {"consensus"},
    "node": {"consensus", "node"},
    "scenarios": {"consensus", "node", "scenarios"},
}
OURS = {*MAY_IMPORT, "tests"}
IMPURE = {"asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets"}
IMPURE |= {"select", "selectors", "signal", "socket", "ssl", "structlog", "subprocess", "sys", "tempfile"}
IMPURE |= {"threading", "time", "uuid"}
IMPURE_CALLS = {"__import__", "breakpoint", "eval", "exec", "hash", "id", "input", "open", "print"}


def imports(source: str, package: str) -> Iterator[str]:
    """The full name of each module that a source of a package imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{package}.{node.module or ''}" if node.level else node.module or ""


def wrong_arrows(source: str, package: str) -> list[str]:
    """Which imports of a source point the wrong way."""
    tops = {name.split(".")[0] for name in imports(source, package)}
    return sorted((tops & OURS) - MAY_IMPORT[package])


def impurities(source: str) -> list[str]:
    """What a source uses that a pure module does not."""
    modules = {name.split(".")[0] for name in imports(source, "consensus")} & IMPURE
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return sorted(modules | calls & IMPURE_CALLS)


def sources(package: str) -> list[Path]:
    """All modules of a package."""
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    """consensus <- node <- scenarios, and nothing imports tests."""
    assert sources(package)
    assert {
        str(path): wrong for path in sources(package) if (wrong := wrong_arrows(path.read_text(), package))
    } == {}


def test_the_core_is_pure() -> None:
    """consensus/ knows no clock, file, socket, randomness, logger or event loop."""
    assert {
        str(path): found for path in sources("consensus") if (found := impurities(path.read_text()))
    } == {}


def test_the_core_needs_the_standard_library_and_msgspec_only() -> None:
    """Nothing else has to be trusted for what the replicas agree on."""
    allowed = {"__future__", "collections", "consensus", "dataclasses", "hashlib", "itertools", "msgspec"}
    allowed |= {"types", "typing"}
    for path in sources("consensus"):
        tops = {name.split(".")[0] for name in imports(path.read_text(), "consensus")}
        assert tops <= allowed, path


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import node.envelopes.keys", "consensus"),
        ("from scenarios import cli", "node"),
        ("def f():\n    from scenarios.cli import main", "node"),
        ("if TYPE_CHECKING:\n    import node", "consensus"),
        ("import tests.consensus", "scenarios"),
    ],
)
def test_a_wrong_arrow_is_found(source: str, package: str) -> None:
    """Wherever the import stands."""
    assert wrong_arrows(source, package) != []


@pytest.mark.parametrize(
    "source",
    [*(f"import {module}" for module in sorted(IMPURE)), "from os import path", "print(1)", "x = hash('a')"],
)
def test_an_impurity_is_found(source: str) -> None:
    """Each module and each call that the core must not use."""
    assert impurities(source) != []


@pytest.mark.parametrize("source", ["import consensus.slot", "from consensus import slot", "import hashlib"])
def test_a_right_arrow_is_let_through(source: str) -> None:
    """Later packages may use earlier ones."""
    assert wrong_arrows(source, "scenarios") == []
    assert impurities(source) == []
