"""What a report is made of: all that the run's folder tells, each part of it read once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from node.envelopes.payload import Leaf
from node.errors import PrivityError
from node.run_folder import RunFolder
from node.run_reading import Found, RunReading
from node.verbs.transaction_view import view_transaction
from scenarios.chains import Chain, read_chains
from scenarios.faults.record import FaultRecord, faulty
from scenarios.faults.record import read as read_faults
from scenarios.judging.course import Course, read_course
from scenarios.judging.journals import Kept, read_kept
from scenarios.kept import kept_scenario
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.metadata import Metadata, metadata_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.trials import Trials
from scenarios.model.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Content:
    """What the audience reads of one transaction."""

    name: str
    sender: str
    leaves: tuple[Leaf, ...]

    def __repr__(self) -> str:
        return f"Content({self.name})"


class Material:
    """A run, read for an audience: the name of a party that may see its own content, or None for the public.

    `verdict` is the document of `run --json`, None for a run that nobody judged (yet).
    Raises PrivityError: E-NO-RUN, E-JOURNAL, E-PARTY for an audience that is no party.
    """

    def __init__(self, folder: RunFolder, audience: str | None = None, *, judged: bool = True) -> None:
        self.folder = folder
        self.verdict: dict[str, Any] | None = None
        if judged and folder.verdict.exists():
            self.verdict = json.loads(folder.verdict.read_bytes())
        # A verdict that tells of blocks which do not follow must not keep them from being shown.
        told = self.verdict is not None and not self.verdict.get("replayed", {}).get("equal", True)
        self.reading = RunReading(folder, trusting=told)
        self.audience = None if audience is None else self.reading.party(audience, "--audience")
        self.names = self.reading.network.names
        self.trials = Trials(self.reading)

    @property
    def run(self) -> dict[str, Any]:
        """What run.json says."""
        return self.reading.run

    @property
    def file(self) -> str:
        """The scenario file as it was named on the command line, without folders of the maker's machine.

        A report is given away; an absolute path tells of its maker's home, and names no file for its reader.
        """
        file = PurePath(self.run.get("file", ""))
        return file.name if file.is_absolute() else str(file)

    @cached_property
    def scenario(self) -> Scenario | None:
        """The scenario as it ran, None if the folder does not have it."""
        try:
            return kept_scenario(self.folder)
        except PrivityError:
            return None

    @cached_property
    def chains(self) -> list[Chain]:
        """Each node's blocks, from its own disk."""
        return read_chains(self.folder, self.names)

    @cached_property
    def faults(self) -> list[FaultRecord]:
        """What became of each fault."""
        return read_faults(self.folder.faults)

    @cached_property
    def honest(self) -> list[str]:
        """Nodes that no fault made lie, or forget."""
        liars = faulty(self.faults)
        return [name for name in self.names if name not in liars]

    @cached_property
    def voters(self) -> list[str]:
        """All that take part in consensus."""
        return [member.name for member in self.reading.network.members if member.votes]

    @cached_property
    def course(self) -> Course:
        """What was committed when."""
        return read_course(self.folder, self.reading.network, self.honest)

    @cached_property
    def kept(self) -> Kept:
        """What honest voters have in their journals."""
        honest = [name for name in self.voters if name in self.honest]
        return read_kept(self.folder, self.reading.network, honest)

    @cached_property
    def matrix(self) -> Matrix:
        """Who can read what at the end."""
        return matrix_of(self.reading, At(), trials=self.trials)

    @cached_property
    def metadata(self) -> list[Metadata]:
        """Who learns what without reading, at the end."""
        return metadata_of(self.reading, self.matrix)

    @cached_property
    def content(self) -> list[Content]:
        """What the audience reads, with its own key, from its own folder. That it looked is written down."""
        if self.audience is None:
            return []
        found = []
        for row in self.matrix.rows:
            if self.audience in row.holders():
                assert row.transaction is not None, "it was opened"
                name = Found(row.id, self.reading.label(row.id))
                view = view_transaction(self.reading, name, self.audience)
                found.append(Content(row.name, row.transaction.header.core.sender, view.leaves))
        return found

    def reads(self, transactions: tuple[str, ...]) -> bool:
        """Whether the audience reads every one of these, named by their ids."""
        own = {content.name for content in self.content}
        return bool(transactions) and own.issuperset(transactions)
