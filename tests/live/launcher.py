"""Brings up broker, recorder and nodes, says what runs, and waits for its end. The tests decide which end.

`python -m tests.live.launcher FOLDER BROKER ENDING`: ENDING is wait, crash (an error that nobody catches) or
leave (ends without stopping anything).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import tests.stand_in
from scenarios.processes.supervisor import Supervisor

NODES = 4


async def main(folder: Path, broker_kind: str, ending: str) -> None:
    supervisor = Supervisor()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = await supervisor.start_broker(broker_kind, folder / "broker")
    print(json.dumps({"port": broker.address.port, "pids": [broker.pid]}), flush=True)
    await supervisor.start_recorder(folder / "broker" / "capture.bin", start_ms=0)
    for number in range(NODES):
        party = folder / "nodes" / f"party-{number}"
        party.mkdir(parents=True)
        # One of them does not care for SIGTERM.
        on_term = "ignore" if number == 0 else "exit"
        argv = [
            sys.executable,
            tests.stand_in.__file__,
            "--parent-pid",
            str(os.getpid()),
            "--on-term",
            on_term,
        ]
        supervisor.add_program(party.name, argv, party)
        await supervisor.start(party.name)
    pids = [broker.pid, supervisor.recorder_pid, *supervisor.pids.values()]
    print(json.dumps({"port": broker.address.port, "pids": pids}), flush=True)
    if ending == "crash":
        raise RuntimeError("an error that nobody catches")
    if ending == "leave":
        os._exit(0)
    await stop.wait()
    await supervisor.stop_all(grace_s=0.5)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
