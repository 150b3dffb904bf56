"""A scenario file as text: plain values, and where in the file each of them stands.

The YAML is composed with ruamel's round-trip loader into its graph of nodes, whose marks give the start
and the end of every key and value (the loaded maps know the start only). Plain values are made from the
nodes here by YAML 1.2: `true` and `false` are booleans, `yes` and `2026-11-23` are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from node.text import clean
from scenarios.model.problems import Problem, ScenarioInvalid
from scenarios.model.syntax import too_deep, what_is_malformed

MAX_NODES = 100_000

_CORE = "tag:yaml.org,2002:"
# Resolved by shape alone and not part of YAML 1.2's core: text, as far as a scenario is concerned.
_TEXT = {f"{_CORE}{kind}" for kind in ("str", "timestamp", "merge", "value")}
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # What ruamel counts as the end of a line.
_INTEGER_BASES = {"0x": 16, "0o": 8, "0b": 2}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the file. Lines and columns count from 1; `end_column` is the first one behind it."""

    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, node: Node) -> Span:
        """The stretch that a node of the YAML graph was read from."""
        start, end = node.start_mark, node.end_mark
        return cls(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one value stands, and its key if it is a field of a map."""

    value: Span
    key: Span | None = None
    in_braces: bool = False  # A field of a map written {…}.
    bare: bool = False  # Nothing was written after the key: `key:` or, in {…}, only `key`.

    @property
    def place(self) -> Span:
        """Where to point: at the value, or at its key when nothing is written there."""
        return self.key if self.bare and self.key else self.value


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the YAML below `path`, at `span`, though it could be read."""

    path: Path
    span: Span
    message: str


@dataclass(slots=True)
class Source:
    """A file that is well-formed YAML with a map at its top."""

    file: str
    lines: list[str]
    data: dict[str, Any] = field(repr=False)  # Holds payloads.
    entries: dict[Path, Entry]
    faults: list[Fault] = field(default_factory=list)
    unread: list[Span] = field(default_factory=list)  # Behind a fault: in the file, and not in `data`.

    def nearest(self, path: Path) -> Entry:
        """The entry at `path`, or of the closest map or list around it (the place of something missing)."""
        while path not in self.entries:
            path = path[:-1]
        return self.entries[path]

    def value(self, path: Path) -> Any:
        """The plain value at `path`, or None where there is nothing."""
        value: Any = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def lines_by_path(self) -> Mapping[str, int]:
        """`{"steps[2].as": 37}`: the line of every key, or of the value where there is no key."""
        return {
            text_of(path): (entry.key or entry.value).line for path, entry in self.entries.items() if path
        }


def text_of(path: Path) -> str:
    """`steps[2].as`, as PRODUCT writes a place inside the YAML."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return clean(text.removeprefix("."))


def parse_source(text: str, file: str) -> Source:
    """Read YAML text. `file` is its name in messages. Raises ScenarioInvalid: E-YAML, E-LIMIT or E-TYPE."""
    try:
        root = YAML(typ="rt").compose(text)
    except RecursionError:
        raise ScenarioInvalid(file, [too_deep()]) from None
    except YAMLError as error:
        # Never chained: ruamel's message quotes the file, and with it perhaps a payload.
        raise ScenarioInvalid(file, [what_is_malformed(error, text)]) from None
    if root is None:
        raise ScenarioInvalid(
            file, [Problem("E-YAML", "the file is empty; `privity init hello` writes one to start from")]
        )
    reader = _Reader()
    try:
        data = reader.value(root, ())
    except RecursionError:
        raise ScenarioInvalid(file, [too_deep()]) from None
    except _TooMany:
        raise ScenarioInvalid(file, [Problem("E-LIMIT", f"more than {MAX_NODES} values")]) from None
    if not isinstance(data, dict):
        span = Span.of(root)
        message = "a scenario is a map, with keys such as privity:, parties: and steps: at the top"
        raise ScenarioInvalid(file, [Problem("E-TYPE", message, line=span.line, column=span.column)])
    return Source(file, _LINE_BREAK.split(text), data, reader.entries, reader.faults, reader.unread)


class _TooMany(Exception):
    """More values than any scenario needs: aliases can multiply a small file without end."""


class _Reader:
    """Walks the node graph once."""

    def __init__(self) -> None:
        self.entries: dict[Path, Entry] = {}
        self.faults: list[Fault] = []
        self.unread: list[Span] = []
        self._open: set[int] = set()

    def value(self, node: Node, path: Path, key: Node | None = None, in_braces: bool = False) -> Any:
        """The plain value of `node`; notes where it and all below it stand."""
        if len(self.entries) >= MAX_NODES:
            raise _TooMany
        bare = isinstance(node, ScalarNode) and node.style is None and not node.value and not node.anchor
        self.entries[path] = Entry(Span.of(node), Span.of(key) if key is not None else None, in_braces, bare)
        if id(node) in self._open:
            self._refuse(node, path, "an alias to a value that contains itself")
            return None
        self._open.add(id(node))
        try:
            return self._by_kind(node, path)
        finally:
            self._open.remove(id(node))

    def _by_kind(self, node: Node, path: Path) -> Any:
        kind = str(node.tag).removeprefix(_CORE)
        if isinstance(node, MappingNode) and kind == "map":
            return self._map(node, path)
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and (kind in ("null", "bool", "int", "float") or node.tag in _TEXT):
            return self._scalar(node, kind, path)
        self._refuse(node, path, "tags (words with !) are not used in a scenario")
        return None

    def _map(self, node: MappingNode, path: Path) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in node.value:
            name = _text_of(key)
            if name is None:
                self._refuse(key, path, "a key is plain text")
                self.unread += [Span.of(key), Span.of(value)]
                continue
            if name in fields:
                first = self.entries[(*path, name)].key
                assert first is not None
                self._refuse(key, (*path, name), f"this key was there already, in line {first.line}")
                self.unread.append(Span.of(value))
                continue
            fields[name] = self.value(value, (*path, name), key, bool(node.flow_style))
        return fields

    def _scalar(self, node: ScalarNode, kind: str, path: Path) -> Any:
        text = _text_of(node)
        try:
            if text is None:
                raise ValueError
            if kind == "null":
                return None
            if kind == "bool" and text.lower() in ("true", "false"):
                return text.lower() == "true"
            if kind == "int":
                return _integer(text)
            if kind == "float":
                return float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._refuse(node, path, "neither text nor a number that can be written down")
            return None
        return text

    def _refuse(self, node: Node, path: Path, message: str) -> None:
        self.faults.append(Fault(path, Span.of(node), message))


def _text_of(node: Node) -> str | None:
    """The text of a scalar, None for anything else and for text that has no UTF-8 form.

    JSON, which is YAML too, writes characters beyond 16 bits as two surrogates; YAML reads two characters.
    """
    try:
        return (
            str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
            if isinstance(node, ScalarNode)
            else None
        )
    except UnicodeDecodeError:
        return None


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    return sign * int(digits, _INTEGER_BASES.get(digits[:2], 10))
