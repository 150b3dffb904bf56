"""The campaign of private business: what it draws, that it sees a leak, and how it goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from node.envelopes.envelope import Sealed, seal
from node.state_check.checker import StateChecker
from scenarios import operating, sending
from scenarios.model.loading import parse_scenario
from scenarios.repeating.privacy_draw import drawn
from scenarios.repeating.privacy_runs import run_seed
from scenarios.repeating.privacy_steps import ALL_STEPS, CASES

ROOT = Path(__file__).parents[2]


def test_every_role_is_crashed_at_every_step_of_a_deal() -> None:
    """Each case comes round with the seeds (P32); each drawn file is valid, has its crashes, and heals."""
    count = Counter[tuple[str, str]]()
    for seed in range(2 * len(CASES)):
        scenario = parse_scenario(drawn(seed).text, "drawn.yaml")
        crashes = {fault.id: fault for fault in scenario.faults if fault.kind == "crash"}
        assert set(crashes) == set(drawn(seed).crashes)
        assert all(fault.ends for fault in scenario.faults) and scenario.transport == "memory"
        assert 4 <= len(scenario.parties) <= 7
        count.update(drawn(seed).crashes.values())
    assert set(count) == set(CASES) and min(count.values()) >= 2
    roles = {
        "sender",
        "reader",
        "primary",
        "opener",
        "coordinator",
        "contributor",
        "auditor",
        "owner",
        "eraser",
    }
    assert {role for role, _ in CASES} == {*roles, "non-party"}


def test_a_crash_is_about_something_that_is_in_the_scenario() -> None:
    """P32: who is struck at a step of a protocol takes part in it, at its time."""
    needed = {
        "owner": "purge",
        "eraser": "purge",
        "auditor": "request",
        "opener": "seal",
        "coordinator": "total",
    }
    for seed in range(2 * len(CASES)):
        scenario, document = drawn(seed), json.loads(drawn(seed).text)
        steps = {step["id"]: step for step in document["steps"] if "id" in step}
        role, step = scenario.crashes["crash-1"]
        assert needed.get(role, "") in ("", *scenario.features), (seed, role)
        (struck,) = steps["crash-1"]["nodes"]
        from_ms, to_ms = ALL_STEPS[role, step]
        assert from_ms <= int(steps["crash-1"]["at"].removesuffix("ms")) <= to_ms
        party = {"owner": ("deal", "as"), "sender": ("deal", "as"), "auditor": ("asked", "as")}.get(role)
        if party is not None:
            assert steps[party[0]][party[1]] == struck
        if role in ("reader", "eraser"):
            assert struck in steps["deal"]["to"]


def test_a_divergence_that_nobody_notices_fails_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P37: a party's damaged disk is told of, with the first transaction that differs; silence fails."""
    seed = next(seed for seed in range(99) if drawn(seed).damaged)
    told = run_seed(seed, tmp_path)
    assert (told.failed, told.diverged) == ("", True)
    monkeypatch.setattr(StateChecker, "executed", lambda checker: None)
    silent = run_seed(seed, tmp_path)
    assert "no party noticed the divergence of" in silent.failed and not silent.diverged


def test_a_seed_is_one_scenario() -> None:
    """The same seed draws the same, another something else; what is drawn differs in what it uses."""
    assert drawn(5).text == drawn(5).text != drawn(6).text
    used = Counter(feature for seed in range(60) for feature in drawn(seed).features)
    assert (
        min(
            used[name]
            for name in (
                "on_chain",
                "off_chain",
                "keep",
                "disclosure",
                "request",
                "loss",
                "seal",
                "total",
                "purge",
                "object",
                "divergence",
            )
        )
        > 3
    )


def test_a_seed_passes_and_leaves_nothing(tmp_path: Path) -> None:
    """All that is demanded holds, its crash ended a process, and its folder is gone."""
    result = run_seed(4, tmp_path)
    assert (result.failed, result.struck[0]) == ("", CASES[4])
    assert result.blocks > 3 and result.searched > 20 and list(tmp_path.iterdir()) == []


def test_a_reader_too_many_fails_a_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that wraps the key for a stranger as well is seen by the matrix, and the scenario stays."""
    everybody: list[Any] = []

    def leaking(fields: Any, *, readers: Sequence[Any], **more: Any) -> Sealed:
        return seal(fields, readers=[*readers, *everybody], **more)

    make = operating.make_keys

    def keys(*given: Any) -> Any:
        made = make(*given)
        everybody.extend(party.wrapping.public for party in made.values())
        return made

    monkeypatch.setattr(operating, "make_keys", keys)
    monkeypatch.setattr(sending, "seal", leaking)
    result = run_seed(0, tmp_path)
    assert "can read it too" in result.failed
    kept = (tmp_path / "seed-0" / "scenario.yaml").read_text()
    assert kept == drawn(0).text


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    """Seeds that were run are not run again; the figures are of all of them; a failure has its command."""
    path = tmp_path / "results.jsonl"
    past = {"seed": 0, "failed": "agreement: made up", "struck": [["sender", "before"]], "features": ["keep"]}
    path.write_text(json.dumps(past) + "\n" + '{"seed": 1, "fai')
    command = [sys.executable, "-P", str(ROOT / "scripts" / "campaigns" / "privacy.py")]
    done = subprocess.run(
        [*command, "--seeds", "0..1", "--jobs", "1", "--into", str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "2 runs, 1 failed" in done.stdout
    assert "seed 0: agreement: made up" in done.stdout
    assert "again: scripts/privacy-campaign --seeds 0 --fresh" in done.stdout
    assert [json.loads(line)["seed"] for line in path.read_text().splitlines() if line.endswith("}")] == [
        0,
        1,
    ]
