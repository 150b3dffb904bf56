"""What is wrong with a scenario file, collected: every error of one reading, at its line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import SCENARIO_INVALID, PrivityError
from node.text import plain


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` and `column` count from 1; a problem of the whole file has neither.

    `message` and `excerpt` never hold a value of a payload: whoever makes one sees to that.
    """

    code: str
    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    excerpt: tuple[str, ...] = ()

    def place(self, file: str) -> str:
        """`tender.yaml:28:15`, or the file alone."""
        return file if self.line is None else f"{file}:{self.line}:{self.column}"


class ScenarioInvalid(PrivityError):
    """A scenario that was refused, with every problem found in it, in the order of the file. Exit code 4."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        assert problems, "a refusal needs a reason"
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
        last = self.problems[-1]
        super().__init__(
            last.code,
            f"{_count(self.problems)}, nothing was started",
            where=file,
            next=f"privity explain {last.code}",
            exit_code=SCENARIO_INVALID,
        )

    def lines(self) -> list[str]:
        """The message as a user sees it, line by line."""
        return self.render().splitlines()

    def render(self, ascii: bool = False) -> str:
        """A line for each problem in aligned columns, excerpts where they help, and what to do next."""
        places = [problem.place(self.file) for problem in self.problems]
        place_width = max(len(place) for place in places)
        path_width = max(len(problem.path) for problem in self.problems)
        message_width = max(len(problem.message) for problem in self.problems)
        lines = []
        for place, problem in zip(places, self.problems, strict=True):
            path = f"{problem.path:<{path_width}}   " if path_width else ""
            message = f"{problem.message:<{message_width}}"
            lines.append(f"✗ {place:<{place_width}}  {path}{message}  {problem.code}")
            # One sign for one, not three dots: the marks below a line must stay below their word.
            lines += [line.replace("…", "~") if ascii else line for line in problem.excerpt]
        lines.append(f"{self.what}.   {self.next}        exit {self.exit_code}")
        return "\n".join(plain(line, ascii_only=ascii) for line in lines)


def _count(problems: Sequence[Problem]) -> str:
    return "1 error" if len(problems) == 1 else f"{len(problems)} errors"
