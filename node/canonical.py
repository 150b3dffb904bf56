"""The one way in which Privity turns typed values into bytes and back: canonical MessagePack.

Every signed or hashed thing is a msgspec Struct with `array_like=True, frozen=True,
forbid_unknown_fields=True`, encoded by one encoder. One meaning has one encoding: msgspec by itself
accepts integers and headers wider than needed and repeated map keys, so `decode` refuses whatever does
not re-encode to the same bytes. The order of a map's keys is the one thing this cannot see, therefore no
wire type has a dict field.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[Any, msgspec.msgpack.Decoder[Any]] = {}  # One for each type that was ever asked for.


class DecodeError(ValueError):
    """Bytes that are not what they should be. `reason` is a fixed token; the input is never quoted.

    Reasons of this module: `size` (over the limit), `malformed` (not MessagePack, or cut short),
    `shape` (not of the expected type or out of a field's range), `not_canonical` (another encoding of
    the same value exists). Decoders of single formats add tokens of their own.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def encode(value: object) -> bytes:
    """The canonical encoding of a Struct or plain value that is known to be well formed.

    Encoding does not validate: a value from outside goes through `decode` or a constructor that checks.
    """
    return _ENCODER.encode(value)


def decode(target: type[T] | msgspec.msgpack.Decoder[T], data: bytes, limit: int) -> T:
    """The value of type `target` that `data` is the canonical encoding of.

    `target` is a type, or a ready Decoder (needed for a union). `limit` is in bytes and is looked at
    before anything else. Raises DecodeError and nothing else, whatever the bytes.
    """
    if len(data) > limit:
        raise DecodeError("size")
    decoder = target if isinstance(target, msgspec.msgpack.Decoder) else _decoder_of(target)
    try:
        value = decoder.decode(data)
        same = _ENCODER.encode(value) == data
    except msgspec.ValidationError:
        raise DecodeError("shape") from None
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError, TypeError):
        # Besides MsgspecError, msgspec lets out ordinary exceptions for text that is not UTF-8, nesting
        # without end, integers of more than 64 bits and map keys that cannot be hashed.
        raise DecodeError("malformed") from None
    if not same:
        raise DecodeError("not_canonical")
    return value


def _decoder_of(target: type[T]) -> msgspec.msgpack.Decoder[T]:
    if target not in _DECODERS:
        _DECODERS[target] = msgspec.msgpack.Decoder(target)
    return _DECODERS[target]
