"""`scripts/bench KIND [--json]`: run one benchmark and print one document, or the same as a table."""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys

KINDS = {
    "live": "private transactions per second on processes and mosquitto",
    "calibrate": "time to finality: live, and as the virtual world predicts it from latencies measured live",
    "privacy": "seal, open, disclose, total: ratios to bare calls of `cryptography` for what they must do",
    "virtual": "consensus messages per second of CPU in the virtual world, invariants checked",
}


def main() -> None:
    """Parse, measure, print."""
    arguments = sys.argv[1:]
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    if not arguments or arguments[0] not in KINDS:
        sys.exit("usage: scripts/bench KIND [--json]\n" + "\n".join(f"  {k}  {v}" for k, v in KINDS.items()))
    kind = arguments[0]
    results = importlib.import_module(kind).results(arguments[1:])
    document = {
        "schema": "privity.bench/1",
        "kind": kind,
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": platform.machine(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "results": results,
    }
    if as_json:
        print(json.dumps(document))
        return
    for result in results:
        for name, value in result.items():
            print(f"{name:<24} {value:>16}" if isinstance(value, str) else f"{name:<24} {value:>16,}")


if __name__ == "__main__":
    main()
