"""The table of failure modes says what the tests say: it is complete, and nothing in it is made up."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]
TABLE = TESTS / "failure-modes.md"
OPEN = "not built yet"
WAIVED = "waived: node/DECISIONS.md, 36"
_NUMBER = re.compile(r"(?:\b|_)[Pp](0[1-9]|[1-4][0-9]|5[0-4])(?=\b|_)", re.ASCII)


class Row(NamedTuple):
    """One failure mode. `tests` are `file::name`, relative to tests/; none when it is not built."""

    number: str
    priority: str
    problem: str
    protection: str
    tests: tuple[str, ...]


def rows(text: str) -> list[Row]:
    """The rows of the table, in their order."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| P"):
            assert len(cells) == 5, line
            names = (
                ()
                if cells[4] in (OPEN, WAIVED)
                else tuple(part.strip("`") for part in cells[4].split("<br>"))
            )
            found.append(Row(*cells[:4], names))
    return found


def numbers_by_test(folder: Path) -> dict[str, set[str]]:
    """Each test function of the tree, with the failure modes that its name and docstring speak of."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                said = f"{node.name} {ast.get_docstring(node) or ''}"
                key = f"{file.relative_to(folder).as_posix()}::{node.name}"
                found[key] = {f"P{number}" for number in _NUMBER.findall(said)}
    return found


def differences(table: list[Row], tests: dict[str, set[str]]) -> list[str]:
    """Where table and tests contradict each other, in words."""
    stands = {(row.number, name) for row in table for name in row.tests}
    says = {(number, name) for name, numbers in tests.items() for number in numbers}
    wrong = [f"{number}: there is no {name}" for number, name in stands if name not in tests]
    wrong += [f"{name} does not name {number}" for number, name in stands - says if name in tests]
    wrong += [f"{name} is missing in the row of {number}" for number, name in says - stands]
    return sorted(wrong)


def test_each_failure_mode_has_its_row() -> None:
    """P-numbers 01 to 54 once each, in order, with a priority and words; open ones name no protection."""
    table = rows(TABLE.read_text())
    assert [row.number for row in table] == [f"P{number:02}" for number in range(1, 55)]
    for row in table:
        assert row.priority in ("A", "B", "C") and len(row.problem.split()) > 4, row
        assert (row.protection == "—") == (not row.tests), row


def test_the_table_and_the_tests_say_the_same() -> None:
    """Each named test exists and names the number; each test that names a number stands in that row."""
    assert differences(rows(TABLE.read_text()), numbers_by_test(TESTS)) == []


def test_what_protects_exists() -> None:
    """Every file that a row names is there."""
    for row in rows(TABLE.read_text()):
        for path in re.findall(r"[a-z_/]+\.py", row.protection):
            assert (TESTS.parent / path).is_file(), (row.number, path)


def test_a_table_that_lies_is_noticed() -> None:
    """A test that does not exist, one that names another number, and one left out are each told."""
    tests = {"a.py::test_one": {"P02"}, "a.py::test_two": set()}
    lying = [
        Row("P01", "A", "", "", ("a.py::test_two", "a.py::test_gone")),
        Row("P02", "A", "", "", ()),
    ]
    assert differences(lying, tests) == [
        "P01: there is no a.py::test_gone",
        "a.py::test_one is missing in the row of P02",
        "a.py::test_two does not name P01",
    ]
