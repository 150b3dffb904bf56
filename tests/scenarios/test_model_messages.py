"""How a refused scenario is told: columns, excerpts, ASCII, and no payload anywhere."""

from __future__ import annotations

import traceback
from textwrap import dedent

import pytest

from scenarios.model.checking import check_document
from scenarios.model.loading import parse_scenario
from scenarios.model.problems import Problem, ScenarioInvalid

CANARY = "zzcanaryzz"
HEAD = "privity: 1\nparties: {alice: , bob: , carol: , dave: }\n"


def refusal_of(text: str, file: str = "tender.yaml") -> ScenarioInvalid:
    """What reading this text, which must be refused, says of it."""
    with pytest.raises(ScenarioInvalid) as caught:
        parse_scenario(text, file)
    return caught.value


def test_errors_stand_in_columns() -> None:
    """Place, path, message and code are aligned, excerpts follow, the last line says what to do."""
    refusal = ScenarioInvalid(
        "tender.yaml",
        [
            Problem("E-PARTY", "no party named bollt; did you mean bolt?", "steps[2].as", 37, 43),
            Problem("E-DURATION", "12 has no unit; write 12s", "seals.tender-close.opens_at", 28, 15),
            Problem(
                "E-KEY",
                "unknown key; did you mean threshold?",
                "seals.tender-close.treshold",
                30,
                5,
                (
                    "     29 |     openers: [notary, auditor]",
                    "     30 |     treshold: 2",
                    "        |     ^^^^^^^^",
                ),
            ),
        ],
    )
    # Word for word the session that the product promises.
    expected = dedent("""\
    ✗ tender.yaml:28:15  seals.tender-close.opens_at   12 has no unit; write 12s                 E-DURATION
    ✗ tender.yaml:30:5   seals.tender-close.treshold   unknown key; did you mean threshold?      E-KEY
         29 |     openers: [notary, auditor]
         30 |     treshold: 2
            |     ^^^^^^^^
    ✗ tender.yaml:37:43  steps[2].as                   no party named bollt; did you mean bolt?  E-PARTY
    3 errors, nothing was started.   privity explain E-PARTY        exit 4""")
    assert expected == refusal.render()
    assert expected.splitlines() == refusal.lines()


def test_an_unknown_key_is_shown_in_its_line() -> None:
    """The excerpt is the line before and the line itself, without comments, and marks below the key."""
    text = dedent("""\
        privity: 1
        consensus:
          protocol: pbft      # the only one
          viev_timeout: 2s    # a typo
        parties: {alice: {}}
        """)
    expected = dedent("""\
        ✗ tender.yaml:4:3  consensus.viev_timeout   unknown key; did you mean view_timeout?  E-KEY
              3 |   protocol: pbft
              4 |   viev_timeout: 2s
                |   ^^^^^^^^^^^^
        1 error, nothing was started.   privity explain E-KEY        exit 4""")
    assert expected == refusal_of(text).render()


def test_ascii_keeps_the_marks_below_their_word() -> None:
    """With ASCII only, a masked payload takes one column as before, so that the marks still fit."""
    text = HEAD + "steps:\n  - {do: send, data: {a: 1}, as: alice, to: [bob], whem: 3s}\n"
    expected = dedent("""\
        x t:4:52  steps[0].whem   unknown key; quote text that has a comma  E-KEY
              3 | steps:
              4 |   - {do: send, data: ~, as: alice, to: [bob], whem: ~}
                |                                               ^^^^
        1 error, nothing was started.   privity explain E-KEY        exit 4""")
    assert expected == refusal_of(text, "t").render(ascii=True)


