"""Profiles: settings of privacy and consensus that go together for a kind of user. A file may override each.

They are defaults and nothing else: `check --fill` writes them out, and the file it prints means the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from scenarios.model.names import expand

ProfileName = Literal["b2b", "b2c", "b2g"]

PROFILES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # Companies: documents go to their parties alone, and each of them has receipted before it counts.
    "b2b": {
        "privacy": {"payload": "off_chain", "copies": "all", "redisclose": "with-consent"},
        "consensus": {"block_every": "200ms"},
    },
    # A person and services: who deals with whom is hidden in the crowd, and nothing stays for ever.
    "b2c": {
        "privacy": {"payload": "on_chain", "redisclose": "with-consent", "keep": "1000 blocks"},
        "consensus": {"block_every": "500ms"},
    },
    # Companies and an authority: it reads everything that is sent, and nobody else is shown any of it.
    "b2g": {
        "privacy": {"payload": "off_chain", "copies": "all", "redisclose": "forbidden", "always_to": []},
        "consensus": {"block_every": "200ms"},
    },
}
_OFF_CHAIN_ONLY = ("copies", "receipt_timeout")


def with_profile(data: Any) -> Any:
    """What a file says with the defaults of its profile in it; anything that is not as it should be is left
    for the model to refuse.
    """
    name = data.get("profile") if isinstance(data, dict) else None
    if not isinstance(name, str) or name not in PROFILES:
        return data
    filled = dict(data)
    for section, defaults in PROFILES[name].items():
        own = data.get(section, {})
        if not isinstance(own, dict):
            continue
        given = dict(defaults)
        if own.get("payload", given.get("payload")) == "on_chain":
            given = {key: value for key, value in given.items() if key not in _OFF_CHAIN_ONLY}
        if "always_to" in given:
            given["always_to"] = regulators(data.get("parties"))
        filled[section] = {**given, **own}
    return filled


def regulators(parties: Any) -> list[str]:
    """The parties whose role is regulator, as the file names them."""
    found: list[str] = []
    for name, spec in parties.items() if isinstance(parties, dict) else ():
        if isinstance(name, str) and isinstance(spec, dict) and spec.get("role") == "regulator":
            found += expand(name)
    return found
