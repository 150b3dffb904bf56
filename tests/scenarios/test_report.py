"""`privity report`: a file that needs nothing else, whose numbers are those of the other commands."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from node.cells import cell_meaning
from node.errors import CATALOGUE, FINE, NOT_REACHABLE, WRONG_USAGE
from node.run_folder import RunFolder
from scenarios.report.shortening import shortened
from tests.command_line import Outcome, Privity
from tests.scenarios.page_reading import Page

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body p header h1 h2 h3 nav ul li a main section div table caption thead "
        "tbody tr th td span pre",
    )
)
FOUR = """\
privity: 1
name: reported
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
"""
LONG = FOUR + (
    "steps:\n"
    '  - {do: load, id: traffic, as: "*", to: {random: 1}, count: 70, rate: 10/s, data: {pay: "1..900"}}\n'
    "  - {at: 2s, do: fault, id: down, kind: crash, nodes: [primary], for: 3s}\n"
    "expect:\n  - {check: agreement}\n  - {check: view_changes, min: 1}\n  - {check: height, max: 5}\n"
)


@pytest.fixture
def say(privity: Privity, tmp_path: Path) -> Callable[..., Outcome]:
    """A command with a home of its own."""
    return lambda *arguments: privity(tmp_path / "home", *map(str, arguments))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], RunFolder]:
    """The run that was made last."""
    return lambda: RunFolder.find(tmp_path / "home")


def scenario(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "reported.yaml"
    file.write_text(text)
    return file


def matrix(said: Outcome) -> list[list[str]]:
    """The rows of `who-sees --csv` as a report shows them: without the column `field`."""
    assert said.code == FINE
    return [[row[0], *row[2:]] for row in csv.reader(io.StringIO(said.out))]


# The numbers are those of the other commands.


def test_a_report_says_what_the_commands_say(
    say: Callable[..., Outcome], tmp_path: Path, folder: Callable[[], RunFolder]
) -> None:
    """Matrix, changes, metadata, expectations, blocks and secrets are those of who-sees and run --json."""
    file = tmp_path / "out.html"
    done = say("run", SCENARIOS / "trade.yaml", "--transport", "memory", "--json", "-q", "--report", file)
    assert (done.code, done.err) == (FINE, "")
    document, page = done.document, Page(file)

    at_end = matrix(say("who-sees", "--csv"))
    assert page.table("Who could read what at the end").signs == at_end
    at_start = matrix(say("who-sees", "--csv", "--at", "block 0"))
    assert page.table("Who could read what at block 0").signs == at_start
    before = at_start
    for height in range(1, document["blocks"] + 1):
        after = matrix(say("who-sees", "--csv", "--at", f"block {height}"))
        changed = [row for row, earlier in zip(after, before, strict=True) if row != earlier]
        shown = [each for each in page.tables if each.caption.startswith(f"At block {height}:")]
        assert [each.signs[1:] for each in shown] == ([changed] if changed else [])
        before = after
    assert before == at_end

    metadata = say("who-sees", "--json", "--metadata").document["metadata"]
    shown = page.table("Who learns it without reading").signs[1:]
    assert [(row[0], row[2].split()) for row in shown] == [(m["tx"], m["recipients"]) for m in metadata]
    assert [row[4].split(": ")[1] for row in shown] == [
        f"{m['size_bytes']} B padded, {m['slots']} key slots" for m in metadata
    ]

    words = {"holds": "✓", "broken": "✗", "unconfirmed": "?"}
    assert page.table("Expectations").signs[1:] == [
        [f"{Path(document['file']).name}:{e['line']}", e["check"], words[e["result"]], e["detail"]]
        for e in document["expectations"]
    ]
    canaries = document["canaries"]
    assert f"{canaries['found']} of {canaries['searched']} secrets were found" in page.text

    blocks = page.table("Hash of each block").signs
    assert blocks[0] == ["height", *document["nodes"], "result"]
    assert [row[0] for row in blocks[1:]] == [str(height + 1) for height in range(document["blocks"])]
    assert blocks[-1][1:-1] == [node["head"][:8] for node in document["nodes"].values()]
    assert {row[-1] for row in blocks[1:]} == {"✓"}
    assert document["trace_hash"] in page.text
    assert "What the ledger hides, this file tells: who reads what" in page.text

    again = say("report", "-o", tmp_path / "again.html")
    assert again.code == FINE
    assert (tmp_path / "again.html").read_bytes() == file.read_bytes()
    size = f"{file.stat().st_size / 1000:.0f} kB"
    found = f"0 of {canaries['searched']} secrets found"
    assert again.out.splitlines() == [
        f"wrote {tmp_path / 'again.html'}  {size}, one file, opens offline; audience public",
        f"canary scan: {found} in logs, broker capture, ledgers, this report",
    ]
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_command_in_it_repeats_the_run(
    say: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file lies, what stands under "How to repeat it" gives the same trace hash, options and all.

    Of a file that was named by its absolute path the report tells the name alone: it is given away.
    """
    file = scenario(
        tmp_path, FOUR + "steps:\n  - {do: send, id: rent, as: alice, to: [bob], data: {pay: 950}}\n"
    )
    out = tmp_path / "out.html"
    first = say("run", file, "--seed", 5, "--signatures", "real", "--json", "-q", "--report", out)
    (command,) = re.findall(r"^privity run .*$", Page(out).text.replace("How to repeat it", "\n"), re.M)
    assert str(tmp_path) not in Page(out).source
    monkeypatch.chdir(tmp_path)
    again = say(*shlex.split(command)[1:], "--json", "-q")
    assert again.document["trace_hash"] == first.document["trace_hash"] is not None
    assert command == f"privity run {file.name} --seed 5 --transport memory --crypto seeded --signatures real"
    say("run", file, "--crypto", "os", "-q", "--report", out)
    other = f"privity run {file.name} --seed 0 --transport memory --crypto os --signatures cached"
    assert other in Page(out).text
    assert (
        "so the same trace hash" not in Page(out).text and "timing, keys and salts are new" in Page(out).text
    )


