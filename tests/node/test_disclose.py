"""`privity disclose` and `privity request` on real nodes: what a user sees, and who may."""

from __future__ import annotations

import json
import re

import pytest

from node.errors import NOT_ALLOWED, WRONG_USAGE
from tests.command_line import Outcome, Privity
from tests.run_of_nodes import LiveRun

WHY = ("--reason", "award notice, rule 55")
DEAL = {"price": 41200, "good": "raw cotton", "terms": {"days": 30}}


@pytest.fixture(scope="module")
def deal(live: LiveRun) -> str:
    """A transaction of acme's for city."""
    live.send("shown-deal", "acme", ("city",), DEAL)
    return "shown-deal"


def test_a_part_is_shown_checked_and_recorded(live: LiveRun, deal: str, privity: Privity) -> None:
    """PRODUCT's lines; the receiver then sees the field, and everybody sees who showed it, and why."""
    done = privity(
        live.home, "disclose", deal, "--as", "city", "--to", "bolt", "--field", "price", *WHY, "--yes"
    )
    assert done.code == 0, done.err
    assert re.fullmatch(
        r"! This cannot be undone\. bolt will hold 1 field, with salts and proof that it matches"
        r" block \d+\.\n",
        done.err,
    )
    checked, recorded, handed = done.out.splitlines()
    assert re.fullmatch(r"✓ bolt checked: salts \+ branches lead to commitment [0-9a-f]{8}…", checked)
    assert re.fullmatch(
        r"✓ recorded in block \d+: who \(city\), to whom \(bolt\), what \(shown-deal\), why, when", recorded
    )
    assert handed.startswith("  handed over in block ")
    seen = privity(live.home, "show", "tx", deal, "--as", "bolt")
    assert seen.code == 0 and "price  41200" in seen.out and "cotton" not in seen.out
    assert 'city showed 1 of the fields of it to bolt: "award notice, rule 55"' in seen.out
    document = privity(live.home, "show", "tx", deal, "--as", "crane", "--json").document
    (act,) = [each for each in document["acts"] if each["to"] == ["bolt"]]
    assert (act["by"], act["fields"], act["whole"], document["content"]) == ("city", 1, False, None)
    matrix = privity(live.home, "who-sees", deal, "--json").document
    whole = next(row for row in matrix["rows"] if row["field"] == "*")
    assert whole["cells"]["bolt"]["part"] == {"read": 1, "of": 3}
    assert whole["cells"]["crane"]["symbol"] == "○"


def test_a_request_and_its_answer(live: LiveRun, deal: str, privity: Privity) -> None:
    """The hint of a request is the command that answers it; the whole opens the count too."""
    asked = privity(live.home, "request", deal, "--as", "notary", "--of", "acme", "--reason", "audit")
    assert asked.code == 0, asked.err
    assert re.match(r"✓ recorded in block \d+: who \(notary\), of whom \(acme\)", asked.out)
    (digits,) = re.findall(r"--answers ([0-9a-f]{8})", asked.out)
    done = privity(
        live.home,
        *("disclose", deal, "--as", "acme", "--to", "notary", "--answers", digits, *WHY, "--yes", "--json"),
    )
    assert done.code == 0, done.err
    document = done.document
    assert document["schema"] == "privity.disclose/1" and document["answers"].startswith(digits)
    assert (document["whole"], document["fields"], document["checked"]) == (True, 3, ["notary"])
    assert document["height"] < document["carrier_height"]
    page = privity(live.home, "show", "tx", document["record"][:12])
    assert page.code == 0 and "acme showed the whole of shown-deal to notary" in page.out
    assert f"request {digits}…" in page.out
    block = privity(live.home, "show", "block", str(document["height"]))
    assert "public, by acme" in block.out
    assert "30" in privity(live.home, "show", "tx", deal, "--as", "notary").out


def refused(done: Outcome, code: str, exit_code: int) -> None:
    assert done.code == exit_code and code in done.err and done.out == "", done.err + done.out


def test_what_is_erased_is_not_shown(live: LiveRun, privity: Privity) -> None:
    """Kept for two blocks and then asked for: its own sender is told that nobody can show it any more."""
    kept = ("send", "--as", "acme", "--to", "city", "--set", "price=7", "--id", "brief", "--keep", "2")
    assert privity(live.home, *kept).code == 0
    for number in range(3):
        live.send(f"after-brief-{number}", "acme", ("city",), {"price": number})
    show = ("disclose", "brief", "--as", "acme", "--to", "bolt", *WHY, "--yes")
    done = privity(live.home, *show)
    refused(done, "E-ERASED", NOT_ALLOWED)
    assert "acme has erased brief" in done.err


def test_only_a_reader_may(live: LiveRun, deal: str, privity: Privity) -> None:
    """Exit 6 for a stranger, and for one who was shown it later; nothing is recorded."""
    before = len(live.ledger("city"))
    done = privity(live.home, "disclose", deal, "--as", "crane", "--to", "bolt", *WHY, "--yes")
    refused(done, "E-NOT-PARTY", NOT_ALLOWED)
    assert "privity request shown-deal --as crane --of acme" in done.err
    privity(live.home, "disclose", deal, "--as", "acme", "--to", "bolt", *WHY, "--yes")
    done = privity(live.home, "disclose", deal, "--as", "bolt", "--to", "crane", *WHY, "--yes")
    refused(done, "E-NOT-PARTY", NOT_ALLOWED)
    assert len(live.ledger("city")) == before + 2


def test_without_a_yes_nothing_happens(live: LiveRun, deal: str, privity: Privity) -> None:
    before = len(live.ledger("city"))
    done = privity(live.home, "disclose", deal, "--as", "acme", "--to", "crane", *WHY)
    assert done.code == WRONG_USAGE and "add --yes" in done.err and "cannot be undone" in done.err
    assert len(live.ledger("city")) == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--to", "crane", "--field", "prices", *WHY), "E-FIELD"),
        (("--to", "crane", "--reason", ""), "E-REASON"),
        (("--to", "crane", "--reason", "two\nlines"), "E-REASON"),
        (("--to", "crane", "--reason", "it is raw cotton"), "E-PRIVATE"),
        (("--to", "acme", *WHY), "E-PARTY"),
        (("--to", "zoe", *WHY), "E-PARTY"),
    ],
)
def test_what_cannot_be_disclosed(
    live: LiveRun, deal: str, privity: Privity, arguments: tuple[str, ...], code: str
) -> None:
    """Wrong usage, with nothing of the payload or of what was typed for a field in the words."""
    before = len(live.ledger("city"))
    done = privity(live.home, "disclose", deal, "--as", "acme", *arguments, "--yes")
    refused(done, code, WRONG_USAGE)
    assert "prices" not in done.err and "cotton" not in done.err
    assert len(live.ledger("city")) == before


def test_no_log_tells_what_was_shown(live: LiveRun, deal: str, privity: Privity) -> None:
    """Nodes note that, of which transaction, by whom; nothing of it."""
    logs = "".join(path.read_text() for path in live.folder.path.rglob("events.jsonl"))
    events = [json.loads(line) for line in logs.splitlines() if "priv.disclose" in line]
    assert events and all(event["ok"] for event in events)
    assert "cotton" not in logs and "41200" not in logs and "award notice" not in logs
