"""The mailbox of a run that is up: what is asked is done once and answered, or refused with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from node.errors import NOT_REACHABLE, UNCONFIRMED, WRONG_USAGE, PrivityError
from node.run_folder import RunFolder
from scenarios.mailbox import LONGEST_BYTES, Mailbox

Wish = Mapping[str, Any]


class Run:
    """A process of a run that listens, and what it was asked for."""

    def __init__(self, folder: RunFolder) -> None:
        self.mailbox = Mailbox(folder)
        self.wishes: list[dict[str, Any]] = []
        self.answer: Callable[[Wish], dict[str, Any]] = lambda wish: {"heard": dict(wish)}

    async def take(self, wish: Wish) -> dict[str, Any]:
        """Note a wish, and answer it as the test has it."""
        self.wishes.append(dict(wish))
        return self.answer(wish)

    async def ask(self, wish: Wish, within_s: float = 5.0) -> dict[str, Any]:
        """What another process does, beside the run's own loop."""
        return await asyncio.to_thread(self.mailbox.ask, wish, within_s)

    async def left_alone(self, name: str, content: bytes) -> dict[str, Any]:
        """The answer to a request of these bytes, which somebody else put there."""
        path = self.mailbox.path / f"{name}.request"
        path.write_bytes(content)
        answer = path.with_suffix(".answer")
        async with asyncio.timeout(5):
            while not answer.exists():
                await asyncio.sleep(0.01)
        document: dict[str, Any] = json.loads(answer.read_bytes())
        return document


@contextlib.asynccontextmanager
async def listening(run: Run) -> AsyncIterator[None]:
    """Inside, the run's process hears what it is asked."""
    serving = asyncio.create_task(run.mailbox.serve(run.take))
    async with asyncio.timeout(5):
        while not run.mailbox.open:
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run whose process is this one."""
    return RunFolder.create(tmp_path)


@pytest.fixture
def run(folder: RunFolder) -> Run:
    """That process."""
    return Run(folder)


async def test_what_is_asked_is_done_once_and_answered(run: Run) -> None:
    """One wish, one answer, and no file stays behind but the sign that somebody listens."""
    async with listening(run):
        assert await run.ask({"heal": None}) == {"heard": {"heal": None}}
        await asyncio.sleep(0.3)  # Time enough for a second reading of the same request.
        assert run.wishes == [{"heal": None}]
        assert [path.name for path in run.mailbox.path.iterdir()] == ["open.json"]


async def test_two_who_ask_at_once_get_an_answer_each(run: Run) -> None:
    """To what they asked, and not to what the other did."""
    async with listening(run):
        first, second = await asyncio.gather(run.ask({"heal": "one"}), run.ask({"heal": "two"}))
    assert (first["heard"], second["heard"]) == ({"heal": "one"}, {"heal": "two"})
    assert len(run.wishes) == 2


async def test_a_refusal_reaches_whoever_asked(run: Run) -> None:
    """With its code, place, reason, hint and exit code."""

    def refuse(wish: Wish) -> dict[str, Any]:
        raise PrivityError("E-FAULT", "no fault x", where="heal", why="none", next="list", exit_code=2)

    run.answer = refuse
    async with listening(run):
        with pytest.raises(PrivityError) as refused:
            await run.ask({"heal": "x"})
    error = refused.value
    assert (error.code, error.what, error.where, error.why, error.next, error.exit_code) == (
        "E-FAULT",
        "no fault x",
        "heal",
        "none",
        "list",
        2,
    )


async def test_a_mistake_of_ours_is_answered_and_quotes_nothing(run: Run) -> None:
    """The run goes on, and the text of the error, which may hold anything, stays inside."""

    def fall_over(wish: Wish) -> dict[str, Any]:
        raise ValueError("the canary sings")

    run.answer = fall_over
    async with listening(run):
        with pytest.raises(PrivityError) as told:
            await run.ask({"heal": None})
        assert told.value.code == "E-BUG" and "canary" not in "\n".join(told.value.lines())
        run.answer = lambda wish: {"ok": True}
        assert await run.ask({"heal": None}) == {"ok": True}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"wish": {"heal": null}}',
        b'{"listener": "1", "wish": 3}',
        b'{"listener": "1", "wish": {"heal": null}}',
        b"\xff\xfe",
        b"[" * 20_000,
    ],
    ids=["empty", "cut", "list", "null", "no-listener", "no-wish", "older", "no-text", "deep"],
)
async def test_what_is_damaged_or_older_than_the_run_is_refused(run: Run, content: bytes) -> None:
    """With a reason, and nothing is done; a good request after it is."""
    async with listening(run):
        document = await run.left_alone("00" * 8, content)
        assert document["error"]["code"] == "E-USAGE" and document["error"]["exit_code"] == WRONG_USAGE
        assert document["error"]["why"].endswith("; nothing was done")
        assert run.wishes == []
        await run.ask({"heal": None})


async def test_a_wish_that_is_none_is_damaged_though_it_names_this_process(run: Run) -> None:
    """It is refused as what it is, and not as a mistake of ours."""
    async with listening(run):
        listener = json.loads((run.mailbox.path / "open.json").read_bytes())["listener"]
        content = json.dumps({"listener": listener, "wish": 3}).encode()
        document = await run.left_alone("00" * 8, content)
        assert document["error"]["why"] == "the request is damaged; nothing was done"
        assert run.wishes == []


async def test_what_is_too_long_is_refused(run: Run) -> None:
    """Whatever it says."""
    async with listening(run):
        mark = json.loads((run.mailbox.path / "open.json").read_bytes())
        wish = json.dumps({"listener": mark["listener"], "wish": {"heal": None}}).encode()
        document = await run.left_alone("22" * 8, wish + b" " * LONGEST_BYTES)
    assert "too long" in document["error"]["why"] and run.wishes == []


async def test_what_was_asked_of_an_earlier_process_is_refused(run: Run) -> None:
    """A request that nobody took in time is not carried out by the next process."""
    async with listening(run):
        mark = json.loads((run.mailbox.path / "open.json").read_bytes())
    late = json.dumps({"listener": mark["listener"], "wish": {"heal": None}}).encode()
    async with listening(run):
        document = await run.left_alone("11" * 8, late)
    assert "older than this run's process" in document["error"]["why"]
    assert run.wishes == []


async def test_other_files_are_let_alone(run: Run) -> None:
    """Only a request by its name is one: not a file still being written, nor anybody's notes."""
    async with listening(run):
        for name in (".0123456789abcdef.request.1.2", "notes.request", "0123456789abcdef.answer"):
            (run.mailbox.path / name).write_bytes(b"{}")
        await run.ask({"heal": None})
        assert len(run.wishes) == 1
        assert (run.mailbox.path / "notes.request").exists()


