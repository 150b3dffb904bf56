"""What `run` and `up` are told on the command line, checked before anything starts."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from node.errors import WRONG_USAGE, PrivityError
from scenarios.model.lints import lints
from scenarios.model.loading import load_scenario
from scenarios.model.plan import plan
from scenarios.model.scenario import Scenario
from scenarios.operating import Options
from scenarios.virtual.signatures import MODES

_ALWAYS = frozenset(("W-META", "W-UNSTATED"))  # Of nearly every file, and nothing that a run goes wrong by.


def load(file: Path, seed: int | None, transport: str | None, crypto: str | None = None) -> Scenario:
    """The scenario of a file, with what the command line says instead of it."""
    for option, word, words in (
        ("--transport", transport, ("mqtt", "memory")),
        ("--crypto", crypto, ("seeded", "os")),
    ):
        if word is not None and word not in words:
            raise PrivityError(
                "E-USAGE",
                f"no such {option.removeprefix('--')}",
                where=option,
                why=f"it is {' or '.join(words)}",
                exit_code=WRONG_USAGE,
            )
    scenario = load_scenario(file)
    given: dict[str, Any] = {"seed": seed, "transport": transport, "crypto": crypto}
    return dataclasses.replace(scenario, **{key: value for key, value in given.items() if value is not None})


def refuse_other_worlds(
    scenario: Scenario, options: Options, *, keep: bool, crypto: str | None = None
) -> None:
    """What means nothing in the world that this scenario runs in is a mistake, and not ignored."""
    refuse_mode(options.signatures)
    virtual = scenario.transport == "memory"
    live_only = {
        "--broker": options.broker is not None,
        "--broker-port": options.port is not None,
        "--in-process": options.in_process,
        "--keep": keep,
    }
    virtual_only = {
        "--trace": options.trace is not None,
        "--signatures": options.signatures != "cached",
        "--crypto": crypto is not None,
    }
    wrong = [option for option, given in (live_only if virtual else virtual_only).items() if given]
    if wrong:
        needs = "mqtt" if virtual else "memory"
        raise PrivityError(
            "E-USAGE",
            f"{wrong[0]} means nothing with transport: {scenario.transport}",
            where=wrong[0],
            why="there is no broker in the virtual world, and no virtual time in the live one",
            next=f"leave it out, or add --transport {needs}",
            exit_code=WRONG_USAGE,
        )


def warned(scenario: Scenario, file: Path) -> list[str]:
    """What `check` would have warned of, by its codes: a line, or none. A rule on everybody is no news."""
    codes = dict.fromkeys(warning.code for warning in lints(scenario, plan(scenario)))
    said = [code for code in codes if code not in _ALWAYS]
    more = f"privity check {shlex.quote(str(file))} says more"
    return [f"!          {' '.join(said)}     {more}"] if said else []


def refuse_mode(signatures: str) -> None:
    """Raise E-USAGE for what is no mode of signatures."""
    if signatures not in MODES:
        raise PrivityError(
            "E-USAGE",
            "no such mode of signatures",
            where="--signatures",
            why=f"it is {', '.join(MODES)}",
            exit_code=WRONG_USAGE,
        )


def refuse_unwritable(path: Path, option: str, *, replaced: bool = False) -> None:
    """Before anything starts: a run whose verdict cannot be written would be for nothing.

    What is `replaced` as a whole must be a file: a device by that name would be gone.
    """
    if replaced and path.exists() and not path.is_file():
        raise PrivityError("E-USAGE", "the file cannot be written there", where=option, why="it is no file")
    new = not path.exists()
    try:
        path.open("a").close()
        if new:
            path.unlink()  # Whatever goes wrong later leaves no empty file.
    except OSError as error:
        raise PrivityError(
            "E-USAGE", "the file cannot be written there", where=option, why=error.strerror or ""
        ) from None


def command_of(
    file: Path, options: Options, seed: int | None, transport: str | None, crypto: str | None
) -> str:
    """The command that repeats a run. A broker's password is not repeated."""
    parts = ["privity", "run", str(file)]
    if options.broker:
        parts += ["--broker", options.broker if "@" not in options.broker else "..."]
    parts += ["--seed", str(seed)] if seed is not None else []
    parts += ["--transport", transport] if transport is not None else []
    parts += ["--crypto", crypto] if crypto is not None else []
    parts += ["--signatures", options.signatures] if options.signatures != "cached" else []
    parts += ["--in-process"] if options.in_process else []
    return shlex.join(parts)
