"""The secrets of a run that is over, found again in its folder: with its keys, and in the operator's plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from node.envelopes.envelope import NotAParty, Opened, Unreadable, unseal
from node.errors import PrivityError
from node.run_reading import RunReading
from scenarios.knowledge.rows import Matrix, Row
from scenarios.leaks.canaries import Secret
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.leaks.secret_forms import SHORTEST_BYTES
from scenarios.model.plan import plan
from scenarios.model.scenario import Scenario


def recovered(reading: RunReading, matrix: Matrix, scenario: Scenario | None) -> list[Secret]:
    """All keys, all that any key opens (whoever does is a reader), and the texts of the drawn plan.

    `matrix` is the one at the end. Of a transaction that nobody can open any more only the texts are known,
    and of one that was sent by hand not even these.
    """
    secrets = RunSecrets()
    for name in reading.network.names:
        try:
            secrets.add_keys(name, reading.keys(name))
        except PrivityError:
            continue  # The matrix says of whom the keys cannot be used.
    for row in matrix.rows:
        readers = frozenset(row.holders())
        opened = _opened(reading, row, sorted(readers))
        if opened is None or row.transaction is None:
            continue  # Its texts are in the plan, if that is known.
        secrets.add_sealed(opened, readers)
        seal = reading.network.sealed_for(row.transaction)
        if seal is not None:
            secrets.add_shares(row.transaction.header.core, opened.content_key, seal)
    return [*secrets.all, *(_planned(scenario) if scenario else ())]


def _opened(reading: RunReading, row: Row, holders: Sequence[str]) -> Opened | None:
    """The payload, by the first of its holders who opens it with a key of its own, as its sender does."""
    for name in holders:
        blob = reading.node(name).blob(row.id)
        if blob is None or row.transaction is None:
            continue
        try:
            return unseal(row.transaction, blob, reading.keys(name).wrapping)
        except (NotAParty, Unreadable, PrivityError):
            continue  # It was shown the content, or unsealed it together with others.
    return None


def _planned(scenario: Scenario) -> Iterator[Secret]:
    for send in plan(scenario):
        readers = frozenset((send.sender, *send.readers))
        for value in _texts(send.fields):
            if len(value.encode()) >= SHORTEST_BYTES:
                yield Secret(readers, "text", value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)
