"""`privity init`, `check` and `schema`: writing a scenario and looking at it before anything starts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from node.errors import SCENARIO_INVALID, WRONG_USAGE, PrivityError
from node.terminal import needs_ascii
from node.text import did_you_mean, plain
from scenarios.model.checking import check_document, render_check
from scenarios.model.editing import with_settings
from scenarios.model.filled import filled
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.problems import ScenarioInvalid
from scenarios.model.schema import FILE_NAME, schema_text
from scenarios.verbs.asking_cli import written_by_answers

_NAME = re.compile(r"^name: .*$", re.MULTILINE)
SCHEMA_FILE = Path(".privity") / FILE_NAME


def templates() -> dict[str, str]:
    """The scenario files that come with Privity: name and text."""
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in sorted(files("scenarios").iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }


def _story(name: str, text: str) -> str:
    """What a scenario says about itself, else its first comment that is meant for people."""
    if about := parse_scenario(text, f"{name}.yaml").about:
        return about
    for line in text.splitlines():
        if line.startswith("# ") and not line.startswith("# yaml-language-server"):
            return line[2:]
    return ""


def init(
    template: Annotated[
        str, typer.Argument(help="See --list.", autocompletion=lambda: list(templates()))
    ] = "hello",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; TEMPLATE.yaml by default.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set a key: consensus.block_every=500ms, steps.ID.at=2s; may be repeated.",
        ),
    ] = None,
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Seven plain questions: a scenario and a sheet of requirements."),
    ] = False,
) -> None:
    """Write a scenario to begin with, and its JSON Schema for editors."""
    known = templates()
    if list_:
        width = max(map(len, known))
        for name, text in known.items():
            print(f"{name:<{width}}  {_story(name, text)}")
        return
    if ask:
        _write(written_by_answers(output))
        return
    if template not in known:
        near = did_you_mean(template, known)
        raise PrivityError(
            "E-TEMPLATE",
            f"no template named {template}" + (f"; {near}" if near else ""),
            next="privity init --list",
        )
    path = output or Path(f"{template}.yaml")
    text = _named(known[template], path.stem) if output is not None else known[template]
    if set_:
        text = with_settings(text, set_, str(path))
        parse_scenario(text, str(path), default_name=path.stem)  # Nothing is written that does not load.
    _write({path: text})


def _named(text: str, name: str) -> str:
    """The scenario under the name of its file, where that can be a name."""
    plain_word = re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name, re.ASCII)
    word = name if plain_word else json.dumps(name, ensure_ascii=False)
    named = _NAME.sub(lambda match: f"name: {word}", text, count=1)
    try:
        parse_scenario(named, name)
    except ScenarioInvalid:
        return text
    return named


def _write(texts: Mapping[Path, str]) -> None:
    """Write new files, the scenario first, and the schema beside them."""
    path = next(iter(texts))
    try:
        SCHEMA_FILE.parent.mkdir(exist_ok=True)
        SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError:
        raise PrivityError(
            "E-FILE",
            f"{path} is there already",
            why="init never overwrites",
            next="give another name with --output",
            exit_code=WRONG_USAGE,
        ) from None
    except OSError as error:
        raise PrivityError(
            "E-FILE",
            "the scenario cannot be written there",
            where=str(path),
            why=error.strerror or "",
            exit_code=WRONG_USAGE,
        ) from None
    scenario = next(iter(texts))
    print(f"wrote {' and '.join(map(str, texts))}")
    print(f"next: privity check {scenario} · privity run {scenario}")


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The scenario file.")],
    fill: Annotated[
        bool, typer.Option("--fill", help="Print the file with all defaults written out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One document, schema privity.check/1.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="No symbols beyond ASCII.")] = False,
) -> None:
    """Validate a scenario, and predict who will be able to read what. Starts nothing."""
    try:
        scenario = load_scenario(file)
    except ScenarioInvalid as error:
        if as_json:
            print(json.dumps(check_document(error), ensure_ascii=False))
            raise typer.Exit(SCENARIO_INVALID) from None
        raise
    if as_json:
        print(json.dumps(check_document(scenario), ensure_ascii=False))
    elif fill:
        print(filled(scenario), end="")
    else:
        simple = needs_ascii(sys.stdout, ascii_only)
        print(plain(render_check(scenario, simple), ascii_only=simple))


def schema() -> None:
    """Print the JSON Schema of scenario files."""
    print(schema_text(), end="")


def register(app: typer.Typer) -> None:
    """Mount the verbs."""
    app.command()(init)
    app.command()(check)
    app.command()(schema)
