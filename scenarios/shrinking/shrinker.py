"""Makes a document smaller, cut by cut, as long as it still breaks the same."""

from __future__ import annotations

import json
from collections.abc import Callable

from scenarios.shrinking.cutting import (
    Document,
    number_at,
    numbers_of,
    spelt_out,
    steps_of,
    with_nodes,
    with_parties,
    with_rules,
    with_steps,
    without_word,
)
from scenarios.shrinking.searching import smallest_list, smallest_number


class BudgetSpent(Exception):
    """No further run may be made."""


class Shrinker:
    """`best` is the smallest so far. `breaks` runs a document and raises BudgetSpent when it may not."""

    def __init__(self, document: Document, breaks: Callable[[Document], bool]) -> None:
        self.best = document
        self._breaks = breaks
        self._known: dict[str, bool] = {_key(document): True}

    def shrink(self, rule: int) -> bool:
        """Cut until nothing more can go; whether it came that far. `rule` is the place of the expectation
        that must stay broken, -1 if it is none that breaks."""
        try:
            self._try(spelt_out(self.best))
            # The others need not be judged at all; mostly this is right at once.
            if "expect" in self.best:
                self._try(with_rules(self.best, [rule] if rule >= 0 else []))
            before = None
            while before != self.best:
                before = self.best
                self._cut_lists()
                self._cut_words()
                self._cut_numbers()
        except BudgetSpent:
            return False
        return True

    def _try(self, document: Document) -> bool:
        key = _key(document)
        if key not in self._known:
            self._known[key] = self._breaks(document)
        if self._known[key]:
            self.best = document
        return self._known[key]

    def _cut_lists(self) -> None:
        self._cut_steps(faults=True)
        self._cut_steps(faults=False)
        whole = self.best
        smallest_list(
            list(whole["parties"]), lambda names: bool(names) and self._try(with_parties(whole, names))
        )
        for place in steps_of(self.best, faults=True):
            self._cut_nodes(place)
        rest = self.best
        smallest_list(range(len(rest.get("expect", ()))), lambda left: self._try(with_rules(rest, left)))

    def _cut_steps(self, *, faults: bool) -> None:
        whole = self.best
        smallest_list(
            steps_of(whole, faults=faults), lambda left: self._try(with_steps(whole, left, faults=faults))
        )

    def _cut_nodes(self, place: int) -> None:
        whole = self.best
        smallest_list(
            whole["steps"][place].get("nodes", []),
            lambda left: bool(left) and self._try(with_nodes(whole, place, left)),
        )

    def _cut_words(self) -> None:
        # Each success gives another document, whose words are looked at anew.
        while any(self._try(document) for document in without_word(self.best)):
            pass

    def _cut_numbers(self) -> None:
        for place, key in list(numbers_of(self.best)):
            self._cut_number(place, key)

    def _cut_number(self, place: int, key: str) -> None:
        value, floor, put = number_at(self.best, place, key)
        smallest_number(value, floor, lambda number: self._try(put(number)))


def _key(document: Document) -> str:
    return json.dumps(document, sort_keys=True)
