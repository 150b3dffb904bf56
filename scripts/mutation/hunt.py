"""Runs seeds of the campaign until one is reported: `hunt.py FIRST COUNT`, the mutated packages on the path.

Prints one JSON line: the seed, how many seeds that took, and what was reported.
"""

from __future__ import annotations

import json
import sys

from scenarios.virtual.campaign import run


def main() -> None:
    """Hunt."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for tried in range(1, count + 1):
        seed = first + tried - 1
        try:
            broken = run(seed, signatures="modelled").broken
        except Exception as error:  # A replica that falls over is reported, too.
            broken = f"{type(error).__name__}: {error}"
        if broken:
            print(json.dumps({"seed": seed, "tried": tried, "broken": broken[:300]}))
            return
    print(json.dumps({"seed": None, "tried": count, "broken": ""}))


if __name__ == "__main__":
    main()
