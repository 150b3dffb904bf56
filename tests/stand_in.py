"""A program that stands where a node stands: it dies with its parent, and otherwise does as it is told.

`python stand_in.py --parent-pid PID [--on-term exit|ignore] [--say TEXT] [--fail CODE]
[--portable [--reads]]`
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from node.lifeline import die_with_parent


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--on-term", choices=("exit", "ignore"), default="exit")
    parser.add_argument("--say", default="")
    parser.add_argument("--fail", type=int)
    parser.add_argument("--up", type=Path, help="this file is made once it is up, and holds its environment")
    parser.add_argument("--portable", action="store_true")
    parser.add_argument("--reads", action="store_true", help="standard input is for itself")
    arguments = parser.parse_args()
    if arguments.portable:
        die_with_parent(arguments.parent_pid, use_kernel=False, stdin_is_used=arguments.reads)
    else:
        die_with_parent(arguments.parent_pid)
    if arguments.on_term == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if arguments.say:
        print(arguments.say, file=sys.stderr, flush=True)
    if arguments.up is not None:
        arguments.up.write_text("\n".join(f"{name}={value}" for name, value in os.environ.items()))
    if arguments.fail is not None:
        return arguments.fail
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
