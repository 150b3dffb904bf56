"""Who holds what only its owner's rule forbids (cell K): by the consents on the chain, at one moment.

Keys and disclosures say who can read. This says from whom its owner has taken that back, or to whom it was
shown by somebody who was not to: they can read it all the same, alone, so the cell is `could read alone`.
"""

from __future__ import annotations

from node.chain.standing import Place, Standing
from node.run_reading import RunReading
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import Matrix, Row


def apply_rules(matrix: Matrix, reading: RunReading) -> None:
    """Say of every row whom a rule binds at the moment of the matrix, and in its notes why."""
    standing = Standing.of(reading.highest().acts())
    until = _until(reading, matrix.at)
    for row in matrix.rows:
        if row.transaction is None:
            continue
        owner = row.transaction.header.core.sender
        for name in [name for name, known in row.knows.items() if known and name != owner]:
            if why := _why(row, owner, name, standing, until):
                row.bound[name] = why
                matrix.notes.append(f"{row.name}: {name} can still read it alone, only a rule forbids: {why}")


def _why(row: Row, owner: str, name: str, standing: Standing, until: Place) -> str:
    """Why this party must not read what it can, in words; nothing if it may."""
    state = standing.state(row.id, owner, row.rule, name, until)
    if state is not None and not state.agreed:
        return f"{'consent ended' if state.ends else 'revoked'} in block {state.height}"
    shown = row.shown.get(name, ())
    if row.knows[name].key is not None or not shown:
        return ""
    against = [
        (place, discloser)
        for place, discloser in shown
        if standing.forbids(row.id, owner, row.rule, discloser, [name], place)
    ]
    if len(against) < len(shown):
        return ""
    place, discloser = min(against)
    return f"shown by {discloser} without consent in block {place[0]}"


def _until(reading: RunReading, at: At) -> Place:
    """The first place of the chain that is after this moment."""
    chain = reading.highest()
    if at.height is not None:
        return at.height + 1, 0
    if at.t_ms is None:
        return chain.height + 1, 0
    created_ms = reading.network.created_ms
    past = [block.height for block in chain.blocks if block.header.time_ms - created_ms <= at.t_ms]
    return max(past, default=0) + 1, 0
