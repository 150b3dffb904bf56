"""What a run folder keeps beside the events, so that the run can be understood and repeated later."""

from __future__ import annotations

import dataclasses
import platform
from importlib import metadata

from node.errors import PrivityError
from node.private_files import replace_private
from node.run_folder import RunFolder
from scenarios import VERSION
from scenarios.model.filled import filled
from scenarios.model.loading import load_scenario
from scenarios.model.scenario import Scenario
from scenarios.operating import Options

# Those that decide what a node writes, sends or draws.
PACKAGES = ("aiomqtt", "amqtt", "cryptography", "msgpack", "msgspec", "pydantic", "ruamel.yaml")


def versions() -> dict[str, str]:
    """Of Privity, Python, and the packages that matter."""
    return {
        "privity": VERSION,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def as_it_runs(scenario: Scenario) -> Scenario:
    """The scenario with what the command line said instead of the file written into its document too."""
    document, virtual = scenario.document, scenario.transport == "memory"
    changed = document.model_copy(
        update={
            "seed": scenario.seed,
            "network": document.network.model_copy(update={"transport": scenario.transport}),
            # A live run has keys of the system and no word for it.
            "crypto": scenario.crypto if virtual or document.crypto == "os" else None,
        }
    )
    return dataclasses.replace(scenario, document=changed)


def keep(folder: RunFolder, scenario: Scenario) -> None:
    """Write the filled-in scenario, which holds all payloads, where no node looks; and the versions."""
    replace_private(folder.filled, filled(as_it_runs(scenario)).encode())
    folder.write_run(versions=versions())


def keep_options(folder: RunFolder, options: Options) -> None:
    """Write down how it runs, where the scenario leaves it open."""
    folder.write_run(
        options={
            "level": options.level,
            "steps": options.steps,
            "in_process": options.in_process,
            "signatures": options.signatures,
        }
    )


def kept_scenario(folder: RunFolder) -> Scenario:
    """The scenario that a run was made from. Raises E-NO-RUN when the folder does not have it."""
    if not folder.filled.exists():
        raise PrivityError(
            "E-NO-RUN",
            f"run {folder.number} does not hold its scenario",
            where=str(folder.filled),
            why="it was made by an older version, or the file is gone",
            next="privity run FILE makes a new one",
        )
    return load_scenario(folder.filled)


def kept_signatures(folder: RunFolder) -> str:
    """The mode of signatures that a virtual run had."""
    return str(folder.read_run().get("options", {}).get("signatures", "cached"))


def other_versions(folder: RunFolder) -> dict[str, tuple[str, str]]:
    """What has another version now than when the run was made: its version then, and now."""
    then, now = folder.read_run().get("versions", {}), versions()
    return {
        name: (str(then.get(name, "none")), version)
        for name, version in now.items()
        if then.get(name) != version
    }
