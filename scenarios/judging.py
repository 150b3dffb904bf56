"""Judging a run by what it left behind: disks, keys, logs, the recorder's capture. Three-valued.

An expectation holds, is broken, or could not be confirmed. Nothing here asks a node: it could be lying.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from node.consortium import Network
from node.errors import PrivityError
from node.run_folder import RunFolder
from scenarios.chains import Chain, behind, first_disagreement
from scenarios.knowledge.broker_view import read_broker
from scenarios.knowledge.matrix import Matrix, build_matrix
from scenarios.leaks.canaries import Artefact, ScanBroken, ScanResult, scan
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.model.scenario import (
    END,
    Agreement,
    Denied,
    Expectation,
    Height,
    Moment,
    NoPlaintext,
    Readers,
    Scenario,
)
from scenarios.operating import Sent

Outcome = Literal["holds", "broken", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one expectation. `detail` is one line; `more` says where to look further."""

    check: str
    line: int
    result: Outcome
    detail: str
    more: str = ""


@dataclass(slots=True)
class Evidence:
    """All that the judge may look at."""

    scenario: Scenario
    folder: RunFolder
    network: Network
    sent: dict[str, Sent]
    chains: list[Chain]
    secrets: RunSecrets
    settled: bool
    ended: tuple[str, ...] = ()  # Nodes, broker, recorder that ended by themselves.
    invariants: tuple[str, ...] = ()  # What the virtual world's checkers found broken, in words.
    _matrices: dict[Moment, Matrix] = field(default_factory=dict)
    _scans: dict[frozenset[str], ScanResult] = field(default_factory=dict)

    def matrix(self, at: Moment) -> Matrix:
        """Who could read what at this moment, by trying."""
        if at not in self._matrices:
            text = "end" if at == END else f"{at}ms"
            self._matrices[at] = build_matrix(self.folder, text)
        return self._matrices[at]

    def scan(self, stores: frozenset[str]) -> ScanResult:
        """Look for every secret of the run in these stores: logs, broker, ledgers."""
        if stores not in self._scans:
            found = artefacts(self.folder, stores)
            try:
                self._scans[stores] = scan(
                    self.secrets.all, found, root=self.folder.path, public=self._public()
                )
            except ScanBroken as broken:
                raise PrivityError(
                    "E-SCAN",
                    "the leak scan cannot be trusted",
                    where=str(self.folder.path),
                    why=str(broken),
                    next="nothing is known of leaks; look at that file",
                ) from None
        return self._scans[stores]

    @property
    def recorded(self) -> bool:
        """Whether the recorder heard all that the broker carried."""
        return "recorder" not in self.ended and read_broker(self.folder.capture).complete

    def _public(self) -> list[str]:
        """Words that stand in public places by right, and are no leak even if a payload holds them too."""
        return [self.scenario.file, *self.scenario.public_texts.values()]


def artefacts(folder: RunFolder, stores: frozenset[str]) -> list[Artefact]:
    """What a scan reads, each with the party that owns it, if one does.

    A party's own keys may lie in its own folder; everything else is searched for what its owner may not have.
    """
    found: list[Artefact] = []
    for name in folder.node_names():
        own = folder.node(name)
        if "ledgers" in stores:
            found.append(Artefact(own, name))  # All of it, whatever a node may put there one day.
        if "logs" in stores:
            # Logs go to others when people ask for help: nobody's secrets belong there, the owner's neither.
            found += [Artefact(own / part, None) for part in ("events.jsonl", "stderr.log")]
    if "logs" in stores:
        found += [Artefact(folder.events, None), Artefact(folder.operator_events, None)]
        found.append(Artefact(folder.operator / "up.log", None))  # What the run in the background printed.
        found += [Artefact(folder.run_json, None), Artefact(folder.genesis, None)]
    if "broker" in stores:
        found.append(Artefact(folder.broker, None))
    return [artefact for artefact in found if artefact.path.exists()]


def judge(evidence: Evidence) -> list[Judgement]:
    """Judge every expectation of the scenario, in the order of the file."""
    return [
        _JUDGES[type(expectation)](evidence, expectation) for expectation in evidence.scenario.expectations
    ]


def _agreement(evidence: Evidence, wanted: Agreement) -> Judgement:
    chains = evidence.chains
    if difference := first_disagreement(chains):
        return _judgement(wanted, "broken", difference, "privity logs --ev block.commit")
    if late := behind(chains):
        return _judgement(
            wanted, "unconfirmed", f"behind the others: {' '.join(late)}", "privity logs --ev block.commit"
        )
    gone = [name for name in evidence.ended if name in evidence.network.names]
    if gone or not evidence.settled:
        detail = f"{' '.join(gone)} ended by itself" if gone else "the nodes did not come to rest in time"
        return _judgement(wanted, "unconfirmed", detail, "privity logs --level warn")
    height = max(chain.height for chain in chains)
    return _judgement(wanted, "holds", f"{len(chains)} nodes hold the same {height} blocks and state roots")


def _readers(evidence: Evidence, wanted: Readers) -> Judgement:
    def compare(readers: set[str]) -> tuple[Outcome, str]:
        return _compare(readers, set(wanted.parties), evidence.settled)

    return _each(evidence, wanted, set(evidence.network.names), compare)


def _compare(readers: set[str], expected: set[str], settled: bool) -> tuple[Outcome, str]:
    extra, lacking = readers - expected, expected - readers
    said = f"expected {_names(expected)}"
    if extra:
        return "broken", f"{said}; {_names(extra)} can read it too"
    if lacking:
        # Fewer than predicted is no leak; once all is delivered it is a broken promise all the same.
        return ("broken" if settled else "unconfirmed"), f"{said}; {_names(lacking)} cannot read it"
    return "holds", f"read by {_names(readers)}"