def test_nobody_listens(folder: RunFolder) -> None:
    """A run that takes no faults is told from one that is not there: exit code 5, and nothing is left."""
    with pytest.raises(PrivityError) as refused:
        Mailbox(folder).ask({"heal": None})
    assert (refused.value.code, refused.value.exit_code) == ("E-NOT-RUNNING", NOT_REACHABLE)
    assert not Mailbox(folder).path.exists()


async def test_a_run_that_ended_does_not_hear(run: Run, folder: RunFolder) -> None:
    """The sign that it left behind, as a killed one does, deceives nobody."""
    async with listening(run):
        mark = (run.mailbox.path / "open.json").read_bytes()
    (run.mailbox.path / "open.json").write_bytes(mark)
    folder.write_run(state="stopped")
    with pytest.raises(PrivityError) as refused:
        await run.ask({"heal": None})
    assert refused.value.exit_code == NOT_REACHABLE


async def test_no_answer_in_time_takes_the_request_back(run: Run) -> None:
    """Whoever gives up is told whether it may have been done; what was not taken never is."""
    async with listening(run):
        pass
    (run.mailbox.path / "open.json").write_text('{"listener": "1"}')  # It hangs: alive, and does not look.
    with pytest.raises(PrivityError) as late:
        await run.ask({"heal": None}, within_s=0.2)
    assert (late.value.code, late.value.exit_code) == ("E-TIMEOUT", UNCONFIRMED)
    assert late.value.why == "it was not taken, and nothing was done"
    assert [path.name for path in run.mailbox.path.iterdir()] == ["open.json"]


async def test_only_its_owner_may_open_it(run: Run) -> None:
    """Mode 700 the folder and 600 its files, like all that the operator has."""
    async with listening(run):
        assert os.stat(run.mailbox.path).st_mode & 0o777 == 0o700
        assert os.stat(run.mailbox.path / "open.json").st_mode & 0o777 == 0o600
