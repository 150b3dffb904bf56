"""What seven answers amount to: who plays which part, and which requirement rests on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consensus.quorum import max_faulty
from scenarios.asking.questions import Judge

ENOUGH_VOTERS = 4  # The fewest that tolerate a faulty one.
TESTED, STATED, NOT_MET = "tested", "stated only", "not met"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the sheet. `status`: tested by the scenario, stated only, or not met by it."""

    text: str
    status: str
    by: str


@dataclass(frozen=True, slots=True)
class Case:
    """The answers, with names for what they mean. `opens_ms` is None for at once."""

    sender: str
    readers: tuple[str, ...]
    knowers: tuple[str, ...]
    excluded: tuple[str, ...]
    summers: tuple[str, ...]
    judge: Judge | None
    opens_ms: int | None
    harm: str

    @classmethod
    def of(cls, answers: Mapping[str, object]) -> Case:
        """The case of the answers that `questions.ask` gives."""
        act, know, never, totals, dispute, opens, harm = answers.values()
        assert isinstance(act, tuple) and isinstance(know, tuple) and isinstance(never, tuple)
        assert isinstance(totals, tuple) and isinstance(dispute, Judge | None)
        assert isinstance(opens, int | None) and isinstance(harm, str)
        return cls(act[0], act[1:], know, never, totals, dispute, opens, harm)

    @property
    def members(self) -> tuple[str, ...]:
        """Who acts on it: these vote."""
        return (self.sender, *self.readers)

    @property
    def outsiders(self) -> tuple[str, ...]:
        """Who follows the ledger and must not read it, each once."""
        return tuple(dict.fromkeys((*self.knowers, *self.excluded, *self.summers)))

    @property
    def witnesses(self) -> tuple[str, ...]:
        """Voters that are added, so that one may fail."""
        taken = {*self.members, *self.outsiders, self.judge.name if self.judge else ""}
        free = (f"witness-{number}" for number in range(1, 99) if f"witness-{number}" not in taken)
        return tuple(name for name, _ in zip(free, range(ENOUGH_VOTERS - len(self.members)), strict=False))

    @property
    def judge_is_apart(self) -> bool:
        """Whether the judge is nobody who was named before."""
        return self.judge is not None and self.judge.name not in self.outsiders

    def requirements(self) -> list[Requirement]:
        """All that follows from the answers, in the order of the questions."""
        found = [
            Requirement(
                f"{self.sender} says it; {_listed(self.readers)} can read it, and nobody else"
                f"{' until a dispute' if self.judge else ''}",
                TESTED,
                "check: readers",
            )
        ]
        if self.outsiders:
            found.append(
                Requirement(f"{_listed(self.outsiders)} cannot read it, at any time", TESTED, "check: denied")
            )
        if self.knowers:
            found.append(
                Requirement(
                    f"{_listed(self.knowers)} can see that it exists: every party's ledger orders it",
                    TESTED,
                    "check: agreement",
                )
            )
        if self.summers:
            found.append(
                Requirement(
                    f"{_listed(self.summers)} may learn a total of many such messages and no single one",
                    TESTED,
                    "check: denied; do: aggregate over the voters, check: learns_only",
                )
            )
        if self.judge is not None:
            what = _listed(self.judge.fields) if self.judge.fields else "all of it"
            found.append(
                Requirement(
                    f"in a dispute {self.judge.name} is shown {what}, with proof, on the record",
                    TESTED,
                    "do: request, do: disclose, check: readers",
                )
            )
        if self.opens_ms is not None:
            found.append(
                Requirement(
                    f"nobody reads it before {self.opens_ms / 1000:g} s have passed",
                    NOT_MET,
                    "needs a seal; here its readers have it at once",
                )
            )
        return found + self._about_dealing()

    def _about_dealing(self) -> list[Requirement]:
        if self.harm == "none":
            return []
        text = f"that {self.sender} deals with {_listed(self.readers)} stays between them"
        hidden = "recipients are hidden, but every party sees that the sender sent, when, and a size bucket"
        return [Requirement(text, STATED if self.harm == "some" else NOT_MET, hidden)]

    def unstated(self) -> list[str]:
        """What the answers leave open, as sentences."""
        voters = len(self.members) + len(self.witnesses)
        found = [
            f"How many faulty or lying voters must it bear? {voters} voters bear {max_faulty(voters)}.",
            f"How long may {_listed(self.readers)} wait for it? Add check: latency.",
            "How long may it be kept?",
            f"May {_listed(self.readers)} pass it on? No cryptography prevents it.",
        ]
        if self.witnesses:
            found.append(f"Who are the neutral voters? {_listed(self.witnesses)} stand in for them.")
        if self.judge is None:
            found.append("Who settles a dispute, if one comes up all the same?")
        if self.excluded:
            one = _listed(self.excluded)
            found.append(
                f"May {one} learn that it exists? As a party of this network everyone does; to rule that out,"
                f" keep {one} out of it."
            )
        if not self.summers:
            found.append("Is anything to be made of many of them, like a statistic?")
        return found


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