def test_the_command_of_a_live_run(
    say: Callable[..., Outcome], tmp_path: Path, folder: Callable[[], RunFolder]
) -> None:
    """It names the broker's kind, never its address; nothing of the virtual world is promised."""
    file = scenario(tmp_path, FOUR.replace("memory", "mqtt"))
    out = tmp_path / "out.html"
    say("run", file, "--in-process", "-q", "--report", out)
    whole = f"privity run {file.name} --seed 0 --transport mqtt --broker embedded --in-process"
    assert whole in Page(out).text and folder().read_run()["broker"]["url"] not in Page(out).source
    assert "Time is virtual" not in Page(out).text and "timing, keys and salts are new" in Page(out).text


# It needs nothing else.


def test_it_loads_and_runs_nothing(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """No script, no address, no style but the one whose hash the page names; well-formed; scoped heads."""
    out = tmp_path / "out.html"
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q", "--report", out)
    page = Page(out)
    tags = {tag for tag, _ in page.tags}
    assert tags <= TAGS
    given = {name for _, attributes in page.tags for name in attributes}
    assert given.isdisjoint({"style", "src", "srcset", "background", "action"})
    assert not [name for name in given if name.startswith("on")]
    assert all(attributes.get("href", "#").startswith("#") for _, attributes in page.tags)
    assert not re.search(
        r"https?:|//[a-z]", page.source.replace("mqtt://host", "").replace("mqtts://host", "")
    )
    assert "url(" not in page.source and "@import" not in page.source

    (style,) = re.findall(r"<style>(.*?)</style>", page.source, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "@media print" in style and "prefers-color-scheme: dark" in style

    anchors = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(anchors) == len(set(anchors)) and {"rent", "offer", "diary"} <= set(anchors)
    links = [attributes["href"][1:] for tag, attributes in page.tags if tag == "a"]
    assert links and set(links) <= set(anchors)
    for each in page.tables:
        assert each.caption and len({len(row) for row in each.rows}) == 1
        assert all(cell.head and cell.attributes["scope"] == "col" for cell in each.rows[0])
        assert all(row[0].head and row[0].attributes["scope"] == "row" for row in each.rows[1:])


def test_symbols_never_stand_alone(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """Each cell of the matrix says in words what its symbol and letter mean."""
    out = tmp_path / "out.html"
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q", "--report", out)
    cells = [cell for row in Page(out).table("Who could read what at the end").rows[1:] for cell in row[1:]]
    assert {cell.sign for cell in cells} == {"● S", "● N", "○"}
    assert all(cell.words == cell_meaning(cell.sign) for cell in cells)


def test_hostile_words_stay_words(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """Titles, names and payloads that are markup are shown as they are written, and make no element."""
    script, image = "<script>alert(1)</script>", "\"><img src=x onerror='alert(2)'>"
    text = (
        FOUR.replace("name: reported", f"name: '</title>{script}'\nabout: {json.dumps(image)}").replace(
            "alice: {}", f"alice: {{title: {json.dumps('</pre>' + script)}}}"
        )
        + f"steps:\n  - {{do: send, id: rent, as: alice, to: [bob], data: {{{json.dumps(script)}: "
        + f"{json.dumps('</td></table>' + script + '&amp;')}}}}}\n"
    )
    assert say("run", scenario(tmp_path, text), "-q").code == FINE
    out = tmp_path / "out.html"
    assert say("report", "-o", out, "--audience", "bob").code == FINE
    page = Page(out)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.tags)
    for written in (f"</title>{script}", image, f"</pre>{script}", f"</td></table>{script}&amp;"):
        assert written in page.text
    assert page.table("rent, from alice").signs[1:] == [[script, f"</td></table>{script}&amp;"]]


# Long runs, faults, contradictions.


def test_long_runs_are_shortened_in_words(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """What is left out of each long table is counted; faults tell what was committed meanwhile."""
    out = tmp_path / "out.html"
    done = say("run", scenario(tmp_path, LONG), "--json", "-q", "--report", out)
    document, page = done.document, Page(out)
    assert document["blocks"] > 30
    transactions = len(page.table("Who could read what at the end").rows) - 1
    assert f"{70 - transactions} transactions between the first and the last" in page.text
    heights = [int(row[0]) for row in page.table("Hash of each block").signs[1:]]
    assert f"{document['blocks'] - len(heights)} heights between the first and the last" in page.text
    assert heights[0] == 1 and heights[-1] == document["blocks"]
    assert "· nothing, of each of the 70 transactions: alice, bob, carol, dave, broker." in page.text

    (fault,) = document["faults"]
    (row,) = page.table("Faults").signs[1:]
    times = [f"{fault[key] / 1000:.3f}s" for key in ("began_ms", "ended_ms")]
    place = f"{Path(document['file']).name}:{fault['line']}"
    assert row[:7] == ["down", "crash", place, " ".join(fault["nodes"]), *times, str(fault["touched"])]
    committed = {
        int(row[0]): float(row[1].rstrip("s"))
        for row in page.table("Height over time").signs[1:]
        if row[1] != "not known"
    }
    first, last = map(int, re.fullmatch(r"\d+ blocks \((\d+) to (\d+)\)", row[7]).groups())  # type: ignore[union-attr]
    began, ended = fault["began_ms"] / 1000, fault["ended_ms"] / 1000
    assert all(began < t <= ended for height, t in committed.items() if first <= height <= last)
    assert not any(began < t <= ended for height, t in committed.items() if not first <= height <= last)
    assert re.search(r"View changes: [1-9]", page.text)

    assert "✗ FAIL" in page.text and "2 of 3 expectations hold." in page.text
    assert [row[2] for row in page.table("Expectations").signs[1:]] == ["✓", "✓", "✗"]


def test_what_fails_a_run_stands_at_the_top(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """A fault that touched nothing, and what was left unconfirmed, are told beside the badge."""
    text = FOUR + (
        "steps:\n  - {do: send, id: rent, as: alice, to: [bob], data: {pay: 950}}\n"
        "  - {at: 1s, do: fault, id: unfelt, kind: loss, nodes: [dave], chance: 1%, messages: [view-change], "
        "for: 100ms}\n"
        "  - {at: 2s, do: fault, id: gone, kind: crash, nodes: [alice, bob]}\n"
        "  - {at: 3s, do: send, id: late, as: carol, to: [], data: {pay: 1}}\n"
    )
    out = tmp_path / "out.html"
    document = say("run", scenario(tmp_path, text), "--json", "-q", "--report", out).document
    top = Page(out).text.split("How to repeat it")[0]
    failures = [fault["failure"] for fault in document["faults"] if fault["failure"]]
    assert document["verdict"] == "fail" and failures and document["incidents"]
    for reason in (*(f"fault unfelt: {each}" for each in failures), *document["incidents"]):
        assert reason in top
    (unfelt, gone) = Page(out).table("Faults").rows[1:]
    assert (unfelt[-1].sign, unfelt[-1].words) == ("✗", failures[0])
    assert (gone[5].text, gone[7].text, gone[-1].sign) == ("lasted to the end", "no block", "✓")


@pytest.mark.parametrize(("rows", "shown"), [(0, 0), (6, 6), (7, 6), (100, 6)])
def test_a_shortened_table_keeps_both_ends(rows: int, shown: int) -> None:
    """First and last rows stay, and shown and left out make up the whole."""
    found, hidden = shortened(list(range(rows)), 6, 2)
    assert (len(found), hidden) == (shown, rows - shown)
    assert found == sorted(found) and (not rows or (found[0], found[-1]) == (0, rows - 1))


def test_contradictions_come_first(
    say: Callable[..., Outcome], tmp_path: Path, folder: Callable[[], RunFolder]
) -> None:
    """A block that one node has otherwise is the first row, with who is alone; a missing one is no block."""
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q")
    node = folder().node("carol") / "index.sqlite"
    with contextlib.closing(sqlite3.connect(node)) as database, database:
        database.execute("UPDATE block SET hash = ? WHERE height = 3", (bytes.fromhex("ab" * 32),))
        database.execute("DELETE FROM block WHERE height = 4")
    say("report", "-o", tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    rows = page.table("Hash of each block").rows
    assert [row[0].text for row in rows[1:]] == ["3", "1", "2", "4"]
    assert rows[1][3].sign == "abababab" and rows[1][-1].sign == "✗"
    groups = [cell.words for cell in rows[1][1:5]]
    assert groups[0] == groups[1] == groups[3] != groups[2]
    assert [(cell.sign, cell.words) for cell in rows[4][3:6:2]] == [("–", "no block"), ("✓", "same on 3")]
    assert "Nodes contradict each other: block 3 differs" in page.text
    assert "Below the highest: carol." in page.text


# What there need not be.


def test_changes_without_a_word_on_holdings(
    say: Callable[..., Outcome], tmp_path: Path, folder: Callable[[], RunFolder]
) -> None:
    """Of nodes whose holdings are gone, blocks tell when they had a commitment; blobs are of the end."""
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q")
    for name in folder().node_names():
        (folder().node(name) / "holdings.jsonl").unlink()
    say("report", "-o", tmp_path / "out.html")
    page = Page(tmp_path / "out.html")
    captions = [each.caption.split(":")[0] for each in page.tables if "cells changed" in each.caption]
    assert captions == ["At block 2", "At block 3", "At block 4", "At end"]
    assert page.table("At block 2:").signs[1][:5] == ["rent", "#", "#", "#", "#"]
    assert page.table("At end").signs[1] == ["rent", "● S", "● N", "○", "○", "○"]


def test_a_run_that_nobody_judged(
    say: Callable[..., Outcome], tmp_path: Path, folder: Callable[[], RunFolder]
) -> None:
    """Without a verdict and without its scenario a run still has a report, which says what is lacking."""
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q")
    folder().verdict.unlink()
    folder().filled.unlink()
    assert say("report", "-o", tmp_path / "out.html").code == FINE
    page = Page(tmp_path / "out.html")
    assert "– NOT JUDGED" in page.text and "PASS" not in page.text
    assert "None was judged." in page.text and "does not hold its scenario" in page.text
    assert len(page.table("Who could read what at the end").rows) == 4


def test_wrong_usage_leaves_no_file(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """No run, no such party, a place where no file can be: each by its code, and nothing is left."""
    terminal = os.ttyname(os.openpty()[1])  # A device, in whose folder no file can take its place.
    out = tmp_path / "out.html"
    refused = say("report", "-o", out)
    assert (refused.code, "E-NO-RUN" in refused.err) == (NOT_REACHABLE, True)
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q")
    refused = say("report", "-o", out, "--audience", "alcie")
    assert refused.code == WRONG_USAGE and "did you mean alice?" in refused.err
    assert not out.exists()
    for arguments in (
        ("report", "-o", tmp_path),
        ("report", "-o", terminal),
        ("run", SCENARIOS / "hello.yaml", "--report", tmp_path),
    ):
        refused = say(*arguments)
        assert (refused.code, "E-USAGE" in refused.err) == (WRONG_USAGE, True)
    seeds = say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "--seeds", "1..2", "--report", out)
    assert (seeds.code, "--report" in seeds.err) == (WRONG_USAGE, True)
    assert "E-LEAK" in CATALOGUE
    assert len(list((tmp_path / "home" / "runs").glob("0*"))) == 1


def test_without_a_name_it_is_called_after_its_run(
    say: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`privity report --run 1` writes report-0001.html where one stands."""
    say("run", SCENARIOS / "hello.yaml", "--transport", "memory", "-q")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert say("report", "--run", 1).out.startswith("wrote report-0001.html  ")
    assert [path.name for path in Path().iterdir()] == ["report-0001.html"]
    shutil.rmtree(tmp_path / "here")
