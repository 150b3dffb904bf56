"""How another process asks a run that is up for something: request files, each answered by a file beside it.

    operator/mailbox/<token>.request     written whole, by rename, by whoever asks
    operator/mailbox/<token>.answer      written whole, by rename, by the run

The run takes a request away before it acts on it, so that nothing is done twice, whatever happens meanwhile.
Only who may open the operator's folder can ask, and that one could do anything to the run anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from node.errors import CATALOGUE, NOT_REACHABLE, WRONG_USAGE, PrivityError
from node.private_files import make_private_folder, replace_private
from node.run_folder import RunFolder

SCHEMA = "privity.mailbox/1"
POLL_S = 0.1
ANSWER_S = 30.0  # A node that is started again may take its time.
LONGEST_BYTES = 64 << 10

_REQUEST = re.compile(r"([0-9a-f]{16})\.request")

Serve = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class Mailbox:
    """The mailbox of one run, from either side."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.path = folder.operator / "mailbox"

    @property
    def open(self) -> bool:
        """Whether the run hears requests."""
        return self._mark.exists()

    @property
    def _mark(self) -> Path:
        """Names the process that listens; a mailbox without it is closed."""
        return self.path / "open.json"

    # Who asks.

    def ask(self, wish: Mapping[str, Any], within_s: float = ANSWER_S) -> dict[str, Any]:
        """Put a request in and wait for its answer.

        Raises PrivityError: E-NOT-RUNNING when nobody listens, E-TIMEOUT when there is no answer in time, and
        what the run itself answered with.
        """
        listener = self._listener()
        if listener is None or not self._folder.is_running():
            raise PrivityError(
                "E-NOT-RUNNING",
                f"run {self._folder.number} hears no faults",
                why="only a run that `privity up` keeps up takes them, while it lives",
                next="privity up FILE starts one; faults of a `run` stand in its file",
                exit_code=NOT_REACHABLE,
            )
        token = secrets.token_hex(8)
        request, answer = self.path / f"{token}.request", self.path / f"{token}.answer"
        replace_private(request, _encoded({"schema": SCHEMA, "listener": listener, "wish": dict(wish)}))
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                document = json.loads(answer.read_bytes())
                answer.unlink()
                return _answered(document)
            if not self._folder.is_running():
                break
            time.sleep(POLL_S / 4)
        try:
            request.unlink()
            done = "it was not taken, and nothing was done"
        except FileNotFoundError:
            done = "it was taken, so it may have been done"
        raise PrivityError(
            "E-TIMEOUT",
            f"run {self._folder.number} did not answer within {within_s:.0f} s",
            why=done,
            next="privity fault list tells which faults are on",
        )

    def _listener(self) -> str | None:
        try:
            return str(json.loads(self._mark.read_bytes())["listener"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    # Who answers.

    async def serve(self, answer: Serve) -> None:
        """Answer requests, one at a time, until cancelled; what an earlier process left is refused."""
        make_private_folder(self.path)
        listener = f"{os.getpid()}-{secrets.token_hex(4)}"
        replace_private(self._mark, _encoded({"schema": SCHEMA, "listener": listener}))
        try:
            while True:
                for path in self._requests():
                    await self._serve_one(path, listener, answer)
                await asyncio.sleep(POLL_S)
        finally:
            with contextlib.suppress(OSError):
                self._mark.unlink(missing_ok=True)

    def _requests(self) -> list[Path]:
        """Those that wait, oldest first."""
        found = []
        with contextlib.suppress(OSError):  # Somebody deleted the run's folder: nobody can ask any more.
            for path in self.path.iterdir():
                if _REQUEST.fullmatch(path.name):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    async def _serve_one(self, path: Path, listener: str, answer: Serve) -> None:
        taken = path.with_suffix(".taken")
        try:
            path.rename(taken)
        except FileNotFoundError:
            return  # Who asked gave up.
        try:
            document = await _answer_to(taken, listener, answer)
        except PrivityError as error:
            document = _error_document(error)
        except Exception as error:
            # A mistake of this program must not end the run. The text of the error may quote anything.
            bug = PrivityError("E-BUG", "Privity itself failed", why=type(error).__name__)
            document = _error_document(bug)
        with contextlib.suppress(OSError):  # On a full disk whoever asked waits in vain, and is told so.
            replace_private(path.with_suffix(".answer"), _encoded({"schema": SCHEMA, **document}))
        taken.unlink(missing_ok=True)


async def _answer_to(path: Path, listener: str, answer: Serve) -> dict[str, Any]:
    if path.stat().st_size > LONGEST_BYTES:
        raise _refused("the request is too long")
    try:
        document = json.loads(path.read_bytes())
        written_for, wish = document["listener"], document["wish"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _refused("the request is damaged") from None
    if not isinstance(wish, dict):
        raise _refused("the request is damaged")
    if written_for != listener:
        raise _refused("the request is older than this run's process")
    return {"answer": dict(await answer(wish))}


def _refused(why: str) -> PrivityError:
    return PrivityError(
        "E-USAGE", "the request is refused", why=f"{why}; nothing was done", exit_code=WRONG_USAGE
    )


def _error_document(error: PrivityError) -> dict[str, Any]:
    fields = ("code", "what", "where", "why", "next", "exit_code")
    return {"error": {name: getattr(error, name) for name in fields}}


def _answered(document: dict[str, Any]) -> dict[str, Any]:
    error = document.get("error")
    if error is None:
        answer: dict[str, Any] = document["answer"]
        return answer
    code = error["code"] if error["code"] in CATALOGUE else "E-USAGE"
    raise PrivityError(
        code,
        error["what"],
        where=error["where"],
        why=error["why"],
        next=error["next"],
        exit_code=error["exit_code"],
    )


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"
