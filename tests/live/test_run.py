"""`privity run`: one file brings up a consortium, plays, judges, and the exit code is the verdict."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from node.canonical import encode
from node.run_folder import RunFolder
from scenarios.leaks.canaries import Artefact, scan
from scenarios.leaks.secret_forms import FORMS
from scenarios.model.loading import load_scenario
from scenarios.operating import Options
from scenarios.processes.broker import RunningBroker
from scenarios.processes.capture import Captured, encode_record
from scenarios.session import Session, new_folder
from tests.live.commands import (
    COMMAND,
    HELLO,
    QUICK,
    Privity,
    Said,
    commits,
    matrix_readers,
    opened,
    planned,
)

HELLO_READERS = {"rent": {"alice", "bob"}, "offer": {"bob", "carol", "dave"}, "diary": {"carol"}}
KEYS = {
    "schema": str,
    "verdict": str,
    "scenario": str,
    "file": str,
    "seed": int,
    "transport": str,
    "broker": str,
    "voters": int,
    "nodes": dict,
    "transactions": dict,
    "blocks": int,
    "seconds": float,
    "expectations": list,
    "plan": dict,
    "canaries": dict,
    "replayed": dict,
    "incidents": list,
    "liars": list,
    "framed": list,
    "named": list,
    "named_in_vain": list,
    "run_dir": str,
    "trace_hash": type(None),
    "faults": list,
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Privity, Said]]:
    """hello.yaml on the embedded broker, as talkative as it gets, with everything it writes."""
    privity = Privity(tmp_path_factory.mktemp("run"))
    yield privity, privity("run", HELLO, "-v", "--json", "--junit", "junit.xml")
    privity.kill_all()


def equal_heads(document: dict[str, Any]) -> None:
    heads = {(node["height"], node["head"], node["state_root"]) for node in document["nodes"].values()}
    assert len(heads) == 1
    ((height, head, root),) = heads
    assert height == document["blocks"] and 64 == len(head) == len(root)


def test_a_run_passes_with_exit_code_0(first: tuple[Privity, Said]) -> None:
    """hello.yaml ends with the verdict pass, and that is exit code 0."""
    privity, said = first
    assert (said.code, said.json["verdict"]) == (0, "pass")
    privity.nothing_is_left(privity.port)


def test_the_json_is_one_document_of_a_fixed_form(first: tuple[Privity, Said]) -> None:
    """Standard output holds one document of privity.run/1 with these keys and types, and nothing else."""
    document = first[1].json
    assert {name: type(value) for name, value in document.items()} == KEYS
    assert document["schema"] == "privity.run/1"
    assert tuple(document[k] for k in ("transport", "broker", "seed", "voters")) == ("mqtt", "embedded", 0, 4)
    assert list(document["nodes"]) == ["alice", "bob", "carol", "dave"]
    for node in document["nodes"].values():
        assert {"height": int, "head": str, "view": int, "state_root": str} == {
            key: type(value) for key, value in node.items()
        }
    assert document["transactions"] == {"planned": 3, "submitted": 3, "committed": 3, "refused": 0}
    assert document["plan"] == {"transactions": 3, "differing": 0, "first": []}
    for expectation in document["expectations"]:
        assert {"check": str, "line": int, "result": str, "detail": str} == {
            key: type(value) for key, value in expectation.items()
        }
    assert [each["result"] for each in document["expectations"]] == ["holds"] * 5
    assert [each["line"] for each in document["expectations"]] == [13, 14, 15, 16, 17]
    assert document["canaries"]["found"] == 0 and document["canaries"]["searched"] > 8
    assert first[0].run.path == Path(document["run_dir"])


def test_all_nodes_end_with_the_same_blocks(first: tuple[Privity, Said]) -> None:
    """Height, head and state root are equal on all nodes, and each transaction was executed once on each."""
    privity, said = first
    equal_heads(said.json)
    assert {name: dict.fromkeys(HELLO_READERS, 1) for name in said.json["nodes"]} == commits(privity.run)


def test_who_reads_what_is_what_the_plan_says(first: tuple[Privity, Said]) -> None:
    """The drawn plan, the matrix of who-sees, and trying every key on every ciphertext all agree."""
    privity, _ = first
    readers, _ = opened(privity.run)
    assert HELLO_READERS == readers == planned(privity.run)
    assert matrix_readers(privity("who-sees", "--json").json) == HELLO_READERS


def test_no_secret_is_written_where_it_may_not_be(first: tuple[Privity, Said], tmp_path: Path) -> None:
    """No key, salt, canary or text stands in output, log, capture, or the folder of who may not have it."""
    privity, said = first
    (tmp_path / "stdout").write_text(said.out)
    (tmp_path / "stderr").write_text(said.err)
    folder = privity.run
    assert '"lvl":"debug"' in folder.events.read_text()
    _, secrets = opened(folder)
    everything = [Artefact(folder.node(name), name) for name in folder.node_names()]
    everything += [
        Artefact(path, None)
        for path in (tmp_path, folder.broker, folder.events, folder.genesis, folder.verdict, folder.run_json)
    ]
    everything += [
        Artefact(path, None) for path in (folder.operator_events, folder.plan, folder.transactions_file)
    ]
    found = scan(secrets.all, everything, root=folder.path)
    assert (found.searched, ()) == (said.json["canaries"]["searched"], found.found)


def test_the_verdict_as_junit(first: tuple[Privity, Said]) -> None:
    """--junit writes one test case for each expectation, named by its line."""
    suite = ElementTree.parse(first[0].folder / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        "9",
        "0",
        "0",
    )  # Five expectations, and of the run as a whole: itself, plan, canaries, key-free replay.
    assert suite.findall("testcase")[0].get("name") == "line 13: agreement"


def test_the_verdict_is_kept_and_logged(first: tuple[Privity, Said]) -> None:
    """The run folder keeps the document, and the merged log has the outcome of each expectation."""
    privity, said = first
    assert privity("logs", "--ev", "expect.pass").code == 0
    assert privity("logs", "--ev", "expect.pass", "--json").out.count('"ev":"expect.pass"') == 5
    assert f'"verdict": "{said.json["verdict"]}"' in privity.run.verdict.read_text()


def test_a_second_run_is_quick(first: tuple[Privity, Said]) -> None:
    """Nothing is set up twice: the next run takes less than 10 seconds, and gets the next number."""
    privity, before = first
    said = privity("run", HELLO)
    assert said.code == 0 and said.seconds < 10
    assert [int(Path(before.json["run_dir"]).name), int(privity.run.number)] == [1, 2]


def test_the_words_of_a_run(privity: Privity) -> None:
    """A tick list and the steps on standard error; the verdict, a line for each expectation, on output."""
    said = privity("run", HELLO, "--in-process")
    assert said.code == 0
    assert re.findall(r"^✓ \w+", said.err, re.M) == ["✓ broker", "✓ keys", "✓ nodes", "✓ ready"]
    assert said.err.count("  send  ") == 3
    first, *rest = said.out.splitlines()
    assert first.startswith("PASS 5 of 5 ")
    assert [f"✓ {HELLO}:{line}" for line in range(13, 18)] == [line.split("  ")[0] for line in rest[:5]]
    assert rest[5].startswith("✓ canary scan: 0 of ")
    assert rest[6] == (
        "✓ key-free replay: 4 blocks of 4 nodes, executed anew without private keys: the same hashes"
    )
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", said.text)


@pytest.mark.mosquitto
def test_on_mosquitto(privity: Privity) -> None:
    """The same on a mosquitto of its own, which is gone afterwards."""
    said = privity("run", HELLO, "--json", "--broker", "mosquitto")
    assert (said.code, said.json["broker"]) == (0, "mosquitto")
    equal_heads(said.json)
    assert opened(privity.run)[0] == HELLO_READERS
    privity.nothing_is_left(privity.port)


@pytest.mark.mosquitto
def test_on_a_broker_that_is_there_already(privity: Privity, mosquitto_broker: RunningBroker) -> None:
    """The same on a broker named by its URL, which is left as it was."""
    said = privity("run", HELLO, "--json", "--broker", mosquitto_broker.url)
    assert (said.code, said.json["broker"]) == (0, "url")
    equal_heads(said.json)
    assert mosquitto_broker.address.port == privity.port
    assert mosquitto_broker.pid is not None
    privity.nothing_is_left()


def test_in_one_process(privity: Privity) -> None:
    """--in-process gives the same verdict, with broker and recorder as the only other processes."""
    running = privity.start("run", HELLO, "--json", "--in-process")
    running.says("✓ ready")
    assert not [command for command in privity.processes().values() if "-m node" in command]
    said = running.end()
    assert (said.code, said.json["verdict"]) == (0, "pass")
    equal_heads(said.json)
    assert opened(privity.run)[0] == HELLO_READERS


def test_one_reader_too_many_fails(privity: Privity) -> None:
    """A wrong rule gives exit code 1, at its line of the file, and says who reads it too."""
    file = privity.file(QUICK.replace("are: [alice, bob]", "are: [alice]"))
    said = privity("run", file, "--in-process", "--junit", "junit.xml")
    assert said.code == 1
    line = next(line for line in said.out.splitlines() if line.startswith("✗"))
    assert f"✗ {file}:8  readers  rent: expected alice; bob can read it too" == line
    assert "see   privity who-sees rent" in said.out
    assert f"again privity run {file} --in-process" in said.out
    suite = ElementTree.parse(privity.folder / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("7", "1")
    assert suite.find("testcase/failure") is not None


def test_a_reader_too_few_fails(privity: Privity) -> None:
    """Who was promised the content and cannot read it breaks the rule as well."""
    file = privity.file(QUICK.replace("are: [alice, bob]", "are: [alice, bob, carol]"))
    said = privity("run", file, "--in-process", "--json")
    assert (said.code, said.json["verdict"]) == (1, "fail")
    assert said.json["expectations"][1]["detail"] == "rent: expected alice bob carol; carol cannot read it"


def test_a_node_that_dies_keeps_a_run_from_passing(privity: Privity) -> None:
    """A node killed before the end makes the run unconfirmed, and it is told which one and why."""
    late = "  - {at: 3s, do: send, id: late, as: alice, to: [bob], data: {sum: 5}}\nexpect:"
    running = privity.start("run", privity.file(QUICK.replace("expect:", late)), "--json")
    running.says("✓ ready")
    os.kill(privity.node_pid("dave"), signal.SIGKILL)
    said = running.end()
    assert "! node dave ended by itself (code -9)" in said.err
    assert (said.code, said.json["verdict"]) == (3, "unconfirmed")
    transactions = said.json["transactions"]
    assert transactions["submitted"] == 2 and transactions["committed"] < 2 and transactions["refused"] == 0
    agreement = said.json["expectations"][0]
    assert (agreement["result"], agreement["detail"]) == ("unconfirmed", "behind the others: dave")
    privity.nothing_is_left()


def test_without_a_recorder_nobody_knows_what_the_broker_saw(privity: Privity) -> None:
    """A recorder that dies leaves no_plaintext unconfirmed, and so the run."""
    late = "  - {at: 2s, do: send, id: late, as: alice, to: [bob], data: {sum: 5}}\nexpect:"
    running = privity.start("run", privity.file(QUICK.replace("expect:", late)), "--json", "--in-process")
    running.says("✓ ready")
    os.kill(privity.pid_of("scenarios.processes.recorder"), signal.SIGKILL)
    said = running.end()
    assert (said.code, said.json["verdict"]) == (3, "unconfirmed")
    assert [each["result"] for each in said.json["expectations"]] == ["holds", "holds", "unconfirmed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_never_passes(privity: Privity, number: int) -> None:
    """Whoever stops a run, by Ctrl-C or SIGTERM, gets exit code 130 and no verdict, and nothing is left."""
    running = privity.start("run", HELLO, "--json")
    running.says("✓ nodes")
    running.send(number)
    said = running.end()
    assert (said.code, said.out) == (130, "")
    privity.nothing_is_left(privity.port)


def test_quiet_ascii_and_without_colour(privity: Privity) -> None:
    """-q says one line; --ascii says it in ASCII; NO_COLOR and no terminal: no control character at all."""
    said = privity("run", privity.file(QUICK), "-q", "--ascii", "--in-process", NO_COLOR="1")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("PASS 3 of 3 ") and said.out.count("\n") == 1
    assert said.out.isascii()


def test_ascii_where_the_terminal_has_no_more(privity: Privity) -> None:
    """Where the encoding has no ticks they are spelt, and nothing fails."""
    said = privity("run", privity.file(QUICK), "--in-process", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert said.code == 0 and said.text.isascii()
    assert "ok broker" in said.err and f"ok {privity.folder / 'scenario.yaml'}:7" in said.out


def test_on_a_narrow_terminal(privity: Privity) -> None:
    """On a terminal of 40 columns with NO_COLOR the same words come, without any control sequence."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    command = [COMMAND, "run", privity.file(QUICK), "--in-process"]
    environment = privity.environment(COLUMNS="40", NO_COLOR="1", TERM="xterm-256color")
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        said, deadline = b"", time.monotonic() + 60
        while process.poll() is None or said.count(b"canary scan") == 0:
            assert time.monotonic() < deadline
            try:
                said += os.read(ours, 65536)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break  # The other side of the terminal is closed.
        assert process.wait(30) == 0
    os.close(ours)
    assert b"PASS 3 of 3" in said and b"\x1b" not in said


