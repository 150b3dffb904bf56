"""The accountability page of a report: who showed what to whom, and why, as the ledger has it."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.command_line import Privity

ROOT = Path(__file__).parents[2]
STORY = ROOT / "scenarios" / "late-disclosure.yaml"


def rows_under(page: str, caption: str) -> list[list[str]]:
    """The cells of the table with this caption, as text."""
    (body,) = re.findall(rf"<caption>{caption}</caption>.*?<tbody>(.*?)</tbody>", page, re.S)
    return [
        [
            html.unescape(re.sub(r"<[^>]+>", "", cell))
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)
        ]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.S)
    ]


@pytest.fixture
def page(privity: Privity, tmp_path: Path) -> str:
    """The public report of the story of a late disclosure."""
    out = tmp_path / "out.html"
    done = privity(tmp_path, "run", str(STORY), "--transport", "memory", "-q", "--report", str(out))
    assert done.code == 0, done.out + done.err
    return out.read_text()


def test_every_act_is_in_the_register_with_its_reason(page: str) -> None:
    """In the order of the ledger; a disclosure names the request that it answers."""
    found = [[row[0], *row[3:]] for row in rows_under(page, "Disclosures, requests and consents, by block")]
    assert found == [
        [
            "ask-price",
            "auditor",
            "asked to be shown it",
            "contract",
            "importer",
            "annual audit, ISA 505",
            "–",
        ],
        [
            *("price", "importer", "showed 2 of the fields", "contract", "auditor"),
            *("confirmation to the auditor", "ask-price"),
        ],
        [
            *("whole-invoice", "bank", "showed the whole", "invoice", "auditor, tax"),
            *("value added tax act, section 14", "–"),
        ],
    ]


def test_what_was_shown_in_part_stands_so_in_the_matrix(page: str) -> None:
    """The auditor reads two of four fields of the contract at the end, and all of the invoice."""
    last = {row[0]: " ".join(row) for row in rows_under(page, "Who could read what at the end")}
    assert "● 2/4" in last["contract"] and "a part of the fields" in last["contract"]
    assert last["invoice"].count("● D") == 2


def test_a_run_without_acts_has_no_register(privity: Privity, tmp_path: Path) -> None:
    """There is nothing to account for."""
    out = tmp_path / "out.html"
    hello = str(ROOT / "scenarios" / "hello.yaml")
    assert privity(tmp_path, "run", hello, "--transport", "memory", "-q", "--report", str(out)).code == 0
    assert "Disclosure register" not in out.read_text()
