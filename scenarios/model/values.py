"""The kinds of value in a scenario file, each with its own refusal and its own piece of JSON Schema.

A validator refuses with `refusal(code, message)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from node.broker_url import BrokerUrl
from node.envelopes.object_write import MOST_VERSIONS, NAME_LIMIT, check_name
from node.errors import PrivityError
from node.text import did_you_mean
from scenarios.model.payloads import PayloadError, check_payload
from scenarios.model.units import (
    Range,
    Rate,
    UnitError,
    format_blocks,
    format_delay,
    format_duration,
    format_offset,
    format_percent,
    format_rate,
    format_size,
    parse_blocks,
    parse_delay,
    parse_duration,
    parse_offset,
    parse_percent,
    parse_range,
    parse_rate,
    parse_size,
)

MAX_LOAD = 100_000
MAX_BURST = 1000
MAX_TIMES = 1_000_000


def refusal(code: str, message: str) -> PydanticCustomError:
    """The error that a validator raises: its type is our code, its text our words."""
    # The text goes through the context because braces in a template mean something.
    return PydanticCustomError(code, "{message}", {"message": message})


def _in_units(parse: Callable[[object], Any]) -> PlainValidator:
    def validate(value: object) -> Any:
        try:
            return parse(value)
        except UnitError as error:
            raise refusal(error.code, str(error)) from None

    return PlainValidator(validate)


def _schema_of(kind: str, pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, "pattern": pattern, "examples": list(examples)})


_DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)? *(ms|s|m|min|h)$"

Duration = Annotated[
    int,
    _in_units(parse_duration),
    PlainSerializer(format_duration),
    _schema_of("string", _DURATION_PATTERN, "500ms", "12s"),
]
OptionalDuration = Annotated[
    int | None,
    _in_units(parse_duration),
    PlainSerializer(format_duration, when_used="unless-none"),
    _schema_of("string", _DURATION_PATTERN, "55s"),
]


def _lasting(value: object) -> int:
    if not (milliseconds := parse_duration(value)):
        raise UnitError("E-DURATION", "0s is no time at all; write it like 500ms or 12s")
    return milliseconds


Lasting = Annotated[
    int,
    _in_units(_lasting),
    PlainSerializer(format_duration),
    _schema_of("string", _DURATION_PATTERN, "500ms", "12s"),
]
OptionalLasting = Annotated[
    int | None,
    _in_units(_lasting),
    PlainSerializer(format_duration, when_used="unless-none"),
    _schema_of("string", _DURATION_PATTERN, "8s"),
]

_DELAY_PATTERN = r"^[0-9]+(\.[0-9]+)? *(ms|s|m)(\.\.[0-9]+(\.[0-9]+)? *(ms|s|m))?$"

Delay = Annotated[
    Range,
    _in_units(parse_delay),
    PlainSerializer(format_delay),
    _schema_of("string", _DELAY_PATTERN, "5ms", "5ms..20ms"),
]
OptionalDelay = Annotated[
    Range | None,
    _in_units(parse_delay),
    PlainSerializer(format_delay, when_used="unless-none"),
    _schema_of("string", _DELAY_PATTERN, "5ms", "5ms..20ms"),
]
Offset = Annotated[
    Range,
    _in_units(parse_offset),
    PlainSerializer(format_offset),
    _schema_of("string", r"^[+-][0-9]+(\.[0-9]+)? *(ms|s|m)$", "+3s", "-200ms"),
]

_PERCENT_PATTERN = r"^[0-9]+(\.[0-9]{1,3})? *%$"

Percent = Annotated[
    float,
    _in_units(parse_percent),
    PlainSerializer(format_percent),
    _schema_of("string", _PERCENT_PATTERN, "1%", "0.5%"),
]


def _chance(value: object) -> float:
    if not (chance := parse_percent(value)):
        raise UnitError("E-VALUE", "a chance of 0% does nothing; write it like 30%")
    return chance


Chance = Annotated[
    float,
    _in_units(_chance),
    PlainSerializer(format_percent),
    _schema_of("string", _PERCENT_PATTERN, "30%"),
]
_RATE_PATTERN = r"^[0-9]{1,6}/(s|m)$"

PacketRate = Annotated[
    Rate, _in_units(parse_rate), PlainSerializer(format_rate), _schema_of("string", _RATE_PATTERN, "200/s")
]
OptionalRate = Annotated[
    Rate | None,
    _in_units(parse_rate),
    PlainSerializer(format_rate, when_used="unless-none"),
    _schema_of("string", _RATE_PATTERN, "4/s", "90/m"),
]
OptionalSize = Annotated[
    int | None,
    _in_units(parse_size),
    PlainSerializer(format_size, when_used="unless-none"),
    _schema_of("string", r"^[0-9]{1,9}(B|KiB)$", "512B", "4KiB"),
]

OptionalBlocks = Annotated[
    int | None,
    _in_units(parse_blocks),
    PlainSerializer(format_blocks, when_used="unless-none"),
    _schema_of("string", r"^[0-9]{1,8} *blocks?$", "30 blocks"),
]


def _moment(value: object) -> int | str:
    return "end" if value == "end" else parse_duration(value)


TimeOrEnd = Annotated[
    int | Literal["end"],
    _in_units(_moment),
    PlainSerializer(lambda moment: moment if moment == "end" else format_duration(moment)),
    _schema_of("string", rf"^end$|{_DURATION_PATTERN}", "11s", "end"),
]


def _how_many(value: object) -> Range:
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value}..{value}"
    span = parse_range(value)
    if span is None or span.low < 1:
        raise UnitError("E-VALUE", "write how many readers are drawn, like 2 or 1..3")
    return span


HowMany = Annotated[
    Range,
    _in_units(_how_many),
    PlainSerializer(lambda span: span.low if span.low == span.high else f"{span.low}..{span.high}"),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 1, "pattern": r"^[0-9]+\.\.[0-9]+$"}),
]


def _whole(least: int, most: int) -> BeforeValidator:
    def validate(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise refusal("E-VALUE", f"a whole number from {least} to {most} is expected")

    return BeforeValidator(validate)


def _whole_schema(least: int, most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})


Seed = Annotated[int, _whole(0, 2**63 - 1), _whole_schema(0, 2**63 - 1)]
Burst = Annotated[int, _whole(1, MAX_BURST), _whole_schema(1, MAX_BURST)]
OptionalCount = Annotated[int | None, _whole(1, MAX_LOAD), _whole_schema(1, MAX_LOAD)]
OptionalHeight = Annotated[int | None, _whole(0, 2**53), _whole_schema(0, 2**53)]
OptionalPlace = Annotated[int | None, _whole(1, 2**53), _whole_schema(1, 2**53)]
OptionalTimes = Annotated[int | None, _whole(0, MAX_TIMES), _whole_schema(0, MAX_TIMES)]
Times = Annotated[int, _whole(1, MAX_TIMES), _whole_schema(1, MAX_TIMES)]


def _printable(text: str) -> str:
    if not all(character.isprintable() for character in text.rstrip("\n")):
        raise refusal("E-VALUE", "only printable text is allowed here")
    return text


Text = Annotated[str, AfterValidator(_printable)]


def _broker(value: str) -> str:
    if value in ("embedded", "mosquitto"):
        return value
    if "://" not in value:
        hint = did_you_mean(value, ("embedded", "mosquitto"))
        raise refusal("E-VALUE", f"not a broker; {hint or 'write embedded, mosquitto or mqtt://host:port'}")
    try:
        BrokerUrl.parse(value)
    except PrivityError as error:
        # Without the address itself: it may hold a password.
        raise refusal("E-VALUE", f"{error.what}: {error.why}") from None
    return value


Broker = Annotated[
    str,
    AfterValidator(_broker),
    _schema_of("string", "^(embedded|mosquitto|mqtts?://.+)$", "embedded", "mosquitto", "mqtt://host:1883"),
]


def _object_name(name: object) -> str:
    if not isinstance(name, str):
        raise refusal("E-TYPE", "an object is named by a text, like loan-17; quote a number")
    try:
        check_name(name)
    except PrivityError as error:
        raise refusal(error.code, f"{error.what}: {error.why}") from None
    return name


ObjectName = Annotated[
    str | None,
    PlainValidator(_object_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": NAME_LIMIT}),
]
Version = Annotated[int | None, _whole(0, MOST_VERSIONS - 1), _whole_schema(0, MOST_VERSIONS - 1)]


def expects_something(step: Any) -> Any:
    """`expects:` is about an object."""
    if step.expects is not None and step.object is None:
        raise refusal("E-MISSING", "expects needs object beside it: what has that version?")
    return step


def _payload(data: object) -> dict[str, Any]:
    try:
        return check_payload(data)
    except PayloadError as error:
        raise refusal(error.code, str(error)) from None


Payload = Annotated[dict[str, Any], PlainValidator(_payload), WithJsonSchema({"type": "object"})]
