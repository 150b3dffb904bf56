"""The seven questions, and what counts as an answer to each.

They are asked about one kind of message between organisations: an offer, an order, a finding. Whoever answers
them has requirements in the end, in words that a test can hold against a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.duration import parse_duration_ms
from node.errors import WRONG_USAGE, PrivityError
from scenarios.model.names import wrong_with_name

NOBODY = frozenset(("nobody", "none", "no one", "no", "-", ""))
AT_ONCE = frozenset(("at once", "now", "immediately", ""))
HARMS = ("none", "some", "grave")


class Unanswered(Exception):
    """The answer is not one. The text says what would be."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its key, what is asked, what an answer looks like, what an empty one means ("" if it
    means nothing), and how to read it.
    """

    key: str
    text: str
    form: str
    default: str
    read: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Judge:
    """Who settles disputes, and which fields of the message it would have to see; none means all."""

    name: str
    fields: tuple[str, ...] = ()


def names(answer: str) -> tuple[str, ...]:
    """Names of parties: words separated by commas or spaces, or nobody. Raises Unanswered."""
    if answer.strip().lower() in NOBODY:
        return ()
    found = dict.fromkeys(answer.replace(",", " ").replace(" and ", " ").lower().split())
    for name in found:
        if reason := wrong_with_name(name):
            raise Unanswered(f"{name}: {reason}")
    return tuple(found)


def parties(answer: str) -> tuple[str, ...]:
    """At least two names. Raises Unanswered."""
    found = names(answer)
    if len(found) < 2:
        raise Unanswered("name at least two: who says it, then who acts on it")
    return found


def judge(answer: str) -> Judge | None:
    """`auditor`, `auditor: price date`, or nobody. Raises Unanswered."""
    who, _, what = answer.partition(":")
    found = names(who)
    if len(found) > 1:
        raise Unanswered("one name, and after a colon the fields it would need to see")
    if not found:
        return None
    fields = tuple(dict.fromkeys(what.replace(",", " ").split()))
    if bad := [field for field in fields if not field.replace("_", "").isalnum()]:
        raise Unanswered(f"{bad[0]}: a field is one word of letters, digits and _")
    return Judge(found[0], fields)


def opening(answer: str) -> int | None:
    """Milliseconds after which it may be read, or None: at once. Raises Unanswered."""
    if answer.strip().lower() in AT_ONCE:
        return None
    try:
        return parse_duration_ms(answer.strip(), where="answer")
    except PrivityError:
        raise Unanswered("at once, or a time with a unit, like 12s or 5min") from None


def harm(answer: str) -> str:
    """none, some or grave. Raises Unanswered."""
    word = answer.strip().lower() or HARMS[0]
    if word not in HARMS:
        raise Unanswered("none, some or grave")
    return word


QUESTIONS = (
    Question(
        "act", "Who must be able to act on it? First whoever says it.", "names: acme, city", "", parties
    ),
    Question("know", "Who else must know that it exists, and not what it says?", "names", "nobody", names),
    Question("never", "Who must never learn what it says, even later?", "names", "nobody", names),
    Question("totals", "May anyone learn totals over many, and no single one?", "names", "nobody", names),
    Question(
        "dispute",
        "Who settles a dispute, and what would they need to see?",
        "a name, and after a colon the fields: auditor: price, date",
        "nobody",
        judge,
    ),
    Question("opens", "When does it become readable?", "at once, or a time: 12s", "at once", opening),
    Question("harm", "What harm if the fact that they deal at all leaks?", "none, some, grave", "none", harm),
)


def ask(next_answer: Callable[[Question, str], str | None]) -> Mapping[str, object]:
    """All answers by key. `next_answer` is given the question and what was wrong with the last answer to it,
    if anything was; None means that there are no more answers, or that this one cannot be mended.

    Raises PrivityError (wrong usage): E-ANSWER.
    """
    answers: dict[str, object] = {}
    for number, question in enumerate(QUESTIONS, 1):
        complaint = ""
        while question.key not in answers:
            answer = next_answer(question, complaint)
            if answer is None:
                raise PrivityError(
                    "E-ANSWER",
                    f"question {number} of {len(QUESTIONS)} has no answer",
                    where=question.text,
                    why=complaint or "standard input ended before",
                    next=f"answer with {question.form}; one line for each question",
                    exit_code=WRONG_USAGE,
                )
            try:
                found = question.read(answer)
                _agrees(question.key, found, answers)
            except Unanswered as reason:
                complaint = str(reason)
            else:
                answers[question.key] = found
    return answers


def _agrees(key: str, found: object, answers: Mapping[str, object]) -> None:
    """Nobody can be both: told it, and kept from it."""
    act = set(answers.get("act", ()))  # type: ignore[call-overload]
    never = set(answers.get("never", ()))  # type: ignore[call-overload]
    if key in ("know", "never", "totals"):
        assert isinstance(found, tuple)
        if both := sorted(act & set(found)):
            raise Unanswered(f"{both[0]} must be able to act on it (question 1), and so reads it")
    if isinstance(found, Judge):
        if found.name in never:
            raise Unanswered(f"{found.name} must never learn it (question 3): who cannot see cannot judge")
        if found.name in act:
            raise Unanswered(f"{found.name} acts on it (question 1): nobody judges their own case")
