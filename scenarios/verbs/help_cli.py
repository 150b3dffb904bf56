"""`privity explain` and `doctor`: what an error means, and whether this machine is fit."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from node.errors import CATALOGUE, CHECK_FAILED, SCENARIO_INVALID, WRONG_USAGE, PrivityError
from node.logs.event_names import EVENTS
from node.run_folder import privity_home
from node.terminal import needs_ascii
from node.text import did_you_mean, plain
from scenarios.processes.broker import find_mosquitto

FREE_BYTES = 200 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `doctor` looked at. What is not `needed` may be missing."""

    what: str
    good: bool
    needed: bool
    detail: str


def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="An E- or W-code, or an event's name.", autocompletion=lambda: list(CATALOGUE)),
    ] = None,
) -> None:
    """Say what an error, a warning or an event means, and what to do."""
    if code is None:
        for name, known in CATALOGUE.items():
            print(f"{name:<14} {known.title}")
        return
    if code in EVENTS:
        print(f"{code}: {EVENTS[code]}")
        return
    entry = CATALOGUE.get(code.upper())
    if entry is None:
        near = did_you_mean(code.upper(), CATALOGUE)
        raise PrivityError(
            "E-CODE",
            f"no code named {code}" + (f"; {near}" if near else ""),
            next="privity explain lists them all",
        )
    exit_code = f"   exit {entry.exit_code}" if code.upper().startswith("E-") else ""
    if entry.exit_code == SCENARIO_INVALID:
        exit_code += f" in a scenario file, {WRONG_USAGE} on the command line"
    print(f"{code.upper()}: {entry.title}{exit_code}\n\n{entry.text}")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One document, schema privity.doctor/1.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")] = False,
) -> None:
    """Look whether this machine can run a consortium."""
    findings = examine()
    fit = all(finding.good for finding in findings if finding.needed)
    if as_json:
        document = {"schema": "privity.doctor/1", "fit": fit, "findings": [asdict(one) for one in findings]}
        print(json.dumps(document, ensure_ascii=False))
    else:
        for finding in findings:
            mark = "✓" if finding.good else "✗" if finding.needed else "!"
            line = f"{mark} {finding.what:<12} {finding.detail}"
            print(plain(line, ascii_only=needs_ascii(sys.stdout, ascii_only)))
    raise typer.Exit(0 if fit else CHECK_FAILED)


def examine() -> list[Finding]:
    """What matters for a run, looked at now."""
    return [
        Finding("python", sys.version_info >= (3, 11), True, sys.version.split()[0]),
        _packages(),
        _loopback(),
        _disk(),
        _mosquitto(),
        Finding(
            "processors", (os.cpu_count() or 1) >= 2, False, f"{os.cpu_count()}; one node is one process"
        ),
        Finding(
            "keys",
            True,
            False,
            "this is a simulator: all parties' keys lie in the run folder, so --as asks for no password",
        ),
    ]


def _packages() -> Finding:
    names = ("aiomqtt", "amqtt", "cryptography", "msgspec", "pydantic", "structlog", "typer")
    try:
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    except metadata.PackageNotFoundError as missing:
        return Finding("packages", False, True, f"{missing.name} is not installed")
    return Finding("packages", True, True, versions)


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return Finding("loopback", True, True, "a port on 127.0.0.1 can be opened")
    except OSError as error:
        return Finding("loopback", False, True, f"no port on 127.0.0.1: {error.strerror}")


def _disk() -> Finding:
    home = privity_home().absolute()
    place = next((path for path in (home, *home.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    try:
        with tempfile.TemporaryFile(dir=place):
            writable = True
    except OSError:
        writable = False
    detail = f"{free >> 20} MiB free" if writable else "the folder for runs cannot be written"
    return Finding("disk", writable and free >= FREE_BYTES, True, detail)


def _mosquitto() -> Finding:
    path = find_mosquitto()
    detail = "found; --broker mosquitto uses it" if path else "not found; the embedded broker needs none"
    return Finding("mosquitto", path is not None, False, detail)


def register(app: typer.Typer) -> None:
    """Mount the verbs."""
    app.command()(explain)
    app.command()(doctor)
