"""The scenario files that come with Privity, their schema, and `check --fill`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scenarios.model.checking import check_document
from scenarios.model.document import ScenarioDocument
from scenarios.model.filled import filled
from scenarios.model.layout import CHECKS, FAULTS, STEPS, keys_of
from scenarios.model.lints import lints
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.plan import plan
from scenarios.model.scenario import Denied, Load, Readers, Scenario
from scenarios.model.schema import scenario_schema, schema_text

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = ("hello", "trade", "seven-banks")
HEAD = "privity: 1\nparties: {alice: , bob: }\n"


def shipped(name: str) -> Scenario:
    """A scenario that comes with Privity."""
    return load_scenario(SCENARIOS / f"{name}.yaml")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_promises_what_it_does(name: str) -> None:
    """It has a rule for every transaction, none that its steps contradict, and enough voters."""
    scenario = shipped(name)
    assert {"W-META"} == {warning.code for warning in lints(scenario, plan(scenario))}
    assert name == scenario.name


def test_hello_is_short() -> None:
    """hello: four parties and three private transactions in fewer than 20 lines."""
    scenario = shipped("hello")
    assert len((SCENARIOS / "hello.yaml").read_text().splitlines()) < 20
    assert (len(scenario.parties), len(scenario.voters), len(plan(scenario))) == (4, 4, 3)


def test_trade_has_partial_audiences() -> None:
    """trade: six organisations, no two transactions for all, and no price for carrier and customs."""
    scenario = shipped("trade")
    assert len((SCENARIOS / "trade.yaml").read_text().splitlines()) < 60
    assert scenario.voters == ("buyer", "seller", "buyer-bank", "seller-bank")
    audiences = [{send.sender, *send.readers} for send in plan(scenario)]
    assert all(audience < set(scenario.names) for audience in audiences)
    assert len({frozenset(audience) for audience in audiences}) >= 6


def test_seven_banks_is_a_load() -> None:
    """seven-banks: 7 voters, 500 transactions of 512 bytes for 1 to 3 other banks within a minute."""
    scenario = shipped("seven-banks")
    assert tuple(f"bank-{letter}" for letter in "abcdefg") == scenario.voters
    (load,) = [step for step in scenario.steps if isinstance(step, Load)]
    drawn = [send for send in plan(scenario) if send.id in load.transactions]
    assert (len(drawn), load.size_bytes) == (500, 512)
    assert {1, 2, 3} == {len(send.readers) for send in drawn}
    assert "regulator" not in {name for send in drawn for name in send.readers}
    assert plan(scenario)[-1].at_ms < 60_000


@pytest.mark.parametrize("name", SHIPPED)
def test_a_filled_file_loads_back_equal(name: str) -> None:
    """`check --fill` writes YAML that means the same, with nothing left to a default."""
    scenario = shipped(name)
    text = filled(scenario)
    again = parse_scenario(text, "again.yaml")
    assert scenario.document == again.document
    assert plan(scenario) == plan(again)
    assert text == filled(again)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_filled_file_shows_every_default(name: str) -> None:
    """Sections, parties and steps have every key of the format that they can have."""
    text = filled(shipped(name))
    top = {match[1] for match in re.finditer(r"^([a-z]+):", text, re.MULTILINE)}
    assert (
        set(keys_of(ScenarioDocument)) - {"crypto", "profile", "state_check"} == top
    )  # Which have no default that is a word.
    for setting in (
        "transport: mqtt",
        "broker: embedded",
        "block_every: 200ms",
        "payload: on_chain",
        "size: padded",
    ):
        assert setting in text
    assert ("at: end" in text and "title: ''" in text) or name == "trade"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=20), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.text(min_size=1, max_size=20).filter(lambda key: not key.startswith("_"))


@settings(deadline=None, max_examples=60)
@example(data={":0": None, "a: b": "- c", "?": "#", "[": "]", "~": "~"})  # Words that are signs in YAML.
@example(data={"next line \x85": "line\u2028separator", "\U00010000": "\x1f\x7f"})
@example(data={"many words " * 4: {"many words " * 5: "many words " * 20}})  # A long line is not folded.
@given(data=st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_payload_survives_being_written_out(data: dict[str, Any]) -> None:
    """What YAML can say in a payload, `check --fill` says again, value for value and type for type."""
    # JSON is YAML, so that a payload can be put into a file without the writer under test.
    payload = json.dumps(data)
    scenario = parse_scenario(
        f"{HEAD}steps:\n  - {{do: send, as: alice, to: [bob], data: {payload}}}\n", "t.yaml"
    )
    again = parse_scenario(filled(scenario), "t.yaml")
    assert repr(data) == repr(dict(scenario.steps[0].data))
    assert repr(data) == repr(dict(again.steps[0].data))


def test_yaml_says_what_it_seems_to_say() -> None:
    """In a payload, words of YAML 1.1 and dates are text, and numbers are numbers."""
    text = (
        "{a: yes, b: off, c: 2026-11-23, d: 1_000, e: 0x10, f: 1e3, g: ~, h: True, i: 007, j: '7', k: 12:30}"
    )
    scenario = parse_scenario(
        f"{HEAD}steps:\n  - {{do: send, as: alice, to: [bob], data: {text}}}\n", "t.yaml"
    )
    expected = {
        "a": "yes",
        "b": "off",
        "c": "2026-11-23",
        "d": 1000,
        "e": 16,
        "f": 1000.0,
        "g": None,
        "h": True,
    }
    assert {**expected, "i": 7, "j": "7", "k": "12:30"} == scenario.steps[0].data


def test_defaults_are_those_of_the_format() -> None:
    """A file of version and parties alone is a scenario; these are its defaults."""
    scenario = parse_scenario("privity: 1\nparties: {alice: }\n", "t.yaml", default_name="tiny")
    assert (
        scenario.name,
        scenario.about,
        scenario.seed,
        scenario.transport,
        scenario.broker,
        scenario.protocol,
        scenario.block_every_ms,
        scenario.view_timeout_ms,
        scenario.payload,
    ) == ("tiny", "", 0, "mqtt", "embedded", "pbft", 200, 2000, "on_chain")
    assert scenario.metadata == {"sender": "public", "recipients": "hidden", "size": "padded"}
    (party,) = scenario.parties
    assert (party.name, party.role, party.votes, party.title) == ("alice", "member", True, "")
    assert (scenario.steps, scenario.expectations) == ((), ())


def test_expectations_know_their_line_and_transactions() -> None:
    """A rule carries its line, whole names, and every transaction of the load that it names."""
    text = HEAD + (
        "steps:\n"
        "  - {do: load, id: traffic, as: alice, to: [bob], count: 2}\n"
        "expect:\n"
        "  - {check: readers, tx: traffic, are: '*', at: 1500ms}\n"
        "  - check: denied\n"
        "    tx: traffic-0002\n"
        "    as: bob\n"
    )
    scenario = parse_scenario(text, "t.yaml")
    readers = Readers(
        "readers", "expect[0]", 6, "traffic", ("traffic-0001", "traffic-0002"), ("alice", "bob"), 1500
    )
    denied = Denied("denied", "expect[1]", 7, "traffic-0002", ("traffic-0002",), ("bob",), "end")
    assert (readers, denied) == scenario.expectations
    assert (scenario.lines["steps[0].id"], scenario.lines["expect[1].tx"]) == (4, 8)


def test_the_schema_is_that_of_the_models() -> None:
    """Each step, fault and check of the models is a definition of the schema with exactly its keys."""
    definitions = scenario_schema()["$defs"]
    senders = {kind: model for kind, model in STEPS.items() if kind != "fault"}
    for key, models in (("do", senders), ("kind", FAULTS), ("check", CHECKS)):
        for kind, model in models.items():
            definition = definitions[model.__name__]
            assert set(keys_of(model)) == set(definition["properties"])
            assert kind == definition["properties"][key]["const"]


def test_the_schema_refuses_what_the_models_refuse() -> None:
    """Unknown keys are refused in every map, and do and check choose one branch."""
    schema = scenario_schema()
    maps = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    assert all(each["additionalProperties"] is False for each in maps)
    assert schema["required"] == ["privity", "parties"]
    discriminators = {
        key: schema["properties"][key]["items"]["discriminator"]["propertyName"]
        for key in ("steps", "expect")
    }
    assert discriminators == {"steps": "do", "expect": "check"}
    send = schema["$defs"]["SendStep"]
    assert {"do", "as", "data"} == set(send["required"])
    assert send["oneOf"] == [{"required": ["to"]}, {"required": ["seal"]}]
    time, trigger = send["properties"]["at"]["oneOf"]
    assert re.fullmatch(time["pattern"], "500ms") and trigger == {"$ref": "#/$defs/Trigger"}
    assert not re.fullmatch(time["pattern"], "12")


def test_the_schema_accepts_what_the_models_accept() -> None:
    """A party may have no settings, a network may not have no party; readers fit one branch."""
    schema = scenario_schema()
    parties = schema["properties"]["parties"]
    assert parties["additionalProperties"]["anyOf"] == [{"$ref": "#/$defs/PartySpec"}, {"type": "null"}]
    assert parties["minProperties"] == 1
    for name in ("alice", "bank-[a..g]", "node-[1..7]"):
        assert re.search(parties["propertyNames"]["pattern"], name)
    for name in ("bank#1", "a/b", "Bob", ""):
        assert not re.search(parties["propertyNames"]["pattern"], name)
    random_word, other_word, *_ = schema["$defs"]["LoadStep"]["properties"]["to"]["oneOf"]
    assert (random_word["const"], other_word["not"]) == ("random", {"const": "random"})
    assert schema["$defs"]["LoadStep"]["properties"]["at"]["default"] == "0s"


def test_the_schema_is_a_document_for_editors() -> None:
    """The schema is JSON of the 2020-12 draft and describes its fields."""
    schema = json.loads(schema_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["seed"]["description"]


def test_a_document_is_plain_data() -> None:
    """`check --json` of every shipped file can be written as JSON."""
    for name in SHIPPED:
        assert name == json.loads(json.dumps(check_document(shipped(name))))["name"]
