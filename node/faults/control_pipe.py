"""The lines of an operator on standard input, answered on standard output, beside all that a node does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from node.faults.control import MAX_LINE

# What standard input gives at a time.
CHUNK = 64 << 10


class Lines:
    """Cuts bytes into lines. Of a line that is too long only as much is kept as shows that it is."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes end, without what ends them; blank ones left out."""
        *ended, rest = data.split(b"\n")
        lines = []
        for part in ended:
            self._keep(part)
            lines.append(bytes(self._begun))
            self._begun.clear()
        self._keep(rest)
        return [line for line in lines if line.strip()]

    def _keep(self, part: bytes) -> None:
        self._begun += part[: MAX_LINE + 1 - len(self._begun)]


async def answer_lines(answer: Callable[[bytes], dict[str, Any]]) -> None:
    """Answer each line in turn, until standard input ends. That it ends means nothing."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    lines = Lines()
    try:
        while data := await reader.read(CHUNK):
            for line in lines.feed(data):
                # A print, since an answer is short and whoever asks waits for it.
                print(msgspec.json.encode(answer(line)).decode(), flush=True)
    except OSError:
        pass  # The operator is gone, and with it who could ask.
    finally:
        transport.close()
