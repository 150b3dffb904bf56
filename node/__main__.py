"""One node as a process of its own: `python -m node FOLDER --genesis FILE --broker URL --parent-pid PID`.

With `--control` it takes commands about its faults on standard input (node/faults/control.py).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sqlite3
import stat
import sys
import time
import traceback
from pathlib import Path

from node.broker_url import BrokerUrl
from node.consortium import Network
from node.driver import Driver
from node.errors import PrivityError
from node.faults.control_pipe import answer_lines
from node.lifeline import die_with_parent
from node.logs.event_fields import is_label
from node.logs.event_names import LEVELS

GENESIS_WAIT_S = 60


def _wait_for(genesis: Path) -> None:
    """Say that this process is up, and wait for the file that starts the network.

    The genesis time is time 0 of a scenario: it is set once all processes are past their slow start.
    """
    print("waiting", flush=True)
    deadline = time.monotonic() + GENESIS_WAIT_S
    while not genesis.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


async def _serve(driver: Driver, *, control: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    if not control:
        await driver.run(stop)
        return
    answering = asyncio.create_task(answer_lines(driver.control))
    # It ends by itself with standard input, or if something is wrong with this program.
    answering.add_done_callback(
        lambda task: stop.set() if not task.cancelled() and task.exception() else None
    )
    await driver.run(stop)
    answering.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await answering


def _can_be_awaited(descriptor: int) -> bool:
    """Whether an event loop can wait for it: a pipe, a socket or a terminal, and no file."""
    kind = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(descriptor)


def main() -> int:
    """Run until SIGTERM. Exit code 0 for an orderly stop, otherwise that of the error told on stderr."""
    parser = argparse.ArgumentParser(prog="python -m node")
    parser.add_argument("folder", type=Path, help="the party's own folder: keys, journal, blobs, log")
    parser.add_argument("--genesis", type=Path, required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--protocol", choices=("5", "3.1.1"), default="5")
    parser.add_argument("--run", default="0001")
    parser.add_argument("--level", choices=tuple(LEVELS), default="info")
    parser.add_argument("--parent-pid", type=int)
    parser.add_argument("--control", action="store_true", help="take commands about faults on standard input")
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        die_with_parent(arguments.parent_pid, stdin_is_used=arguments.control)
    os.umask(0o077)
    if arguments.control and not _can_be_awaited(0):
        parser.error("--control needs a pipe for standard input")
    if not is_label(arguments.run):
        parser.error("--run takes a short name of a-z, 0-9, hyphen and underscore")
    try:
        if not arguments.folder.is_dir():
            raise PrivityError("E-NO-RUN", "the party's folder is gone", where=str(arguments.folder))
        url = BrokerUrl.parse(arguments.broker)
        _wait_for(arguments.genesis)
        network = Network.load(arguments.genesis)
        driver = Driver(
            arguments.folder,
            network,
            arguments.folder.name,
            url,
            arguments.protocol,
            run=arguments.run,
            level=arguments.level,
        )
        # Not uvloop: when a connection breaks, it may keep a closed handle under the descriptor's number, and
        # the next socket of that number is deaf and dumb for good (0.23, UVPoll after a fatal error).
        asyncio.run(_serve(driver, control=arguments.control))
    except PrivityError as error:
        return _told(error)
    except (OSError, sqlite3.Error) as error:
        # The text is the system's or SQLite's own; nothing of a payload.
        why = error.strerror if isinstance(error, OSError) else str(error)
        return _told(PrivityError("E-DISK", "the disk refused", why=why or ""))
    except Exception as error:
        # A bug of ours. Its text may quote anything, a payload too, so only its kind and place are told.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return _told(PrivityError("E-BUG", "the node fell over", where=where, why=type(error).__name__))
    return 0


def _told(error: PrivityError) -> int:
    """Print the error; its exit code, which a full disk that has no room for the words still tells."""
    with contextlib.suppress(OSError):
        print("\n".join(error.lines()), file=sys.stderr, flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
