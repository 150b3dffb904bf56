"""What is wrong with a document that is well-formed, collected while it is resolved."""

from __future__ import annotations

from scenarios.model.problems import Problem
from scenarios.model.refusals import problem_at
from scenarios.model.source import Path, Source


class Complaints:
    """The problems of one file, each at its place."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._source = source

    def at(self, path: Path, code: str, message: str) -> None:
        """A problem with the value at `path`, or with what is missing there."""
        span = self._source.nearest(path).place
        self.problems.append(problem_at(self._source, path, span, code, message))

    def at_key(self, path: Path, code: str, message: str) -> None:
        """A problem with the key at `path`."""
        entry = self._source.nearest(path)
        self.problems.append(problem_at(self._source, path, entry.key or entry.place, code, message))