def test_a_refusal_is_also_a_document() -> None:
    """`check --json` of a bad file gives the same errors as data."""
    document = check_document(refusal_of("privity: 1\nconsensus: {block_every: 12}\nparties: {alice: {}}\n"))
    assert document == {
        "schema": "privity.check/1",
        "file": "tender.yaml",
        "valid": False,
        "errors": [
            {
                "code": "E-DURATION",
                "message": "12 has no unit; write 12s",
                "path": "consensus.block_every",
                "line": 2,
                "column": 26,
            }
        ],
        "warnings": [],
    }


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A name in a message cannot move the cursor or change colours."""
    refusal = refusal_of('privity: 1\nparties: {"a\\e[31mb": {}}\nsteps: [{do: "\\e]0;x\\a"}]\nb\u202ed: 1\n')
    assert [sign for sign in "\x1b\x07\u202e" if sign in refusal.render()] == []


LEAKS = {
    "value of another kind": "data: [CANARY]",
    "text instead of a map": "data: CANARY",
    "key that is reserved": "data: {_CANARY: 1}",
    "number that is not finite": "data: {CANARY: .nan}",
    "key twice": "data: {CANARY: 1, CANARY: 2}",
    "value of a repeated key": "data: {a: 1}, data: {b: CANARY}",
    "unquoted comma in a payload": "data: {note: hello, CANARY}",
    "unquoted comma in a text": "data: hello, CANARY",
    "unquoted comma and colon in a text": "data: hello, CANARY: 7",
    "two unquoted commas": "data: hello, a: b, CANARY: 7",
    "misspelt key": "dta: {price: CANARY}",
    "misspelt key and text": "dta: hello, CANARY: 7",
    "key of another place": "payload: CANARY",
    "tag": "data: !CANARY {a: CANARY}",
    "complex key": "data: {[CANARY]: 1}",
    "lone surrogate": 'data: {a: "CANARY\\ud800"}',
    "lone surrogate in a key": 'data: {"CANARY\\ud800": 1}',
    "range that is empty": 'data: {a: "9..1", b: CANARY}',
    "broken bracket": "data: {a: [CANARY}",
    "broken quote": "data: {a: 'CANARY}",
    "unknown alias": "data: *CANARY",
    "unknown escape": 'data: {a: "CANARY\\q"}',
    "forbidden character": "data: {a: @CANARY}",
    "payload where a sender belongs": "data: {a: 1}, as: {price: CANARY}",
    "too long a name": f"data: {{{'CANARY' * 20}: 1}}",
}


@pytest.mark.parametrize("slip", LEAKS.values(), ids=LEAKS.keys())
@pytest.mark.parametrize("form", ["braces", "block", "lines"])
def test_no_message_holds_a_payload(slip: str, form: str) -> None:
    """Whatever is wrong with a payload or where it stands, no message repeats a word of it (P21)."""
    wrong = slip.replace("CANARY", CANARY)
    if form == "braces":
        step = f"  - {{at: 1, do: load, as: alyce, to: random, {wrong}}}\n"
    elif form == "lines":
        step = f"  - {{at: 1, do: load, as: alyce, to: random,\n     {wrong},\n     whem: now}}\n"
    else:
        step = f"  - at: 1\n    do: load\n    as: alyce\n    to: random\n    {wrong}\n    whem: now\n"
    for text in (HEAD + "steps:\n" + step, "steps:\n" + step + HEAD, "privity: 1\n" + wrong + "\n" + HEAD):
        refusal = refusal_of(text)
        said = refusal.render() + refusal.render(ascii=True) + repr(refusal) + str(check_document(refusal))
        said += "".join(traceback.format_exception(refusal))
        assert CANARY not in said
        assert CANARY[2:-2] not in said


def test_the_error_is_not_chained_to_one_that_holds_a_payload() -> None:
    """Neither pydantic's nor ruamel's own error hangs on a refusal, for both hold what they were given."""
    for text in (HEAD + "steps: [{do: send, data: 7}]\n", "privity: ["):
        refusal = refusal_of(text)
        assert refusal.__cause__ is None
        assert refusal.__context__ is None or refusal.__suppress_context__


def test_a_broker_password_is_not_repeated() -> None:
    """An address that cannot be used is refused without being shown, nor is it shown beside another error."""
    for network in (
        "network: {broker: 'mqtt://alice:hunter22@host:port'}\n",
        "network:\n  broker: mqtt://alice:hunter22@host\n  brokr: 1\n",
        "network: {broker: 'mqtt://alice:hunter22@host', transport: mqtt\n",
    ):
        assert "hunter22" not in refusal_of(HEAD + network).render()


def test_a_scenario_shows_no_payload_and_no_password() -> None:
    """The repr of a scenario, of its steps and of its document leaves out payloads and the address."""
    scenario = parse_scenario(
        HEAD
        + "network: {broker: 'mqtt://alice:hunter22@host:1883'}\n"
        + f"steps:\n  - {{do: send, as: alice, to: [bob], data: {{a: {CANARY}}}}}\n"
        + f"  - {{do: load, count: 1, as: alice, to: [bob], data: {{a: {CANARY}}}}}\n",
        "tender.yaml",
    )
    for shown in (
        repr(scenario),
        str(scenario.document),
        repr(scenario.steps),
        repr(scenario.document.steps),
    ):
        assert CANARY not in shown and "hunter22" not in shown
    assert "tender.yaml" in repr(scenario)


@pytest.mark.parametrize("kind", ["kind: crash", "kind: crush", "of: 1"])
@pytest.mark.parametrize("slip", ["data: {price: CANARY}", "dta: CANARY", "data: {CANARY: 1}"])
def test_a_payload_that_slipped_into_a_fault_is_not_shown(kind: str, slip: str) -> None:
    """A fault has no payload, and what looks like one is masked there as in any other step."""
    fault = f"do: fault, {kind}, nodes: bob, {slip.replace('CANARY', CANARY)}, whem: 1"
    refusal = refusal_of(f"{HEAD}steps:\n  - {{{fault}}}\n")
    said = refusal.render() + str(check_document(refusal))
    assert CANARY not in said and refusal.problems
