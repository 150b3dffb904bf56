"""`privity up --detach`: the same command in a process that stays, shown until the network is ready."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from node.broker_url import BrokerUrl
from node.errors import FINE, UNCONFIRMED, PrivityError
from node.process_identity import process_started
from node.run_folder import RunFolder
from scenarios.model.scenario import Scenario
from scenarios.processes.detach import spawn_detached, stop_supervisor
from scenarios.session import new_folder
from scenarios.verbs.narration import Narrator

DETACHED_READY_S = 90.0


def detach(scenario: Scenario, narrator: Narrator) -> int:
    """Start the same command in the background, show what it says, and leave once it is ready.

    Whoever gives up waiting, Ctrl-C included, leaves nothing in the background.
    """
    folder = new_folder(scenario)
    log = folder.operator / "up.log"
    # With --into the command stays in the process it is given.
    arguments, environment = _without_password(sys.argv[1:])
    command = [sys.executable, "-m", "scenarios.cli", *arguments, "--into", folder.number]
    pid = spawn_detached(command, log, {**os.environ, **environment})
    ready = False
    try:
        ended = _show_until_ready(folder, log, pid, narrator)
        ready = ended is None
    finally:
        if not ready and (started := process_started(pid)) is not None:
            stop_supervisor(pid, started)
    if ended is not None:
        return ended if ended >= 0 else UNCONFIRMED
    narrator.say("note", f"run {folder.number} goes on in the background; `privity down` stops it")
    if scenario.steps and "--no-steps" not in sys.argv:
        narrator.say("note", f"its steps are played now, and judged then: privity why --run {folder.number}")
    return FINE


def _show_until_ready(folder: RunFolder, log: Path, pid: int, narrator: Narrator) -> int | None:
    """Repeat what the process says until it is ready; its exit code if it ends before that."""
    shown, deadline = 0, time.monotonic() + DETACHED_READY_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        ready = not ended and folder.read_run().get("state") == "ready"
        # Read last, so that what was said before these two is not missed.
        *lines, _ = log.read_text(encoding="utf-8", errors="replace")[shown:].split("\n")
        for line in lines:
            narrator.say("error" if ended else "plain", line)
            shown += len(line) + 1
        if ended:
            return os.waitstatus_to_exitcode(status)
        if ready:
            return None
        time.sleep(0.05)
    raise PrivityError(
        "E-READY",
        "the run in the background was not ready in time",
        where=f"run {folder.number}",
        why=f"it had {DETACHED_READY_S:.0f} s, and was stopped",
        next="privity logs --level warn shows what the nodes miss",
    )


def _without_password(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments without the password of a broker's address, and the environment that holds it.

    Arguments of a process that stays can be read by everybody on the machine for as long.
    """
    shown, environment = list(arguments), {}
    for place, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        follows = name == "--broker" and not value and place + 1 < len(arguments)
        at, text = (place + 1, arguments[place + 1]) if follows else (place, value)
        if name == "--broker" and "://" in text:
            url = BrokerUrl.parse(text)
            environment = url.environment
            shown[at] = url.public if follows else f"--broker={url.public}"
    return shown, environment
