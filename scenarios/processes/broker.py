"""The MQTT broker of a run: embedded, a private mosquitto, or one that is already there.

The broker is untrusted: it may drop, delay, repeat and reorder. Nothing here makes it more than a carrier.
"""

from __future__ import annotations

import asyncio
import errno
import getpass
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from node.broker_url import BrokerUrl
from node.errors import PrivityError
from node.private_files import make_private_folder, replace_private
from scenarios.processes.broker_probe import Protocol, answering_protocol
from scenarios.processes.child import Child, ProcessExit

Kind = Literal["embedded", "mosquitto", "url"]

LOOPBACK = "127.0.0.1"
START_S = 10.0  # A cold start on a busy machine included.
MAX_PACKET_BYTES = 16 << 20
# Debian puts daemons where an ordinary user's PATH does not look.
EXTRA_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
PORT_TRIES = 5


def find_mosquitto() -> str | None:
    """The path of mosquitto, on PATH or where systems hide daemons; None if there is none."""
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), *EXTRA_FOLDERS])
    return shutil.which("mosquitto", path=folders)


def mosquitto_config(port: int) -> str:
    """The configuration of a private instance: loopback only, nothing on disk, nothing dropped in silence.

    mosquitto's own limits drop QoS 1 messages without a word to anybody (1000 queued ones by default), and
    Nagle's algorithm makes 33 ms out of a hop of 0.35 ms.
    """
    # Started as root it would otherwise become another user, and with that the kernel drops the lifeline.
    return f"""\
user {getpass.getuser()}
listener {port} {LOOPBACK}
allow_anonymous true
persistence false
sys_interval 0
log_dest stderr
log_type error
log_type warning
log_type information
connection_messages false
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 200
max_packet_size {MAX_PACKET_BYTES}
set_tcp_nodelay true
"""


@dataclass(slots=True)
class RunningBroker:
    """A broker that answers. `repr` shows no password.

    A broker of the kinds `embedded` and `mosquitto` is ours to stop, kill and restart (always on its port);
    one that was named by its URL is not, and then `stop` and `kill` do nothing.
    """

    kind: Kind
    address: BrokerUrl
    protocol: Protocol
    _child: Child | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """With its password, if it has one: for memory and files of mode 600 only. Else use `public_url`."""
        return self.address.full

    @property
    def public_url(self) -> str:
        return self.address.public

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def ours(self) -> bool:
        return self._child is not None

    async def stop(self) -> None:
        """Stop it in order, within seconds."""
        if self._child is not None:
            await self._child.stop(grace_s=2.0)

    async def kill(self) -> None:
        """SIGKILL: what a fault does to it."""
        if self._child is not None:
            await self._child.kill()

    async def restart(self) -> None:
        """Stop it if it runs, and start it again on the same port. Sessions and retained messages are gone.

        Raises PrivityError E-PORT if another program has taken the port meanwhile.
        """
        if self._child is None:
            raise PrivityError(
                "E-BROKER",
                "this broker is not ours to restart",
                where=self.public_url,
                next="use --broker embedded or --broker mosquitto for a run that stops its broker",
            )
        await self.stop()
        await _listen(self._child, self.kind, self.address.port)


