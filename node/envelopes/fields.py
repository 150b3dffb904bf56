"""A payload's fields as a user writes them, and the same as a flat list of leaves.

Fields are a map; its values are maps, lists and plain values, nested at most DEPTH_LIMIT deep. Each plain
value becomes one leaf with the path that leads to it: names for maps, positions from 0 for lists. An empty
map or list below the top has no value to stand for it, so it is a leaf itself, with `{}` or `[]` as value.

Plain values are None, booleans, integers of 64 bits with sign, finite floats (float64; 1.0 stays a float),
text that is valid UTF-8, and bytes. Leaves are sorted by path: names by their UTF-8 bytes, positions by
number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from node.errors import PrivityError

LEAF_LIMIT = 256
DEPTH_LIMIT = 8
NAME_LIMIT = 64
"""Characters of a field's name; at least one."""

Path = tuple[str | int, ...]
_PLAIN_NAME = re.compile(r"\w[\w-]*")
_LEAST, _MOST = -(2**63), 2**63 - 1


class _Branch(dict[str | int, Any]):
    """A map or list under construction, told apart from an empty map that is a value."""


def flatten(fields: Mapping[str, object]) -> list[tuple[Path, object]]:
    """The leaves of the fields, path and value, in their order.

    Raises PrivityError: E-PAYLOAD for what no payload can hold, E-LIMIT for too much of it. The message
    counts fields ("field 2.1" is the first below the second) and never quotes a name or a value.
    """
    if not isinstance(fields, Mapping):
        raise PrivityError(
            "E-PAYLOAD",
            f"a payload is a map of fields, not {_kind(fields)}",
            next="write it as names and values, for instance {price: 800}",
        )
    leaves: list[tuple[Path, object]] = []
    _walk(fields, (), (), leaves)
    return leaves


def nest(leaves: Sequence[tuple[Path, object]]) -> dict[str, Any]:
    """The fields that these leaves came from; maps and lists are new objects.

    Raises ValueError unless flattening would give exactly these leaves in this order.
    """
    top = _Branch()
    previous: Path = ()
    for path, value in leaves:
        branch = top
        for part in path[:-1]:
            branch = branch.setdefault(part, _Branch())
            if not isinstance(branch, _Branch):
                raise ValueError("a path leads through a value")
        if not path or path[-1] in branch:
            raise ValueError("a path is empty or comes twice")
        branch[path[-1]] = value
    fields = _close(top)
    if not isinstance(fields, dict):
        raise ValueError("the top is a list")
    for path, _ in leaves:
        # Siblings are known to be all names or all positions now, so that paths can be compared.
        if not previous < path:
            raise ValueError("the paths are not in order")
        previous = path
    return fields


def allowed(value: object) -> bool:
    """Whether a value that came out of the decoder may stand in a leaf."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return _LEAST <= value <= _MOST
    return value is None or isinstance(value, str | bytes) or (isinstance(value, dict | list) and not value)


def path_text(path: Path) -> str:
    """`terms.parts[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def field_text(path: Path) -> str:
    """The same with quotation marks around a name that could be misread."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _PLAIN_NAME.fullmatch(step) else json.dumps(step)
            text += f".{name}" if text else name
    return text


def lies_in(path: Path, name: str) -> bool:
    """Whether a path is the field of this name, as `field_text` writes it, or a part of it."""
    return any(field_text(path[:length]) == name for length in range(1, len(path) + 1))


def _walk(value: object, path: Path, place: tuple[int, ...], leaves: list[tuple[Path, object]]) -> None:
    if isinstance(value, Mapping) and (value or not path):
        _check_depth(path)
        as_written = enumerate(_names(value, place), 1)
        for number, name in sorted(as_written, key=lambda item: item[1]):
            _walk(value[name], (*path, name), (*place, number), leaves)
    elif isinstance(value, list | tuple) and value:
        _check_depth(path)
        for number, item in enumerate(value):
            _walk(item, (*path, number), (*place, number + 1), leaves)
    else:
        if len(leaves) == LEAF_LIMIT:
            raise PrivityError("E-LIMIT", f"a payload has at most {LEAF_LIMIT} leaves")
        leaves.append((path, _plain(value, place)))


def _check_depth(path: Path) -> None:
    if len(path) == DEPTH_LIMIT:
        raise PrivityError("E-LIMIT", f"a payload nests at most {DEPTH_LIMIT} levels deep")


def _names(fields: Mapping[Any, object], place: tuple[int, ...]) -> list[str]:
    names: list[str] = []
    for name in fields:
        if not isinstance(name, str):
            _refuse(f"a name below {_at(place)} is {_kind(name)}, not text", "quote the name")
        if not 1 <= len(name) <= NAME_LIMIT:
            raise PrivityError(
                "E-LIMIT", f"a name below {_at(place)} is not 1 to {NAME_LIMIT} characters long"
            )
        names.append(_text(name, place))
    if len(set(names)) != len(names):
        _refuse(f"a name below {_at(place)} comes twice", "give each field its own name")
    return names


def _plain(value: object, place: tuple[int, ...]) -> object:
    """The value in exactly the type that is encoded: loaders of YAML and the like give subclasses."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            _refuse(f"{_at(place)} is an integer of more than 64 bits", "write it as text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            _refuse(f"{_at(place)} is not a finite number", "leave it out or write it as text")
        return float(value)
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Mapping):
        return {}
    if isinstance(value, list | tuple):
        return []
    _refuse(
        f"{_at(place)} is {_kind(value)}", "a value is a map, a list, text, a number, true, false or null"
    )


def _text(text: str, place: tuple[int, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse(f"{_at(place)} is text that has no UTF-8 form", "remove the unpaired surrogate")
    return str.__str__(text)


def _close(branch: _Branch) -> dict[str, Any] | list[Any]:
    items = [_close(item) if isinstance(item, _Branch) else _fresh(item) for item in branch.values()]
    if all(isinstance(part, str) for part in branch):
        return dict(zip(branch, items, strict=True))  # type: ignore[arg-type]
    if list(branch) != list(range(len(branch))):
        raise ValueError("a list has gaps, or mixes names and positions")
    return items


def _fresh(value: object) -> object:
    return type(value)() if isinstance(value, dict | list) else value


def _at(place: tuple[int, ...]) -> str:
    return "payload field " + ".".join(map(str, place)) if place else "the payload"


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"


def _refuse(what: str, next: str) -> NoReturn:
    raise PrivityError("E-PAYLOAD", what, next=next)
