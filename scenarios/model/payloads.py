"""What may be in a payload as the scenario writes it. No message of this module tells a key or a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.canonical import encode
from node.envelopes.fields import LEAF_LIMIT, flatten
from node.envelopes.payload import SALT_BYTES, Payload
from node.envelopes.rule import FREE, with_rule
from node.errors import PrivityError
from scenarios.model.objects import Writes, with_write
from scenarios.model.units import Range, UnitError, parse_range

FILLER = "filler"
# The random bytes that each run puts beside the fields, to look for wherever they must not be.
CANARY_FIELD = "_canary"


class PayloadError(ValueError):
    """Why a value cannot be a payload. `code` is E-PAYLOAD or E-LIMIT."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_payload(data: object, redisclose: str = FREE, writes: Writes | None = None) -> dict[str, Any]:
    """The payload itself, if a transaction can carry it with a canary, its rule, and what it writes.

    Raises PayloadError.
    """
    if not isinstance(data, dict):
        raise PayloadError("E-PAYLOAD", "a payload is a map of fields, as in {price: 10}")
    if any(key.startswith("_") for key in data):
        raise PayloadError("E-PAYLOAD", "a field whose name begins with _ is Privity's own")
    try:
        beside = {CANARY_FIELD: bytes(SALT_BYTES), **with_rule(with_write({}, writes), redisclose)}
        extra = len(flatten(beside))
        if len(flatten(data)) + extra > LEAF_LIMIT:
            own = "the canary is one" if extra == 1 else f"the canary and other words of Privity are {extra}"
            message = f"a payload has at most {LEAF_LIMIT} values, of which {own}"
            raise PayloadError("E-LIMIT", message)
        # As large as it will be when sealed. Which salts it has makes no difference to that.
        Payload.build({**data, **beside}, bytes).plaintext()
    except PrivityError as error:
        raise PayloadError(error.code, error.what) from None
    return data


def encoded_size(data: dict[str, Any]) -> int:
    """Bytes of the fields alone in MessagePack: without salts, canary and padding."""
    return len(encode(data))


def searched_texts(data: Mapping[str, Any]) -> list[str]:
    """The texts among the values that a canary scan searches for: those of 8 bytes and more."""
    return [value for value in _values(data) if isinstance(value, str) and len(value.encode()) >= 8]


def telling_words(data: Mapping[str, Any]) -> list[str]:
    """Values that no name holds by chance: searched texts, and whole numbers of 5 digits and more."""
    numbers = [value for value in _values(data) if isinstance(value, int) and abs(value) >= 10_000]
    return [*searched_texts(data), *map(str, numbers)]


def drawn_range(value: object) -> Range | None:
    """The numbers from which a load draws a field written `1000..900000`. Raises PayloadError when empty."""
    try:
        return parse_range(value)
    except UnitError:
        message = "a range in a payload goes from the smaller number to the larger one"
        raise PayloadError("E-PAYLOAD", message) from None


def _values(data: Mapping[str, Any]) -> list[object]:
    return [value for _, value in flatten(data)]
