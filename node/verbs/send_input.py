"""What a user gives to `send`: fields from `--set`, a map from a file or from standard input.

Whatever is wrong with it, no message quotes a part of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from node.envelopes.fields import flatten
from node.errors import WRONG_USAGE, PrivityError

MAX_BYTES = 1 << 20
STANDARD_INPUT = "-"


class _Constructor(SafeConstructor):
    """Plain values of YAML 1.2 alone: a date is text, as in scenario files."""


_Constructor.add_constructor(
    "tag:yaml.org,2002:timestamp", lambda constructor, node: constructor.construct_scalar(node)
)


def read_fields(settings: Sequence[str], data: str | None, stdin: BinaryIO) -> dict[str, Any]:
    """The payload: the map that `data` names (FILE, @FILE or `-`), and the `name=value` pairs beside it.

    Raises PrivityError E-PAYLOAD or E-LIMIT (wrong usage).
    """
    if data is None and not settings:
        raise _refused("there is nothing to send", "give --set name=value, or --data FILE")
    fields = {} if data is None else _read_map(data, stdin)
    for number, setting in enumerate(settings, 1):
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise _refused(f"--set number {number} is not name=value", "write --set price=10")
        if name in fields:
            raise _refused(f"the name of --set number {number} comes twice", "give each field once")
        fields[name] = scalar(value)
    if any(isinstance(name, str) and name.startswith("_") for name in fields):
        raise _refused("a field's name begins with _", "such names are Privity's own; choose another")
    flatten(fields)
    return fields


def scalar(text: str) -> str | int | float | bool | None:
    """A plain value of JSON if the text is one, else the text itself: `10` is a number, `"10"` is text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
        return text
    return value  # type: ignore[no-any-return]


def public_words(fields: dict[str, Any]) -> list[str]:
    """The values that stand in a name hardly by chance: texts and numbers of 4 characters and more."""
    words = [
        str(value)
        for _, value in flatten(fields)
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    ]
    return [word for word in words if len(word) >= 4]


def _read_map(data: str, stdin: BinaryIO) -> dict[str, Any]:
    try:
        if data == STANDARD_INPUT:
            content = stdin.read(MAX_BYTES + 1)
        else:
            with Path(data.removeprefix("@")).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(
            "the payload cannot be read", "name a file of JSON or YAML, or - for standard input",
            why=error.strerror or "",
        ) from None  # fmt: skip
    if len(content) > MAX_BYTES:
        raise PrivityError(
            "E-LIMIT", f"the payload's text has more than {MAX_BYTES >> 20} MiB", exit_code=WRONG_USAGE
        )
    value = _parsed(content)
    if not isinstance(value, dict):
        kind = "empty" if value is None else f"a {type(value).__name__}"
        raise _refused(f"a payload is a map of fields, and this is {kind}", "write {price: 10}, for instance")
    return value


def _parsed(content: bytes) -> object:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("the payload is not text in UTF-8", "convert it") from None
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _Twice:
        raise _refused("a name in the payload comes twice", "give each field once") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        pass
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" (line {mark.line + 1})" if mark is not None else ""
        raise _refused(
            f"the payload is neither JSON nor YAML{line}", "quote text with : or # in it"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except (YAMLError, ValueError, TypeError):
        raise _refused("the payload is neither JSON nor YAML", "write {price: 10}, for instance") from None


class _Twice(Exception):
    """A name came twice in one map of JSON."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice
    return found


def _too_deep() -> PrivityError:
    return PrivityError("E-LIMIT", "the payload nests too deep", exit_code=WRONG_USAGE)


def _refused(what: str, next: str, why: str = "") -> PrivityError:
    return PrivityError("E-PAYLOAD", what, where="", why=why, next=next, exit_code=WRONG_USAGE)
