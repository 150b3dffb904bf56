"""What an operator says to a node about its faults: one line of JSON each, and one line for an answer.

{"begin": {"id": "split", "kind": "partition", ...}} is answered by {"began": "split"}, {"count": "split"} by
{"counted": "split", "touched": 7} while it goes on, {"end": "split"} by {"ended": "split", "touched": 12},
{"heal": true} by {"healed": {"split": 12}}. What cannot be carried out is answered by {"error": "..."}, and
changes nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from node.faults.fault import NETWORK, Fault
from node.faults.injector import Injector
from node.text import clean

MAX_LINE = 64 << 10
WHY_LENGTH = 200


class _Command(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    begin: Fault | None = None
    end: str | None = None
    count: str | None = None
    heal: bool = False


class _Refused(Exception):
    """Why a command cannot be carried out."""


def answer(injector: Injector, line: bytes, now_us: int) -> dict[str, Any]:
    """Carry out one line; the answer to it. Never raises for what the line holds."""
    try:
        return _carry_out(injector, _decoded(line), now_us)
    except _Refused as refused:
        return {"error": str(refused)}


def _decoded(line: bytes) -> _Command:
    if len(line) > MAX_LINE:
        raise _Refused("the line is too long")
    try:
        command = msgspec.json.decode(line, type=_Command)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _Refused(clean(str(error))[:WHY_LENGTH]) from None
    words = (command.begin, command.end, command.count, command.heal or None)
    if sum(word is not None for word in words) != 1:
        raise _Refused("a line says one of begin, end, count and heal")
    return command


def _carry_out(injector: Injector, command: _Command, now_us: int) -> dict[str, Any]:
    if command.begin is not None:
        fault = command.begin
        if why := injector.flaw(fault):
            raise _Refused(why)
        injector.begin(fault, now_us)
        return {"began": fault.id}
    active = injector.active
    if command.end is not None:
        if command.end != NETWORK and command.end not in active:
            raise _Refused("no such fault is active")
        return {"ended": command.end, "touched": injector.end(command.end, now_us)}
    if command.count is not None:
        if command.count not in active:
            raise _Refused("no such fault is active")
        return {"counted": command.count, "touched": injector.touched[command.count]}
    injector.heal(now_us)
    return {"healed": {name: injector.touched[name] for name in active}}
