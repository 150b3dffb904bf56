"""The command line as a user has it, run in this process: arguments in, exit code and both streams out."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scenarios import cli


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        assert self.out, f"exit code {self.code}, and nothing but: {self.err}"
        document: dict[str, Any] = json.loads(self.out)
        return document


class Privity:
    """`privity(home, "send", ...)`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, home: Path, *arguments: str, stdin: bytes = b"") -> Outcome:
        self._monkeypatch.setenv("PRIVITY_HOME", str(home))
        self._monkeypatch.setattr(sys, "argv", ["privity", *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        self._capsys.readouterr()
        try:
            code = cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        streams = self._capsys.readouterr()
        return Outcome(code, streams.out, streams.err)
