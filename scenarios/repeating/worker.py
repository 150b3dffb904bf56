"""`python -m scenarios.repeating.worker`: virtual runs, one after another; a line of JSON in, one out.

It ends as soon as whoever started it closes its standard input or is gone, in the middle of a run too.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

import msgspec

from scenarios.repeating.once import Task, run_once


def main() -> None:
    """Work until there is nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this one to heed.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Nothing that prints can mix with the answers.
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    while True:
        outcome = run_once(msgspec.json.decode(tasks.get(), type=Task))
        answers.write(msgspec.json.encode(outcome) + b"\n")
        answers.flush()


def _read(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