async def test_a_planted_secret_turns_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in a log, a ledger, the capture or a key file of another: found, and the run fails."""
    monkeypatch.setenv("PRIVITY_HOME", str(tmp_path))
    scenario = load_scenario(HELLO)
    folder = new_folder(scenario)
    session = Session(scenario, HELLO, folder, Options(in_process=True), lambda kind, text: None)
    async with session.running():
        settled = await session.play()
    assert session.judge(settled).document["verdict"] == "pass"
    of = {secret.kind: secret for secret in session.run.secrets.all if "dave" not in secret.readers}
    packet = Captured(5, "privity/x", encode([of["content key"].raw]), False)
    for path, kind, data in _places(folder, of, packet):
        before = path.read_bytes() if path.exists() else None
        with path.open("ab") as file:
            file.write(data)
        judged = session.judge(settled)
        where = f"{path.relative_to(folder.path)}: {kind}"
        assert judged.document["canaries"]["found"] > 0, where
        assert judged.document["verdict"] == "fail"
        leaked = next(each for each in judged.judgements if each.check == "no_plaintext")
        assert leaked.result == "broken", leaked
        assert kind in leaked.detail and str(path.relative_to(folder.path)) in leaked.detail
        assert of[kind].raw.hex() not in str(judged.document)
        path.unlink() if before is None else path.write_bytes(before)
    assert session.judge(settled).document["verdict"] == "pass"


def _places(folder: RunFolder, of: dict[str, Any], packet: Captured) -> Iterator[tuple[Path, str, bytes]]:
    """Where a careless program might put a secret, which one, and in what form."""
    forms = {form: next(iter(write(of["canary"].raw))) for form, write in FORMS.items()}
    yield folder.node("dave") / "events.jsonl", "canary", b'{"x":"' + forms["json"] + b'"}\n'
    yield folder.node("dave") / "stderr.log", "canary", forms["hex"]
    # A log goes to others when people ask for help: not even its own party's secrets may stand there.
    yield folder.node("bob") / "events.jsonl", "canary", forms["base64"]
    yield folder.node("dave") / "blobs" / "0", "salt", of["salt"].raw
    yield folder.node("dave") / "holdings.jsonl", "canary", forms["utf-16"]
    yield folder.capture, "content key", encode_record(packet)
    yield folder.broker / "broker.log", "text", of["text"].raw
    yield folder.node("dave") / "keys" / "signing.pem", "signing key", of["signing key"].raw
