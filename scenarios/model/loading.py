"""From a file to a scenario, or to everything that is wrong with it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from scenarios.model.document import ScenarioDocument
from scenarios.model.excerpts import Excerpts
from scenarios.model.names import expand
from scenarios.model.not_yet import NotYet, not_yet
from scenarios.model.problems import Problem, ScenarioInvalid
from scenarios.model.references import Known
from scenarios.model.refusals import problem_at, problem_of
from scenarios.model.resolving import resolve
from scenarios.model.scenario import Scenario
from scenarios.model.source import Path as YamlPath
from scenarios.model.source import Source, parse_source

MAX_FILE_BYTES = 1 << 20
MAX_EXCERPTS = 20
_ON_RECORD = ("disclose", "request", "consent", "revoke", "aggregate", "open", "purge")
_SUFFIXES = {".yaml", ".yml"}


def load_scenario(path: Path) -> Scenario:
    """Read, check and resolve a scenario file.

    Raises ScenarioInvalid (exit code 4) with all problems that one reading can find. No message of it holds
    anything that stands below `data:`, or in a place where a payload may have slipped to.
    """
    return parse_scenario(_read(path), str(path), default_name=path.stem)


def parse_scenario(text: str, file: str, default_name: str = "scenario") -> Scenario:
    """The same for text at hand. `file` is what messages call it."""
    source = parse_source(text, file)
    problems = [
        problem_at(source, fault.path, fault.span, "E-YAML", fault.message) for fault in source.faults
    ]
    unbuilt = not_yet(source)
    problems += [
        problem_at(source, it.path, it.span, "E-NOT-YET", f"known, but not built yet: {it.what}")
        for it in unbuilt
    ]
    identifiers = _default_identifiers(source)
    problems += _repeated_identifiers(source, identifiers) + _fields_without_value(source)
    faults = _doing(source, identifiers, "fault")
    replays = _doing(source, identifiers, "replay")
    others = {*faults, *replays}
    others.update(*(_doing(source, identifiers, kind) for kind in _ON_RECORD))
    known = Known(
        _party_names(source),
        tuple(name for name in identifiers if name not in others),
        _doing(source, identifiers, "load"),
        faults,
        replays,
        _doing(source, identifiers, "aggregate"),
        _seal_names(source),
    )
    document = None
    try:
        document = ScenarioDocument.model_validate(source.data, context=known)
    except ValidationError as error:
        # Not chained and without input: what pydantic was given holds payloads.
        details = error.errors(include_input=False, include_url=False)
        excerpts = Excerpts(source)
        found = [
            (problem_of(source, each, excerpts if number < MAX_EXCERPTS else None), each["type"])
            for number, each in enumerate(details)
        ]
        faulty = {fault.path for fault in source.faults}
        problems += [
            problem
            for (place, problem), kind in found
            if place not in faulty and not _covered(place, kind, unbuilt)
        ]
    if document is None or problems:
        raise ScenarioInvalid(file, problems)
    document.name = document.name or default_name
    for index, step in enumerate(document.steps):
        step.id = identifiers[index]
    scenario, problems = resolve(document, source)
    if problems:
        raise ScenarioInvalid(file, problems)
    return scenario


def _read(path: Path) -> str:
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, f"no such file{_near(path)}") from None
    except IsADirectoryError:
        raise _unreadable(file, "a folder; name the .yaml file in it") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "the name is impossible"
        raise _unreadable(file, f"cannot be read: {why}") from None
    if len(content) > MAX_FILE_BYTES:
        raise _unreadable(file, f"larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(file, "not a text in UTF-8") from None


def _unreadable(file: str, message: str) -> ScenarioInvalid:
    return ScenarioInvalid(file, [Problem("E-FILE", message)])


def _near(path: Path) -> str:
    try:
        names = sorted(each.name for each in path.parent.iterdir() if each.suffix in _SUFFIXES)
    except OSError:
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""


def _covered(place: YamlPath, kind: str, unbuilt: list[NotYet]) -> bool:
    """Whether a refusal only repeats, or follows from, that something is not built."""
    return any(
        place[: len(it.covers)] == it.covers or (kind == "missing" and place[:-1] == it.path[:-1])
        for it in unbuilt
    )


def _party_names(source: Source) -> tuple[str, ...]:
    parties = source.value(("parties",))
    return tuple(one for name in parties for one in expand(name)) if isinstance(parties, dict) else ()


def _seal_names(source: Source) -> tuple[str, ...]:
    seals = source.value(("seals",))
    return tuple(seals) if isinstance(seals, dict) else ()


def _default_identifiers(source: Source) -> list[str]:
    """The id of each step: its own, or what it does and its place among the steps."""
    steps = source.value(("steps",))
    identifiers = []
    for number, step in enumerate(steps if isinstance(steps, list) else [], start=1):
        fields = step if isinstance(step, dict) else {}
        given = fields.get("id")
        identifiers.append(given if isinstance(given, str) else f"{fields.get('do')}-{number}")
    return identifiers


def _doing(source: Source, identifiers: list[str], kind: str) -> tuple[str, ...]:
    """The ids of the steps of one kind."""
    return tuple(
        name for index, name in enumerate(identifiers) if source.value(("steps", index, "do")) == kind
    )


def _repeated_identifiers(source: Source, identifiers: list[str]) -> list[Problem]:
    problems = []
    for index, identifier in enumerate(identifiers):
        place: YamlPath = ("steps", index, "id")
        twins = [other for other, name in enumerate(identifiers) if name == identifier and other != index]
        if place in source.entries and any(
            other < index or ("steps", other, "id") not in source.entries for other in twins
        ):
            line = source.entries[("steps", twins[0])].value.line
            message = f"the step in line {line} has this id already"
            problems.append(problem_at(source, place, source.entries[place].value, "E-ID", message))
    return problems


def _fields_without_value(source: Source) -> list[Problem]:
    """In `data: {note: pay, and hurry}` YAML sees a field named `and hurry`: hardly what was meant."""
    found: dict[YamlPath, Problem] = {}
    message = "a field has no value; quote text that has a comma, or write null"
    for path, entry in source.entries.items():
        in_payload = len(path) > 3 and path[0] == "steps" and path[2] == "data"
        if in_payload and entry.in_braces and entry.bare and entry.key and path[:3] not in found:
            found[path[:3]] = problem_at(source, path[:3], entry.key, "E-PAYLOAD", message)
    return list(found.values())
