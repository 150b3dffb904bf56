"""The broker that needs nothing installed: amqtt, in a process of its own.

`python -m scenarios.processes.embedded_broker --port 0 --parent-pid PID` prints {"port": 43817} when it
listens on that loopback port, and runs until SIGTERM. It speaks MQTT 3.1.1, to anybody on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from node.lifeline import die_with_parent

SHUTDOWN_S = 1.0
CANNOT_LISTEN = 5


async def serve(port: int) -> int:
    """Listen on 127.0.0.1:`port` (0: any free one) until SIGTERM. The exit code."""
    stop = asyncio.Event()
    # SIGINT as well: run by hand, in a terminal.
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except (OSError, BrokerError) as error:
        print(f"cannot listen on 127.0.0.1:{port}: {error}", file=sys.stderr)
        return CANNOT_LISTEN
    # amqtt has no public way to say which port it was given.
    sockets = broker._servers["default"].instance.sockets
    print(json.dumps({"port": sockets[0].getsockname()[1]}), flush=True)
    # Nobody reads standard output from here on: what is still printed goes to the log instead.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    await stop.wait()
    # It waits for clients that linger; the sockets close with the process anyway.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(broker.shutdown(), SHUTDOWN_S)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="embedded_broker", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--parent-pid", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.parent_pid is not None:
        die_with_parent(arguments.parent_pid)
    # Its ordinary chatter names topics and client ids, line upon line.
    logging.basicConfig(level=logging.CRITICAL)
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    code = asyncio.run(serve(arguments.port))
    sys.stderr.flush()
    # Straight out: a client's half-open connection must not keep the process, or the port, a moment longer.
    os._exit(code)


if __name__ == "__main__":
    main()
