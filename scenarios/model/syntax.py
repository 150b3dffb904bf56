"""Malformed YAML in plain words. ruamel's own message is never shown: it may quote a payload."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from scenarios.model.problems import Problem
from scenarios.model.wording import in_columns

# The beginning of ruamel's problem -> what to say. The first that fits counts.
_WORDS = (
    ("found character '\\t'", "a tab; indentation is made of spaces"),
    ("found character", "a character that cannot begin a value; quote the text"),
    (
        "mapping values are not allowed",
        "a colon is not expected here; look at the indentation, or quote text that has a colon",
    ),
    ("found unexpected end of stream", "a quote is opened and never closed"),
    ("expected ',' or '}'", "a { is opened here and not closed as expected; a comma or } is missing"),
    ("expected ',' or ']'", "a [ is opened here and not closed as expected; a comma or ] is missing"),
    ("expected the node content", "a value is missing, or a bracket is not closed"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected '<document start>'", "the indentation does not fit the lines above"),
    ("could not find expected ':'", "a colon is missing after the key"),
    ("found undefined alias", "an alias (a word with *) to an anchor (a word with &) that is nowhere"),
    ("found duplicate anchor", "this anchor (a word with &) was there already"),
    ("found unknown escape", "a backslash with a meaning that YAML does not know; use single quotes"),
    ("but found another document", "a second document begins here; a scenario is one"),
)
# Problems that ruamel notices at the end of the file, and that are better shown where they begin.
_SHOWN_AT_THE_START = ("found unexpected end of stream", "expected ',' or")
# Nobody can tell the structure of a broken file, so a line is shown only if it begins with a key far from
# any payload, comes before the steps, and holds no address (which may hold a password).
_HARMLESS = re.compile(
    r"\s*(privity|name|about|seed|network|transport|consensus|protocol|block_every|view_timeout"
    r"|privacy|parties)\s*:"
)
_HARMFUL = re.compile(r"^\s*-|\b(steps|data|send|load)\b|://")


def too_deep() -> Problem:
    """Brackets in brackets, hundreds of them."""
    return Problem("E-LIMIT", "nested too deeply to be a scenario")


def what_is_malformed(error: YAMLError, text: str) -> Problem:
    """The problem of a text that is not YAML, with the line itself when it cannot hold a payload."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return Problem("E-YAML", "a control character; a scenario is plain text", "", line, column)
    assert isinstance(error, MarkedYAMLError), type(error)
    said = error.problem or ""
    message = next(
        (words for start, words in _WORDS if said.startswith(start)), "not valid YAML from here on"
    )
    mark = error.problem_mark
    if said.startswith(_SHOWN_AT_THE_START) and error.context_mark is not None:
        mark = error.context_mark
    line, column = mark.line + 1, mark.column + 1
    return Problem("E-YAML", message, "", line, column, _excerpt(text.splitlines(), line, column))


def _excerpt(lines: list[str], line: int, column: int) -> tuple[str, ...]:
    before = lines[:line]
    if line > len(lines) or not _HARMLESS.match(before[-1]) or any(map(_HARMFUL.search, before)):
        return ()
    return (f"{line:>7} | {in_columns(before[-1])}", f"{'':>7} | {'':>{column - 1}}^")
