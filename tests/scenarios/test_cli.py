"""The verbs that need no network: help, explain, doctor, schema, init, check; and every refusal by name."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.main

from node.errors import (
    CATALOGUE,
    CHECK_FAILED,
    FINE,
    INTERRUPTED,
    NOT_ALLOWED,
    NOT_REACHABLE,
    SCENARIO_INVALID,
    UNCONFIRMED,
    WRONG_USAGE,
)
from node.logs.event_names import EVENTS
from scenarios import VERSION, cli
from scenarios.model.editing import with_settings
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.scenario import Load
from scenarios.verbs import help_cli
from scenarios.verbs.file_cli import templates
from tests.command_line import Outcome, Privity

ROOT = Path(__file__).parents[2]
BUILT = ["init", "check", "up", "run", "down", "ps", "send", "disclose", "request", "show"]
BUILT += ["consent", "revoke", "purge", "aggregate"]
BUILT += ["open", "challenge"]
BUILT += ["who-sees", "logs"]
BUILT += ["explain", "doctor", "schema", "core-shell", "replay", "shrink", "why", "fault", "report"]
PLANNED = ["console", "export", "fork", "map"]
PLANNED += ["ui", "verify", "watch"]
HELLO = str(ROOT / "scenarios" / "hello.yaml")

# Flags that PRODUCT knows and this version refuses by name.
FLAGS_NOT_BUILT = [
    ("up", HELLO, "--open"),
    ("show", "tx", "rent", "--svg", "x.svg"),
]


@pytest.fixture
def say(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Outcome]]:
    """A command in an empty directory, with a home of its own."""
    monkeypatch.chdir(tmp_path)
    yield lambda *arguments: privity(tmp_path / "home", *arguments)


def verbs() -> dict[str, typer.core.TyperCommand]:
    return typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def test_help_lists_what_is_built(say: Callable[..., Outcome]) -> None:
    """--help lists the built verbs, each with a sentence, and none that is not built."""
    said = say("--help")
    assert said.code == FINE
    listed = re.findall(r"^  ([a-z-]+)  +\S", said.out.split("Commands:")[1], re.M)
    assert sorted(BUILT) == sorted(listed)
    assert set(BUILT) | set(PLANNED) == set(verbs())


@pytest.mark.parametrize("verb", BUILT)
def test_every_verb_helps(say: Callable[..., Outcome], verb: str) -> None:
    """--help of each verb says what it does, and something of every flag that it shows."""
    said = say(verb, "--help")
    assert (said.code, said.err) == (FINE, "")
    assert said.out.startswith(f"Usage: privity {verb} ") and "Not built" not in said.out
    for parameter in verbs()[verb].params:
        if not getattr(parameter, "hidden", False):
            assert getattr(parameter, "help", ""), f"{verb} {parameter.name} has no help"


@pytest.mark.parametrize("verb", PLANNED)
def test_verbs_that_are_not_built(say: Callable[..., Outcome], verb: str) -> None:
    """A verb that is planned is refused by name with exit code 2, whatever stands behind it."""
    said = say(verb, "x", "--as", "bolt", "--json")
    assert (said.code, said.out) == (WRONG_USAGE, "")
    assert said.err.splitlines()[0].startswith(f"✗ privity {verb}  {verb} (")
    assert said.err.splitlines()[0].endswith(") is not built yet   E-NOT-YET")


@pytest.mark.parametrize("arguments", FLAGS_NOT_BUILT, ids=lambda a: " ".join(a[-2:]).replace(HELLO, ""))
def test_flags_that_are_not_built(
    say: Callable[..., Outcome], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A flag that is planned is refused by name with exit code 2, before anything is made or looked for."""
    said = say(*arguments)
    assert (said.code, said.out) == (WRONG_USAGE, "")
    assert said.err.splitlines()[0].endswith("is not built yet   E-NOT-YET")
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_verb_or_flag(say: Callable[..., Outcome]) -> None:
    """What no verb is called suggests the nearest one; so does a flag. Exit code 2."""
    for arguments, nearest in (
        (("whosees",), "who-sees"),
        (("dwon",), "down"),
        (("check", HELLO, "--asci"), "--ascii"),
    ):
        said = say(*arguments)
        assert said.code == WRONG_USAGE and nearest in said.err, said.err


def test_version(say: Callable[..., Outcome]) -> None:
    """--version prints the name and the version."""
    assert (FINE, f"privity {VERSION}\n") == (say("--version").code, say("--version").out)


