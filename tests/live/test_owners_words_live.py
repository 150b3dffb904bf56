"""`privity consent`, `revoke` and `purge` on a network that is up: real processes and mosquitto."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import FINE, NOT_ALLOWED, NOT_REACHABLE, UNCONFIRMED, WRONG_USAGE
from tests.live.commands import Privity
from tests.waiting import wait_until

pytestmark = pytest.mark.mosquitto

FILE = """\
privity: 1
name: owners
network: {broker: mosquitto}
consensus: {block_every: 50ms}
parties: {anna: {}, app: {}, coach: {}, gym: {}}
steps:
  - {do: send, id: profile, as: anna, to: [app], redisclose: with-consent, data: {kg: 71, mood: wonderful}}
  - {do: send, id: secret, as: anna, to: [app], redisclose: forbidden, data: {pulse: 61}}
"""
SHOW = ("disclose", "profile", "--as", "app", "--to", "coach", "--reason", "shared service", "--yes")
CONSENT = ("consent", "profile", "--as", "anna")
REVOKE = ("revoke", "profile", "--as", "anna")


@pytest.fixture
def up(privity: Privity) -> Privity:
    """The network with both contents on its ledger."""
    done = privity("up", privity.file(FILE), "-d")
    assert done.code == FINE, done.text
    wait_until(lambda: privity.run.read_run().get("steps_done") is True)
    return privity


def cell_of(privity: Privity, name: str) -> str:
    (row,) = [row for row in privity("who-sees", "profile", "--json").json["rows"] if row["field"] == "*"]
    return str(row["cells"][name]["symbol"])


def blobs_of(privity: Privity, tx: str) -> list[str]:
    return [name for name in ("anna", "app", "coach", "gym") if _blob(privity, name, tx).exists()]


def _blob(privity: Privity, name: str, tx: str) -> Path:
    return privity.run.node(name) / "blobs" / tx


def test_p47_consent_given_used_and_withdrawn_at_the_command_line(up: Privity) -> None:
    """Without it nothing is shown; with it coach reads; then coach holds what only a rule forbids."""
    told = up(*SHOW).refused(UNCONFIRMED, "E-CONSENT")
    assert "anna can agree: privity consent" in told and "--as anna --to coach" in told
    given = up(*CONSENT, "--to", "coach", "--hidden", "--for", "500", "--json").json
    assert (given["schema"], given["to"], given["blocks"]) == ("privity.consent/1", ["coach"], 500)
    public = up("show", "tx", "profile").out
    assert "anna consents that it is shown to 1 party (hidden)" in public and "coach" not in public
    shown = up(*SHOW)
    assert shown.code == FINE and "✓ coach checked: salts + count = commitment" in shown.out
    assert (cell_of(up, "coach"), cell_of(up, "gym")) == ("●", "○")

    taken = up(*REVOKE, "--of", "coach", "--hidden")
    assert taken.code == FINE and "anna withdraws profile from coach" in taken.out
    assert "a key that was had is still had" in taken.out
    assert cell_of(up, "coach") == "◐"
    told = up(*SHOW).refused(UNCONFIRMED, "E-CONSENT")
    assert "anna withdrew it, or its consent ended, in block" in told
    named = up(*CONSENT, "--to", "gym")
    assert "anna agrees that profile is shown to gym, until it is revoked" in named.out
    assert "take it back  privity revoke profile --as anna --of gym" in named.out


def test_what_nobody_may_consent_to_or_revoke(up: Privity) -> None:
    """Each refusal with its code and what to do instead; nothing of it reaches the ledger."""
    before = up("show", "tx", "profile").out
    for word, option, other in (("consent", "--to", "app"), ("revoke", "--of", "coach")):
        told = up(word, "profile", option, "gym", "--as", other).refused(NOT_ALLOWED, "E-CONSENT")
        assert f"{other} did not send profile" in told and "anna has: it is the owner" in told
    told = up("consent", "secret", "--as", "anna", "--to", "coach").refused(UNCONFIRMED, "E-CONSENT")
    assert "its rule is forbidden" in told
    assert "no party named choach in run" in up(*CONSENT, "--to", "choach").refused(WRONG_USAGE, "E-PARTY")
    assert "anna is its owner" in up(*REVOKE, "--of", "anna").refused(WRONG_USAGE, "E-PARTY")
    up("consent", "profiel", "--as", "anna", "--to", "coach").refused(WRONG_USAGE, "E-TX")
    told = up(*CONSENT, "--to", "coach", "--reason", "she is wonderful").refused(WRONG_USAGE, "E-PRIVATE")
    assert "wonderful" not in told
    up(*CONSENT, "--to", "coach", "--reason", "two\nlines").refused(WRONG_USAGE, "E-REASON")
    up(*CONSENT, "--to", "coach", "--for", "0").refused(WRONG_USAGE, "E-USAGE")
    up(*CONSENT, "--to", "coach", "--timeout", "3").refused(WRONG_USAGE, "E-DURATION")
    assert "Missing option '--to'" in up(*CONSENT).refused(WRONG_USAGE, "E-USAGE")
    assert up("show", "tx", "profile").out == before
    assert up("down").code == FINE
    up(*CONSENT, "--to", "coach").refused(NOT_REACHABLE, "E-NOT-RUNNING")


def test_p42_purge_at_the_command_line_empties_every_disk_and_is_signed_for(up: Privity) -> None:
    """P43: ciphertext is on four disks, then on none; four receipts; what was erased is not shown on."""
    tx = up("show", "tx", "profile", "--json").json["tx"]
    assert blobs_of(up, tx) == ["anna", "app", "coach", "gym"]
    told = up("purge", "profile", "--as", "app").refused(NOT_ALLOWED, "E-CONSENT")
    assert "anna has: it is the owner" in told and blobs_of(up, tx) == ["anna", "app", "coach", "gym"]
    purged = up("purge", "profile", "--as", "anna", "--reason", "art. 17", "--json").json
    assert (purged["schema"], purged["tx"]) == ("privity.purge/1", tx) and "hidden" not in purged
    wait_until(lambda: not blobs_of(up, tx))
    wait_until(lambda: "receipts of anna, app, coach, gym" in up("show", "tx", "profile").out)
    page = up("show", "tx", "profile", "--as", "app")
    assert "not here any more: app erased it, as its sender asked" in page.out
    for again in (("purge", "profile", "--as", "anna"), SHOW):
        told = up(*again).refused(NOT_ALLOWED, "E-ERASED")
        assert f"asked every node to erase it at block {purged['height']}" in told
    assert cell_of(up, "app") == "#"