def _denied(evidence: Evidence, wanted: Denied) -> Judgement:
    def compare(readers: set[str]) -> tuple[Outcome, str]:
        reading = readers & set(wanted.parties)
        if reading:
            return "broken", f"{_names(reading)} can read it"
        return "holds", f"denied to {_names(set(wanted.parties))}"

    return _each(evidence, wanted, set(wanted.parties), compare)


def _each(
    evidence: Evidence,
    wanted: Readers | Denied,
    judged: set[str],
    compare: Callable[[set[str]], tuple[Outcome, str]],
) -> Judgement:
    """Judge each transaction that the expectation speaks of; the first that does not hold decides.

    `judged` are the parties whose reading matters. If one of them could not be tried, nothing holds (P33).
    """
    more = f"privity who-sees {wanted.tx}"
    worst: Judgement | None = None
    last = ""
    for name in wanted.transactions:
        sent = evidence.sent.get(name)
        at = "" if wanted.at == END else f" at {wanted.at / 1000:g}s"
        if sent is None or not _ordered(evidence, sent, wanted.at):
            outcome, detail = "unconfirmed", "it was not ordered by then" if sent else "it was never sent"
        else:
            matrix = evidence.matrix(wanted.at)
            outcome, detail = compare(matrix.readers(sent.tx.hex()))
            if outcome != "broken" and (unsure := matrix.untried & judged):
                outcome, detail = "unconfirmed", f"it could not be told what {_names(unsure)} can read"
        last = detail
        if outcome == "broken":
            return _judgement(wanted, "broken", f"{name}{at}: {detail}", more)
        if outcome == "unconfirmed" and worst is None:
            worst = _judgement(wanted, "unconfirmed", f"{name}{at}: {detail}", more)
    if worst is not None:
        return worst
    count = len(wanted.transactions)
    return _judgement(wanted, "holds", f"{wanted.tx}: {last}" if count == 1 else f"{wanted.tx}: all {count}")


def _ordered(evidence: Evidence, sent: Sent, at: Moment) -> bool:
    """Whether the transaction was on every ledger at that moment: who cannot read what is not there?"""
    tx, matrix = sent.tx.hex(), evidence.matrix(at)
    return _executed_everywhere(evidence, sent) and tx in matrix and matrix.ordered(tx)


def _executed_everywhere(evidence: Evidence, sent: Sent) -> bool:
    return all(sent.tx.hex() in chain.executed for chain in evidence.chains)


def _height(evidence: Evidence, wanted: Height) -> Judgement:
    limit = None if wanted.at == END else evidence.network.created_ms + wanted.at
    heights = {chain.node: chain.height_at(limit) for chain in evidence.chains}
    lowest, highest = min(heights.values()), max(heights.values())
    said = f"{lowest}" if lowest == highest else f"{lowest} to {highest}"
    good = (wanted.least is None or lowest >= wanted.least) and (
        wanted.exactly is None or lowest == highest == wanted.exactly
    )
    wish = f"at least {wanted.least}" if wanted.least is not None else f"exactly {wanted.exactly}"
    detail = f"height {said}, expected {wish}"
    return _judgement(wanted, "holds" if good else "broken", detail, "privity logs --ev block.commit")


def _no_plaintext(evidence: Evidence, wanted: NoPlaintext) -> Judgement:
    result = evidence.scan(frozenset(wanted.stores))
    if result.found:
        first = result.found[0]
        detail = f"{len(result.found)} found, the first a {first.kind} as {first.form} in {first.path}"
        return _judgement(wanted, "broken", detail)
    if not evidence.sent:
        return _judgement(wanted, "unconfirmed", "no transaction was sent, so there was nothing to look for")
    if "broker" in wanted.stores and not evidence.recorded:
        return _judgement(wanted, "unconfirmed", "the recorder missed a part of what the broker carried")
    where = ", ".join(wanted.stores)
    return _judgement(wanted, "holds", f"0 of {result.searched} secrets found in {where}")


_JUDGES: dict[type, Callable[..., Judgement]] = {
    Agreement: _agreement,
    Readers: _readers,
    Denied: _denied,
    Height: _height,
    NoPlaintext: _no_plaintext,
}


def _judgement(wanted: Expectation, result: Outcome, detail: str, more: str = "") -> Judgement:
    return Judgement(wanted.check, wanted.line, result, detail, more if result != "holds" else "")


def _names(parties: set[str] | Sequence[str]) -> str:
    return " ".join(sorted(parties)) or "nobody"


def incidents(evidence: Evidence) -> list[str]:
    """What keeps a run from passing, whatever its expectations say; each in words."""
    found = [*evidence.invariants, *(f"{name} ended by itself" for name in evidence.ended)]
    if not found and not evidence.settled:
        found.append("the nodes did not come to rest in time")
    absent = [name for name, sent in evidence.sent.items() if not _executed_everywhere(evidence, sent)]
    if absent:
        names = " ".join(absent[:5]) + (" ..." if absent[5:] else "")
        found.append(f"{len(absent)} of {len(evidence.sent)} transactions are not on every ledger: {names}")
    if not evidence.recorded:
        found.append("the recorder did not hear all that the broker carried")
    return found


def plan_differences(evidence: Evidence) -> list[str]:
    """Transactions whose readers at the end are not those of the drawn plan, each in words."""
    differences = []
    matrix = evidence.matrix(END)
    for name, sent in evidence.sent.items():
        readers = matrix.readers(sent.tx.hex())
        planned = {sent.planned.sender, *sent.planned.readers}
        if readers != planned and _ordered(evidence, sent, END):
            differences.append(f"{name}: planned {_names(planned)}, can read {_names(readers)}")
    return differences
