"""`privity core-shell`: the session of the README, keys, bad lines, and bytes that go in as they came out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scenarios.cli import app
from scenarios.core_shell.shell import Shell

README = Path(__file__).parents[2] / "consensus" / "README.md"
FIRST = {"n": 4, "replica": 1, "test_keys": "seed", "now_ms": 1000}
REQUEST = "22" * 32


def session(*lines: dict[str, Any] | str) -> list[dict[str, Any]]:
    """The answers to a script, through the command."""
    script = "".join(line if isinstance(line, str) else json.dumps(line) for line in _with_ends(lines))
    result = CliRunner().invoke(app, ["core-shell"], input=script)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def _with_ends(lines: tuple[dict[str, Any] | str, ...]) -> list[dict[str, Any] | str]:
    return [part for line in lines for part in (line, "\n")]


def told(answer: dict[str, Any]) -> str:
    """What an answer says, in a few words."""
    if answer.get("ready"):
        return "ready"
    words = []
    for output in answer["outputs"]:
        if "persist" in output:
            words.append(f"persist {output['persist']['type']}")
        elif "send" in output:
            words.append(f"send {output['send'].get('message', output['send'])['type']}")
        elif "note" in output:
            words.append(f"note {output['note']['event']}")
        else:
            words.append(next(iter(output)))
    return ", ".join(words) or "-"


def test_the_session_of_the_readme() -> None:
    """Word for word."""
    text = README.read_text()
    script, answers = re.search(r"```jsonl\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()  # type: ignore[union-attr]
    said = session(*script.splitlines())
    assert [told(answer) for answer in said] == answers.splitlines()


def proposal(by: int = 0, view: int = 0) -> dict[str, Any]:
    batch = {"sequence": 1, "proposer": by, "time_ms": 1000, "requests": [REQUEST]}
    return {"do": "deliver", "by": by, "message": {"view": view}, "batch": batch}


def vote(kind: str, by: int, digest: str, view: int = 0) -> dict[str, Any]:
    message = {"type": kind, "view": view, "sequence": 1, "digest": digest}
    return {"do": "deliver", "by": by, "message": message}


def test_a_whole_round_executes_and_certifies() -> None:
    """Pre-prepare, prepares, commits, block votes: the order of the outputs is the contract."""
    shell = Shell(FIRST)
    shell.answer(json.dumps({"do": "submit", "id": REQUEST}))
    accepted = shell.answer(json.dumps(proposal()))["outputs"]
    digest = accepted[0]["persist"]["proposal"]["pre_prepare"]["digest"]
    shell.answer(json.dumps(vote("prepare", 2, digest)))
    shell.answer(json.dumps(vote("commit", 0, digest)))
    executed = shell.answer(json.dumps(vote("commit", 2, digest)))["outputs"]
    block = next(output["block"] for output in executed if "execute" in output)
    for by in (0, 2):
        message = {"type": "block-vote", "sequence": 1, "block": block}
        answer = shell.answer(json.dumps({"do": "deliver", "by": by, "message": message}))
    assert any("certified" in output for output in answer["outputs"])
    assert (answer["executed"], answer["low"]) == (1, 1)


def test_the_bytes_that_one_sends_another_takes() -> None:
    """What a send shows as its packet can be delivered to another replica as it stands."""
    first, second = Shell(FIRST), Shell({**FIRST, "replica": 2})
    for shell in (first, second):
        shell.answer(json.dumps({"do": "submit", "id": REQUEST}))
        outputs = shell.answer(json.dumps(proposal()))["outputs"]
    packet = next(output["packet"] for output in outputs if "send" in output)
    answer = first.answer(json.dumps({"do": "deliver", "packet": packet}))
    assert "commit" in [output["send"]["message"]["type"] for output in answer["outputs"] if "send" in output]
    broken = packet[:-2] + ("00" if packet[-2:] != "00" else "01")
    assert second.answer(json.dumps({"do": "deliver", "packet": broken}))["outputs"] in (
        [{"dropped": "bad signature"}],
        [],
    )


def test_a_forged_quotation_is_evidence() -> None:
    """A new-view that proposes something else than what follows is refused, with the proof."""
    shell = Shell({**FIRST, "replica": 3})
    changes = [{"by": by} for by in (0, 1, 2)]
    message = {"type": "new-view", "view": 1, "view_changes": changes}
    message["proposes"] = [{"sequence": 1, "digest": "33" * 32}]
    outputs = shell.answer(json.dumps({"do": "deliver", "by": 1, "message": message}))["outputs"]
    assert outputs[0]["persist"]["evidence"]["kind"] == "E3"
    assert shell.answer('{"do": "state"}')["view"] == 0


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "{}",
        '{"do": "fly"}',
        '{"do": "deliver"}',
        '{"do": "deliver", "packet": "zz"}',
        '{"do": "deliver", "packet": "00"}',
        '{"do": "deliver", "by": 2, "message": {"type": "oath"}}',
        '{"do": "deliver", "by": 2, "message": {"type": "prepare"}}',
        '{"do": "deliver", "by": 9, "message": {"type": "fetch", "sequence": 1}}',
        '{"do": "deliver", "by": 2, "message": {"type": "prepare", "sequence": 0, "digest": "00"}}',
        '{"do": "submit", "id": "11"}',
        '{"do": "tick", "at_ms": 1}',
        '{"do": "tick", "at_ms": "now"}',
    ],
)
def test_a_wrong_line_is_answered_and_changes_nothing(line: str) -> None:
    """What is wrong, where, and what to do; the shell goes on."""
    answers = session(FIRST, {"do": "state"}, line, {"do": "state"})
    assert set(answers[2]["error"]) == {"what", "where", "next"}
    assert answers[1] == answers[3]


@pytest.mark.parametrize(
    "first",
    ["", "x", "[]", "{}", '{"n": 4, "replica": 1}', '{"n": 4, "replica": 1, "members": [], "key": ""}'],
)
def test_a_first_line_that_describes_no_replica(first: str) -> None:
    """Wrong usage, exit code 2, and no traceback."""
    result = CliRunner().invoke(app, ["core-shell"], input=first + "\n")
    assert getattr(result.exception, "exit_code", None) == 2


def test_given_keys_work_and_never_come_back() -> None:
    """Public keys and the own scalar in place of test keys; the secret stands in no answer."""
    names = session(FIRST)[0]["members"]
    keys = Shell(FIRST)._keys
    secret = keys[1].secret_bytes().hex()
    first = {"n": 4, "replica": 1, "members": names, "key": secret, "now_ms": 1000}
    answers = session(first, {"do": "tick"}, {"do": "advance"}, vote("prepare", 2, "11" * 32))
    assert answers[0]["members"] == names
    assert secret not in json.dumps(answers)
    assert "not here" in answers[3]["error"]["what"]


def test_the_same_script_gives_the_same_answers() -> None:
    """To the byte."""
    script = (FIRST, {"do": "tick"}, {"do": "submit", "id": REQUEST}, proposal(), {"do": "restart"})
    assert session(*script) == session(*script)