async def start_broker(
    choice: str,
    folder: Path,
    *,
    port: int | None = None,
    on_exit: Callable[[ProcessExit], None] | None = None,
) -> RunningBroker:
    """Start the broker that `choice` names (embedded, mosquitto, or a URL where one runs) and see it answer.

    `folder` takes its configuration and log. `port` asks for one loopback port; else a free one is found.
    `on_exit` hears of a broker of ours that ends without being stopped.
    Raises PrivityError: E-BROKER if it does not answer or is not installed, E-PORT if `port` is taken.
    """
    if choice == "embedded":
        start = _start_embedded
    elif choice == "mosquitto":
        start = _start_mosquitto
    else:
        address = BrokerUrl.parse(choice)
        return RunningBroker("url", address, await answering_protocol(address))
    make_private_folder(folder)
    if port is not None:
        return await start(folder, port, on_exit)
    for _ in range(PORT_TRIES - 1):
        try:
            return await start(folder, free_port(), on_exit)
        except PrivityError as error:
            # Between finding a free port and listening on it, somebody else may come first.
            if error.code != "E-PORT":
                raise
    return await start(folder, free_port(), on_exit)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def refuse_taken_port(port: int) -> None:
    """Raise PrivityError E-PORT if this process cannot listen on that loopback port."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise PrivityError(
            "E-PORT",
            f"port {port} is taken" if taken else f"port {port} cannot be used",
            where=f"{LOOPBACK}:{port}",
            why="another program listens there" if taken else (error.strerror or "the system refused it"),
            next="stop that program, name another port, or name none and a free one is found",
        ) from None
    except OverflowError:
        raise PrivityError("E-PORT", f"{port} is no port", next="name one from 1 to 65535") from None


async def _start_embedded(
    folder: Path, port: int, on_exit: Callable[[ProcessExit], None] | None
) -> RunningBroker:
    command = [sys.executable, "-m", "scenarios.processes.embedded_broker", "--port", str(port)]
    child = Child(
        "broker",
        [*command, "--parent-pid", str(os.getpid())],
        role="broker",
        log=folder / "broker.log",
        on_exit=on_exit,
    )
    await _listen(child, "embedded", port)
    return RunningBroker("embedded", BrokerUrl(tls=False, host=LOOPBACK, port=port), "3.1.1", child)


async def _start_mosquitto(
    folder: Path, port: int, on_exit: Callable[[ProcessExit], None] | None
) -> RunningBroker:
    program = find_mosquitto()
    if program is None:
        raise PrivityError(
            "E-BROKER",
            "mosquitto is not installed",
            why="no program of that name on PATH, nor in " + ", ".join(EXTRA_FOLDERS),
            next="apt-get install mosquitto (or brew install mosquitto), or use --broker embedded",
        )
    config = folder / "mosquitto.conf"
    replace_private(config, mosquitto_config(port).encode())
    child = Child(
        "broker",
        [program, "-c", str(config)],
        role="broker",
        log=folder / "broker.log",
        ours=False,
        on_exit=on_exit,
    )
    await _listen(child, "mosquitto", port)
    return RunningBroker("mosquitto", BrokerUrl(tls=False, host=LOOPBACK, port=port), "5", child)


async def _listen(child: Child, kind: Kind, port: int) -> None:
    """Start `child`, and return once it and nobody else answers on `port`. A failed start leaves nothing."""
    refuse_taken_port(port)
    try:
        async with asyncio.timeout(START_S):
            if kind == "embedded":
                line = await child.start(announces=True)
                started = line == json.dumps({"port": port})
            else:
                before = child.log.stat().st_size if child.log.exists() else 0
                await child.start()
                started = await _says_running(child, before)
            if started:
                await answering_protocol(BrokerUrl(tls=False, host=LOOPBACK, port=port))
                return
    except TimeoutError:
        pass
    except BaseException:
        await asyncio.shield(child.kill())
        raise
    await child.kill()
    refuse_taken_port(port)
    raise PrivityError(
        "E-BROKER",
        f"the {kind} broker did not start",
        where=f"{LOOPBACK}:{port}",
        why=child.last_line() or f"it said nothing for {START_S:.0f} s",
        next=f"see {child.log}",
    )


async def _says_running(child: Child, skip_bytes: int) -> bool:
    """Whether mosquitto writes "running" to its log before it ends.

    A connection alone would prove little: another program may have the port, and mosquitto be giving up.
    """
    while child.running:
        with child.log.open("rb") as file:
            file.seek(skip_bytes)
            if b" running" in file.read():
                return True
        await asyncio.sleep(0.01)
    return False
