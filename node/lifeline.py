"""A process that never outlives the one that started it, even when that one is killed with SIGKILL.

Our own programs call `die_with_parent` first thing. A program that is not ours (a broker) is started by
running this file: `python lifeline.py PARENT_PID PROGRAM ARGUMENTS...` becomes that program, tied.

The kernel sends the signal when the *thread* that started the child ends (prctl(2), PR_SET_PDEATHSIG), so a
child must be started from the main thread. Where there is no prctl, the end of standard input says the same:
the parent holds the other end of that pipe and nobody else does. A program that reads its standard input
itself looks instead, again and again, whose child it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
ORPHANED = 70  # The exit status of a child that found its parent gone.
LOOK_S = 0.5


def die_with_parent(
    parent_pid: int, *, use_kernel: bool = sys.platform == "linux", stdin_is_used: bool = False
) -> None:
    """Tie this process to `parent_pid`, which must have started it. Ends it at once if the parent is gone.

    `use_kernel` False takes the portable way, which needs standard input to be a pipe from the parent, or
    with `stdin_is_used` notices half a second later.
    """
    if not (use_kernel and _ask_kernel()):
        if stdin_is_used:
            _when_adopted(parent_pid, lambda: os._exit(ORPHANED))
        else:
            _when_stdin_ends(lambda: os._exit(ORPHANED))
    # The parent may have died before the line above took effect; then this process was adopted by another.
    if os.getppid() != parent_pid:
        os._exit(ORPHANED)


def guarded(argv: list[str], parent_pid: int, *, use_kernel: bool = sys.platform == "linux") -> list[str]:
    """The command that runs `argv`, a program that knows nothing of lifelines, tied to `parent_pid`."""
    portable = [] if use_kernel else ["--portable"]
    # Isolated and without site-packages: quick to start, and no file beside this one hides a library.
    return [sys.executable, "-I", "-S", __file__, *portable, str(parent_pid), *argv]


def _ask_kernel() -> bool:
    """Have the kernel send SIGKILL when the parent ends. False where it cannot."""
    try:
        # SIGKILL, since a process that is busy computing may be slow to answer anything that can be caught.
        return bool(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL)) == 0)
    except (OSError, AttributeError):
        return False


def _when_stdin_ends(then: Callable[[], None]) -> None:
    """Call `then` from a thread once standard input ends. A terminal or a file there is left alone."""
    kind = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        then()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _when_adopted(parent_pid: int, then: Callable[[], None]) -> None:
    """Call `then` from a thread once this process is the child of another."""

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(LOOK_S)
        then()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _become(argv: list[str], parent_pid: int, *, use_kernel: bool) -> None:
    """Turn into `argv`, or, without the kernel's help, run it and end it when the parent ends."""
    if use_kernel:
        die_with_parent(parent_pid)
        os.execvp(argv[0], argv)
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    _when_stdin_ends(child.kill)
    if os.getppid() != parent_pid:
        child.kill()
    sys.exit(child.wait())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    portable = arguments[:1] == ["--portable"]
    if portable:
        del arguments[0]
    _become(arguments[1:], int(arguments[0]), use_kernel=not portable)