# Errors.


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_explained(say: Callable[..., Outcome], code: str) -> None:
    """`explain CODE` gives title, exit code and text, in lines that fit a terminal, in any case."""
    said = say("explain", code.lower())
    entry = CATALOGUE[code]
    head = f"{code}: {entry.title}" + (f"   exit {entry.exit_code}" if code.startswith("E-") else "")
    if entry.exit_code == SCENARIO_INVALID:
        head += " in a scenario file, 2 on the command line"
    assert (FINE, f"{head}\n\n{entry.text}\n") == (said.code, said.out)
    assert all(len(line) <= 110 for line in said.out.splitlines())


def test_explain_lists_all_and_knows_events(say: Callable[..., Outcome]) -> None:
    """Without a code all are listed; an event's name is explained too; an unknown code names the nearest."""
    assert list(CATALOGUE) == [line.split()[0] for line in say("explain").out.splitlines()]
    assert say("explain", "pbft.prepared").out == f"pbft.prepared: {EVENTS['pbft.prepared']}\n"
    said = say("explain", "E-BROKR")
    assert said.code == WRONG_USAGE and "no code named E-BROKR; did you mean E-BROKER? " in said.err


def test_the_catalogue_is_in_order() -> None:
    """Errors in alphabetical order, then warnings; each with an exit code that there is."""
    errors = [code for code in CATALOGUE if code.startswith("E-")]
    warnings = [code for code in CATALOGUE if code.startswith("W-")]
    assert [*errors, *warnings] == list(CATALOGUE)
    assert (sorted(errors), sorted(warnings)) == (errors, warnings)
    known = {CHECK_FAILED, WRONG_USAGE, UNCONFIRMED, SCENARIO_INVALID, NOT_REACHABLE, NOT_ALLOWED}
    assert {CATALOGUE[code].exit_code for code in errors} <= known
    assert {FINE} == {CATALOGUE[code].exit_code for code in warnings}
    assert INTERRUPTED == 130


def codes_in_the_source() -> dict[str, set[str]]:
    """Every text that is an E- or W-code by itself, and the files it stands in, except the catalogue's."""
    found: dict[str, set[str]] = {}
    for path in sorted(
        path for room in ("consensus", "node", "scenarios") for path in (ROOT / room).rglob("*.py")
    ):
        if path.parent.name == "catalogue":
            continue
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                for code in re.findall(r"^[EW]-[A-Z]+(?:-[A-Z]+)*$", part.value):
                    found.setdefault(code, set()).add(path.name)
    return found


def test_every_code_used_is_in_the_catalogue_and_the_other_way_round() -> None:
    """No message ends in a code that `explain` does not know, and it explains none that nobody uses."""
    assert set(CATALOGUE) == set(codes_in_the_source())


# Templates and the schema.


@pytest.mark.parametrize("name", ["hello", "seven-banks", "trade"])
def test_init_writes_a_scenario_that_is_valid(say: Callable[..., Outcome], tmp_path: Path, name: str) -> None:
    """`init NAME` writes NAME.yaml, which `check` accepts, and the schema that its first line names."""
    said = say("init", name)
    assert (said.code, said.err) == (FINE, "")
    assert said.out.startswith(f"wrote {name}.yaml\nnext: privity check {name}.yaml")
    load_scenario(tmp_path / f"{name}.yaml")
    assert say("check", f"{name}.yaml").code == FINE
    schema = (tmp_path / ".privity" / "scenario-1.schema.json").read_text()
    assert say("schema").out == schema and "properties" in json.loads(schema)


def test_a_command_starts_without_what_it_does_not_use() -> None:
    """Graphs are for virtual worlds and diagnoses, so `--help` and completion do not wait for networkx."""
    code = "import sys; from scenarios import cli; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, check=False).returncode == 0


