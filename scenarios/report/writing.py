"""Writing a report: made, searched for what its audience may not read, and only then kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.errors import PrivityError
from node.private_files import replace_private
from node.run_folder import RunFolder
from scenarios.judging.evidence import artefacts
from scenarios.leaks.canaries import Artefact, Finding, ScanBroken, ScanResult, Secret, scan
from scenarios.leaks.recovered import recovered
from scenarios.model.scenario import NoPlaintext, Scenario
from scenarios.report.material import Material
from scenarios.report.page import audience_of, page
from scenarios.verdict import ALL_STORES

STORES = "logs, broker capture, ledgers"


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written, and what the leak scan says; `where` is what was searched beside it."""

    path: Path
    size: int
    audience: str
    searched: int
    found: tuple[Finding, ...]
    where: str

    @property
    def lines(self) -> list[str]:
        """What the command says of it."""
        facts = f"{self.size / 1000:.0f} kB, one file, opens offline; audience {self.audience}"
        places = f"{self.where}, this report" if self.where else "this report"
        lines = [
            f"wrote {self.path}  {facts}",
            f"canary scan: {len(self.found)} of {self.searched} secrets found in {places}",
        ]
        return lines + [f"✗ a {each.kind} as {each.form} in {each.path}" for each in self.found[:5]]


def write_report(folder: RunFolder, path: Path, audience: str | None = None) -> Written:
    """The report of a run in its folder; logs, capture and ledgers are searched once more with it.

    Raises PrivityError: E-LEAK when the report would hold what its audience may not read; E-SCAN; and as
    `Material` does.
    """
    material = Material(folder, audience)
    secrets = recovered(material.reading, material.matrix, material.scenario)
    size = keep(material, path, secrets)
    beside = _scan(secrets, artefacts(folder, ALL_STORES), material, folder.path)
    return Written(path, size, audience_of(material), beside.searched, beside.found, STORES)


def write_of_run(folder: RunFolder, path: Path, secrets: Sequence[Secret]) -> Written:
    """The public report of a run that was judged just now: its own memory of its `secrets` is complete."""
    material = Material(folder)
    size = keep(material, path, secrets)
    searched = material.verdict["canaries"]["searched"] if material.verdict else len(secrets)
    return Written(path, size, audience_of(material), searched, (), "")


def write_draft(folder: RunFolder) -> None:
    """The public report as it is before the verdict, for the run's own leak scan to search."""
    replace_private(folder.report, page(Material(folder, judged=False)).encode())


def searched_for(scenario: Scenario) -> bool:
    """Whether the scenario wants the report to be searched for secrets."""
    return any(isinstance(each, NoPlaintext) and "report" in each.stores for each in scenario.expectations)


def keep(material: Material, path: Path, secrets: Iterable[Secret]) -> int:
    """Search the page where nobody else can open it, then keep it. The number of its bytes."""
    content = page(material).encode()
    with tempfile.TemporaryDirectory(prefix="privity-") as private:
        made = Path(private) / "report.html"
        made.write_bytes(content)
        result = _scan(_of_report(secrets), [Artefact(made, material.audience)], material, Path(private))
    if result.found:
        first = result.found[0]
        raise PrivityError(
            "E-LEAK",
            f"a secret would stand in the report for {audience_of(material)}",
            where=str(path),
            why=f"{len(result.found)} found, the first a {first.kind} as {first.form}",
            next="nothing was written; look whether about: or a title of the scenario repeats a payload",
        )
    replace_private(path, content)
    return len(content)


def _of_report(secrets: Iterable[Secret]) -> list[Secret]:
    """A reader may find his texts in a report, and nobody his keys or salts."""
    return [
        secret if secret.kind == "text" else Secret(frozenset(), secret.kind, secret.value)
        for secret in secrets
    ]


def _scan(secrets: Iterable[Secret], found: Sequence[Artefact], material: Material, root: Path) -> ScanResult:
    """What of these may not lie there. Names and titles of parties are public whatever a payload says."""
    public = [material.file, *(material.scenario.public_texts.values() if material.scenario else ())]
    try:
        return scan(secrets, found, root=root, public=public)
    except ScanBroken as broken:
        raise PrivityError(
            "E-SCAN",
            "the leak scan cannot be trusted",
            where=str(root),
            why=str(broken),
            next="nothing is known of leaks; look at that file",
        ) from None
