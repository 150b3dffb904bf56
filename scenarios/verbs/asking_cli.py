"""`privity init --ask`: the seven questions on a terminal, or seven lines of standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from node.errors import WRONG_USAGE, PrivityError
from scenarios.asking.questions import QUESTIONS, Question, ask
from scenarios.asking.requirements import Case
from scenarios.asking.writing import scenario_text, sheet_text
from scenarios.model.loading import parse_scenario

DEFAULT = Path("my-network.yaml")


def written_by_answers(output: Path | None) -> dict[Path, str]:
    """Ask, and give the texts of the scenario and of its requirement sheet by file. Raises PrivityError."""
    path = output or DEFAULT
    name = path.stem
    sheet = path.with_name(f"{name}-requirements.md")
    for file in (path, sheet):
        if file.exists():  # Before anybody has typed seven answers for nothing.
            raise PrivityError(
                "E-FILE",
                f"{file} is there already",
                why="init never overwrites",
                next="give another name with --output",
                exit_code=WRONG_USAGE,
            )
    words: dict[str, str] = {}
    asker = _Asker(sys.stdin, sys.stderr, words)
    case = Case.of(ask(asker))
    text = scenario_text(case, name)
    parse_scenario(text, str(path), default_name=name)  # Nothing is written that does not load.
    return {path: text, sheet: sheet_text(case, name, words)}


class _Asker:
    """Prompts only where somebody sits; keeps the words that were good answers."""

    def __init__(self, answers: TextIO, narration: TextIO, words: dict[str, str]) -> None:
        self._answers, self._narration, self._words = answers, narration, words
        self._talks = answers.isatty()
        self._asked = 0

    def __call__(self, question: Question, complaint: str) -> str | None:
        if complaint and not self._talks:
            return None
        if self._talks:
            self._prompt(question, complaint)
        line = self._answers.readline()
        if not line:
            return None
        self._words[question.key] = line.strip()
        return line

    def _prompt(self, question: Question, complaint: str) -> None:
        if complaint:
            print(f"   {complaint}", file=self._narration)
        else:
            self._asked += 1
            print(f"{self._asked}/{len(QUESTIONS)}  {question.text}", file=self._narration)
        empty = f"; Enter: {question.default}" if question.default else ""
        print(f"   ({question.form}{empty}) ", end="", file=self._narration, flush=True)