def test_init_names_the_nearest_template(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """A word that is not one is followed by the one that was meant, and nothing is written."""
    said = say("init", "helo")
    assert said.code == WRONG_USAGE and "no template named helo; did you mean hello? " in said.err
    assert "no template named q   E-" in say("init", "q").err and not list(tmp_path.glob("*.yaml"))


@pytest.mark.parametrize(
    ("template", "setting", "line"),
    [
        ("hello", "name=morning", "name: morning"),
        ("hello", "steps[0].at=2s", "  - {at: 2s,    do: send, id: rent,  as: alice, to: [bob],"),
        ("hello", "steps[2].to=[dave]", "  - {at: 1s,    do: send, id: diary, as: carol, to: [dave],"),
        ("hello", "parties.alice.votes=false", "parties: {alice: {votes: false}, bob: {votes: true},"),
        ("hello", "parties.erin.votes=false", "parties: {erin: {votes: false}, alice: {votes: true},"),
        ("hello", "network.delay=5ms..20ms", 'network: {delay: "5ms..20ms"}'),
        ("seven-banks", "seed=7", "seed: 7"),
        ("seven-banks", "network.broker=mosquitto", "  broker: mosquitto           # For this much traffic:"),
        ("seven-banks", "network.loss=1%", "  loss: 1%"),
        ("seven-banks", "parties.bank-[a..g].role=notary", "  bank-[a..g]: {role: notary, votes: true}"),
        ("seven-banks", "privacy.payload=on_chain", "privacy: {payload: on_chain}"),
    ],
)
def test_init_sets_keys(
    say: Callable[..., Outcome], tmp_path: Path, template: str, setting: str, line: str
) -> None:
    """--set changes or adds one key of what is written; every other line stays, with its comments."""
    said = say("init", template, "--set", setting)
    assert (said.code, said.err) == (FINE, "")
    written = (tmp_path / f"{template}.yaml").read_text().splitlines()
    (changed,) = [each for each in written if each not in templates()[template].splitlines()]
    assert changed.startswith(line)
    assert sum(each not in written for each in templates()[template].splitlines()) <= 1
    load_scenario(tmp_path / f"{template}.yaml")


def test_init_sets_several_keys(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """--set may be repeated; what it sets is what the file then says."""
    settings = ("seed=7", "consensus.view_timeout=3s", "consensus.block_every=1s")
    said = say("init", *(word for setting in settings for word in ("--set", setting)))
    assert said.code == FINE
    scenario = load_scenario(tmp_path / "hello.yaml")
    assert (scenario.seed, scenario.view_timeout_ms, scenario.block_every_ms) == (7, 3000, 1000)
    assert say("init", "-o", "b.yaml", "--set", "about='one: two, three'").code == FINE
    assert load_scenario(tmp_path / "b.yaml").about == "one: two, three"
    assert say("init", "seven-banks", "--set", "network={delay: 5ms, broker: mosquitto}").code == FINE
    banks = (tmp_path / "seven-banks.yaml").read_text()
    assert "  {delay: 5ms, broker: mosquitto}\n\nconsensus: {" in banks
    assert load_scenario(tmp_path / "seven-banks.yaml").broker == "mosquitto"


def test_init_sets_a_key_of_a_step_by_its_id(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """As the header of the file says; a key that the step has not is added, and no other step is touched."""
    setting = "steps.records.count=2000"
    assert f"privity init consent --set {setting}" in templates()["consent"]
    assert say("init", "consent", "--set", setting, "--set", "steps.records.keep=9 blocks").code == FINE
    written, shipped = load_scenario(tmp_path / "consent.yaml"), parse_scenario(templates()["consent"], "t")
    counts = {step.id: step.count for step in written.workload if isinstance(step, Load)}
    assert counts == {"records": 2000}
    assert [(step.id, step.keep) for step in written.workload] == [("profile", 0), ("records", 9)]
    assert [step for step in written.steps if step.id != "records"] == [
        step for step in shipped.steps if step.id != "records"
    ]
    said = say("init", "consent", "-o", "other.yaml", "--set", "steps.recrods.count=2000")
    assert said.code == WRONG_USAGE and not (tmp_path / "other.yaml").exists()


def test_a_setting_goes_where_nothing_was_written() -> None:
    """A key without a value, a file without a last line end, a text that looks like a number."""
    bare = "privity: 1\nparties: {alice: , bob: {}}"
    assert with_settings(bare, ["parties.alice={votes: false}"], "t") == (
        "privity: 1\nparties: {alice: {votes: false} , bob: {}}"
    )
    assert with_settings(bare, ["name='0x10'"], "t") == f'{bare}\nname: "0x10"\n'
    assert with_settings(bare, ["parties.bob.votes=true"], "t").endswith("bob: {votes: true}}")


@pytest.mark.parametrize(
    ("setting", "said_at_the_end", "code"),
    [
        (
            "consensus.blok_every=1s",
            "unknown key; did you mean block_every? or quote text that has a comma",
            "E-KEY",
        ),
        ("consensus.block_every=12", "12 has no unit; write 12s", "E-DURATION"),
        ("steps[0].as=alise", "no party named alise; did you mean alice?", "E-PARTY"),
        ("network.payload=off_chain", "unknown key; quote text that has a comma", "E-KEY"),
    ],
)
def test_init_writes_nothing_that_does_not_load(
    say: Callable[..., Outcome], tmp_path: Path, setting: str, said_at_the_end: str, code: str
) -> None:
    """What --set makes wrong is refused like a file, with line, column and hint, and nothing is written."""
    said = say("init", "--set", setting)
    assert (said.code, said.out) == (SCENARIO_INVALID, "")
    assert re.match(
        rf"✗ hello.yaml:\d+:\d+  .*{re.escape(said_at_the_end)} +{code}$", said.err.splitlines()[0]
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "setting", ["seed", "=7", "name.more=7", "steps[9].at=2s", "seed=[1", "seed=1\nname: x", "seed=!x 1"]
)
def test_init_refuses_what_is_no_setting(say: Callable[..., Outcome], tmp_path: Path, setting: str) -> None:
    """A --set without key, value or place is wrong usage: E-USAGE, exit code 2, and nothing is written."""
    said = say("init", "--set", setting)
    assert (said.code, said.out) == (WRONG_USAGE, "")
    assert said.err.splitlines()[0].endswith("   E-USAGE")
    assert list(tmp_path.iterdir()) == []


def test_init_never_overwrites(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """A file that is there stays as it is: E-FILE, exit code 2; --output names another."""
    (tmp_path / "hello.yaml").write_text("mine")
    said = say("init")
    assert said.code == WRONG_USAGE and said.err.splitlines()[0].endswith("   E-FILE")
    assert (tmp_path / "hello.yaml").read_text() == "mine"
    assert say("init", "-o", "other.yaml").code == FINE
    assert (tmp_path / "other.yaml").read_text() == templates()["hello"].replace("name: hello", "name: other")
    assert say("init", "-o", "none/other.yaml").code == WRONG_USAGE


def test_init_lists_the_templates(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """--list gives each template with a sentence, writes nothing, and an unknown one names the nearest."""
    lines = say("init", "--list").out.splitlines()
    assert list(templates()) == [line.split()[0] for line in lines]
    assert all(len(line.split(None, 1)[1]) > 20 for line in lines)
    assert list(tmp_path.iterdir()) == []
    said = say("init", "helo")
    assert said.code == WRONG_USAGE and "did you mean hello?" in said.err


# Check.


def test_check_predicts(say: Callable[..., Outcome]) -> None:
    """A valid scenario: parties, voters, faults, quorum, and the matrix with the broker as a column."""
    said = say("check", HELLO)
    assert (said.code, said.err) == (FINE, "")
    assert "4 parties · 4 voters · tolerates 1 faulty voter · quorum 3" in said.out
    assert re.search(r"^tx +alice +bob +carol +dave +broker$", said.out, re.M)
    assert re.search(r"^rent +● S +● N +○ +○ +○$", said.out, re.M)
    ascii_only = say("check", HELLO, "--ascii")
    assert ascii_only.out.isascii() and ascii_only.code == FINE


def test_check_as_json(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """--json is one document of privity.check/1, valid or not; the exit code says which."""
    good = say("check", HELLO, "--json")
    assert (good.code, good.document["schema"], good.document["valid"]) == (FINE, "privity.check/1", True)
    (tmp_path / "bad.yaml").write_text("privity: 1\nname: bad\nparties: {}\n")
    bad = say("check", "bad.yaml", "--json")
    assert (bad.code, bad.document["valid"]) == (SCENARIO_INVALID, False)
    assert bad.document["errors"][0]["code"] in CATALOGUE


def test_check_fills_in_what_is_left_out(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """--fill writes every default; the result is a scenario that fills to itself."""
    filled = say("check", HELLO, "--fill").out
    assert "view_timeout" in filled and "view_timeout" not in Path(HELLO).read_text()
    (tmp_path / "filled.yaml").write_text(filled)
    assert say("check", "filled.yaml", "--fill").out == filled


# Doctor.


def test_doctor_finds_this_machine_fit(say: Callable[..., Outcome]) -> None:
    """A machine that runs these tests is fit; each finding is a line with a mark and a word."""
    said = say("doctor")
    assert said.code == FINE
    for line in said.out.splitlines():
        assert re.fullmatch(r"[✓!] [a-z]+ +\S.*", line), line
    assert "simulator" in said.out
    document = say("doctor", "--json").document
    assert (document["schema"], document["fit"]) == ("privity.doctor/1", True)
    assert said.out.count("\n") == len(document["findings"])


def test_doctor_says_what_is_missing(
    say: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is needed and not there makes it exit code 1; what is only useful does not."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("scenarios.processes.broker.EXTRA_FOLDERS", ())
    said = say("doctor", "--ascii")
    assert said.code == FINE and said.out.isascii()
    assert re.search(r"^! mosquitto +not found; the embedded broker needs none$", said.out, re.M)
    monkeypatch.setattr(help_cli, "FREE_BYTES", 1 << 62)
    said = say("doctor")
    assert said.code == CHECK_FAILED and "✗ disk " in said.out
    assert say("doctor", "--json").document["fit"] is False
