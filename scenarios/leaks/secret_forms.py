"""The forms a secret may be found in: as it is, and as programs write bytes and text down."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

# Shorter ones would be met by chance, and in ordinary words.
SHORTEST_BYTES = 8


def patterns_of(value: bytes) -> dict[bytes, str]:
    """What to search for, and the name of the form each pattern stands for; one of two forms has the first's.

    `value` is the secret, a text in UTF-8, of at least SHORTEST_BYTES.
    """
    patterns: dict[bytes, str] = {}
    for form, write in FORMS.items():
        for pattern in write(value):
            patterns.setdefault(pattern, form)
    return patterns


def _raw(value: bytes) -> Iterator[bytes]:
    yield value


def _hex(value: bytes) -> Iterator[bytes]:
    yield value.hex().encode()
    yield value.hex().upper().encode()


def _base64(value: bytes) -> Iterator[bytes]:
    """What base64 of anything that has the value in it is bound to contain: one form for each place mod 3."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value)
        # A character holds 6 bits. Those that share bits with a neighbour, or are padding, tell nothing.
        first = (0, 2, 3)[before]
        last = len(encoded) - (0, 3, 2)[(before + len(value)) % 3]
        core = encoded[first:last]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def _json(value: bytes) -> Iterator[bytes]:
    text = _text(value)
    yield json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8")
    for written in (json.dumps(text)[1:-1], _every_unit_escaped(text)):
        for shown in (written, written.replace("/", "\\/")):
            yield shown.encode()
            yield re.sub(r"\\u([0-9a-f]{4})", lambda found: f"\\u{found[1].upper()}", shown).encode()


def _every_unit_escaped(text: str) -> str:
    units = text.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _python(value: bytes) -> Iterator[bytes]:
    yield repr(value)[2:-1].encode()
    yield repr(_text(value))[1:-1].encode("utf-8")


def _numbers(value: bytes) -> Iterator[bytes]:
    yield ", ".join(map(str, value)).encode()
    yield ",".join(map(str, value)).encode()


def _url(value: bytes) -> Iterator[bytes]:
    every = "".join(f"%{byte:02X}" for byte in value)
    for written in (quote(value), quote(value, safe=""), quote_plus(value), every):
        yield written.encode()
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), written).encode()


def _html(value: bytes) -> Iterator[bytes]:
    text = _text(value)
    yield html.escape(text, quote=False).encode("utf-8")
    yield html.escape(text).encode("utf-8")
    # As template engines write quotes.
    yield html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;").encode("utf-8")


def _utf16(value: bytes) -> Iterator[bytes]:
    for text in (_text(value), value.hex()):
        yield text.encode("utf-16-le")
        yield text.encode("utf-16-be")


def _text(value: bytes) -> str:
    """The text that the bytes are, or else the one with a character for each byte."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


FORMS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "raw": _raw,
    "hex": _hex,
    "base64": _base64,
    "json": _json,
    "python": _python,
    "numbers": _numbers,
    "url": _url,
    "html": _html,
    "utf-16": _utf16,
}
