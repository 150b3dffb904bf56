"""The folder of a run: its number, its modes, what is remembered in it, and how it is found."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.errors import PrivityError
from node.process_identity import process_started
from node.run_folder import Label, RunFolder

VISIT = Label(id="visit", tx="7f3a91c2" * 8, sender="acme", to=("city",), t=4100)
LOAN = Label(id="loan-1", tx="7f3b91c2" * 8, sender="bolt", to=("city", "acme"), t=4200)


def folder_with(tmp_path: Path, *labels: Label) -> RunFolder:
    folder = RunFolder.create(tmp_path)
    for label in labels:
        folder.add_transaction(label)
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_runs_are_numbered(tmp_path: Path) -> None:
    """Runs count from 0001, and `latest` names the newest."""
    numbers = [RunFolder.create(tmp_path).number for _ in range(3)]
    assert numbers == ["0001", "0002", "0003"]
    assert os.readlink(tmp_path / "runs" / "latest") == "0003"
    assert RunFolder.find(tmp_path).number == "0003"


def test_two_at_once_get_two_numbers(tmp_path: Path) -> None:
    """Of many runs made at the same moment each has its own number, and `latest` names the highest."""
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: RunFolder.create(tmp_path), range(24)))
    assert [f"{n:04d}" for n in range(1, 25)] == sorted(folder.number for folder in folders)
    assert os.readlink(tmp_path / "runs" / "latest") == "0024"


def test_latest_is_not_moved_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run made while `latest` is being set for an older one stays the latest."""
    replace = os.replace

    def overtaken(source: Path, target: Path) -> None:
        if target.name == "latest" and not (tmp_path / "runs" / "0002").exists():
            (tmp_path / "runs" / "0002").mkdir()
        replace(source, target)

    monkeypatch.setattr(os, "replace", overtaken)
    RunFolder.create(tmp_path)
    assert os.readlink(tmp_path / "runs" / "latest") == "0002"


@pytest.mark.parametrize("run", ["latest", "1", "01", "0001"])
def test_a_run_is_found(run: str, tmp_path: Path) -> None:
    """A run is found by its number, with or without zeros, or as the latest."""
    made = RunFolder.create(tmp_path)
    assert made.path == RunFolder.find(tmp_path, run).path


def test_home_is_below_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another word runs lie in .privity; PRIVITY_HOME says otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRIVITY_HOME", raising=False)
    assert tmp_path / ".privity/runs/0001" == RunFolder.create().path
    monkeypatch.setenv("PRIVITY_HOME", str(tmp_path / "elsewhere"))
    assert tmp_path / "elsewhere/runs/0001" == RunFolder.create().path
    assert tmp_path / "elsewhere/runs/0001" == RunFolder.find().path


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    """Who asks for a run that is not there hears which ones are, and exit code 5."""
    with pytest.raises(PrivityError) as none_yet:
        RunFolder.find(tmp_path)
    RunFolder.create(tmp_path)
    RunFolder.create(tmp_path)
    with pytest.raises(PrivityError) as another:
        RunFolder.find(tmp_path, "9")
    assert told(none_yet.value) == ("E-NO-RUN", 5, "there is no run yet")
    assert told(another.value) == ("E-NO-RUN", 5, "there is no run 9")
    assert another.value.why == "there are: 0001 0002"


@pytest.mark.parametrize("run", ["../0001", "0001/nodes", "", "x", "³"])
def test_a_run_is_named_by_digits_only(run: str, tmp_path: Path) -> None:
    """What is no number names no run, whatever lies at such a path."""
    RunFolder.create(tmp_path)
    with pytest.raises(PrivityError, match="E-NO-RUN"):
        RunFolder.find(tmp_path, run)


def test_a_run_outlives_a_purged_latest(tmp_path: Path) -> None:
    """When the run that `latest` names was purged, the latest is the highest that is left."""
    RunFolder.create(tmp_path)
    shutil.rmtree(RunFolder.create(tmp_path).path)
    assert RunFolder.find(tmp_path).number == "0001"


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_nobody_else_may_look(umask: int, tmp_path: Path, set_umask: Callable[[int], None]) -> None:
    """Folders have mode 700 and files 600 whatever the umask."""
    tmp_path = tmp_path / "home"
    tmp_path.mkdir(0o700)
    (tmp_path / "runs").mkdir(0o700)
    set_umask(umask)
    folder = folder_with(tmp_path, VISIT)
    folder.write_run(state="ready")
    folders = [folder.path, folder.operator, folder.nodes, folder.broker, folder.make_node("acme")]
    assert {0o700} == {mode(path) for path in folders}
    assert {0o600} == {mode(path) for path in folder.path.rglob("*") if path.is_file()}


def test_keys_do_not_end_up_in_a_repository(tmp_path: Path) -> None:
    """Git is told to look away from everything below the home of the runs."""
    RunFolder.create(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_run_json_is_changed_in_parts(tmp_path: Path) -> None:
    """Writing some keys leaves the others, and nothing but the file itself is left behind."""
    folder = RunFolder.create(tmp_path)
    folder.write_run(name="hello", seed=7)
    folder.write_run(state="ready")
    me = os.getpid()
    assert folder.read_run() == {
        "pid": me,
        "pid_started": process_started(me),
        "schema": "privity.rundir/1",
        "run": "0001",
        "state": "ready",
        "name": "hello",
        "seed": 7,
    }
    assert sorted(path.name for path in folder.path.iterdir()) == ["broker", "nodes", "operator", "run.json"]


def test_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    """Two that change different keys at the same moment lose nothing of each other's."""
    folder = RunFolder.create(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: folder.write_run(**{f"key{n}": n}), range(40)))
    assert set(range(40)) == {value for name, value in folder.read_run().items() if name.startswith("key")}


def test_a_damaged_run_json_is_no_traceback(tmp_path: Path) -> None:
    """A run.json that cannot be read, or is of another version, is told as such."""
    folder = RunFolder.create(tmp_path)
    for content in (b'{"schema":"priv', b"[]", b'{"schema":"privity.rundir/9"}'):
        folder.run_json.write_bytes(content)
        with pytest.raises(PrivityError) as error:
            folder.read_run()
        assert told(error.value) == ("E-NO-RUN", 5, "run 0001 cannot be read")


@pytest.mark.parametrize(
    "use",
    [
        RunFolder.read_run,
        RunFolder.is_running,
        RunFolder.transactions,
        RunFolder.node_names,
        lambda folder: folder.write_run(state="stopped"),
        lambda folder: folder.add_transaction(VISIT),
        lambda folder: folder.resolve("visit"),
    ],
)
def test_a_deleted_folder(use: Callable[[RunFolder], object], tmp_path: Path) -> None:
    """When the folder is deleted underneath, each use says so, exit code 5, and does not make it again."""
    folder = folder_with(tmp_path, VISIT)
    shutil.rmtree(folder.path)
    with pytest.raises(PrivityError) as error:
        use(folder)
    assert told(error.value) == ("E-NO-RUN", 5, "run 0001 is gone")
    assert not folder.path.exists()


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    """A file in the place of the home is told, not raised."""
    (tmp_path / "home").write_text("")
    with pytest.raises(PrivityError, match="E-DISK"):
        RunFolder.create(tmp_path / "home")


@pytest.mark.parametrize("name", ["../acme", "acme/keys", "", "a" * 33, "Acme", "."])
def test_a_node_folder_stays_inside(name: str, tmp_path: Path) -> None:
    """No name leads out of the folder of the nodes."""
    with pytest.raises(ValueError, match="cannot be the name of a party"):
        RunFolder.create(tmp_path).node(name)


def test_a_run_lives_as_long_as_its_process(tmp_path: Path) -> None:
    """A run is running while the process that started it lives and it has not said that it stopped."""
    folder = RunFolder.create(tmp_path)
    me = os.getpid()
    folder.write_run(pid=me, pid_started=process_started(me))
    assert folder.is_running()
    folder.write_run(pid_started="another")  # The number was given to another process.
    assert not folder.is_running()
    folder.write_run(pid_started=process_started(me), state="stopped")
    assert not folder.is_running()


def test_a_run_whose_process_was_killed_is_not_running(tmp_path: Path) -> None:
    """A process that has ended does not run, even while nobody has collected its exit status."""
    folder = RunFolder.create(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        folder.write_run(pid=child.pid, pid_started=process_started(child.pid))
        assert folder.is_running()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not folder.is_running()


def test_transactions_are_remembered(tmp_path: Path) -> None:
    """What was submitted is read back, oldest first; a line cut short is left out."""
    folder = folder_with(tmp_path, VISIT, LOAN)
    with folder.transactions_file.open("ab") as file:
        file.write(b'{"id":"bid-')
    assert folder.transactions() == [VISIT, LOAN]
    assert (
        f'{{"id":"visit","tx":"{VISIT.tx}","as":"acme","to":["city"],"t":4100}}'
        == (folder.transactions_file.read_text().splitlines()[0])
    )


def test_transactions_are_read_on(tmp_path: Path) -> None:
    """Reading from the place where one stopped gives what came since."""
    folder = folder_with(tmp_path, VISIT)
    _, place = folder.transactions_from(0)
    folder.add_transaction(LOAN)
    assert folder.transactions_from(place)[0] == [LOAN]


@pytest.mark.parametrize("text", ["visit", "7f3a", "7F3A", "7f3a91c2…", VISIT.tx])
def test_a_transaction_is_named(text: str, tmp_path: Path) -> None:
    """A transaction is named by its id or by at least four digits that only its hash begins with."""
    assert folder_with(tmp_path, VISIT, LOAN).resolve(text) == VISIT


def test_an_id_goes_before_a_hash(tmp_path: Path) -> None:
    """An id that also begins a hash means the transaction of that id."""
    beef = Label(id="7f3a", tx="beef" * 16, sender="acme", to=(), t=1)
    assert beef == folder_with(tmp_path, VISIT, beef).resolve("7f3a")


def test_an_ambiguous_name(tmp_path: Path) -> None:
    """A beginning that several hashes share, or an id given twice, names none of them."""
    folder = folder_with(tmp_path, VISIT, Label("visit-2", "7f3a" + "0" * 60, "acme", (), 2), VISIT)
    for text in ("7f3a", "visit"):
        with pytest.raises(PrivityError) as error:
            folder.resolve(text)
        assert told(error.value)[:2] == ("E-TX", 2)
        assert "is not one transaction but" in error.value.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("vissit", "no transaction vissit in run 0001; did you mean visit?"),
        ("0000", "no transaction 0000 in run 0001"),
        ("7f3", "no transaction 7f3 in run 0001"),
    ],
)
def test_an_unknown_transaction(text: str, what: str, tmp_path: Path) -> None:
    """An unknown id or hash, or fewer than four digits, is refused with the nearest id, exit code 2."""
    with pytest.raises(PrivityError) as error:
        folder_with(tmp_path, VISIT, LOAN).resolve(text)
    assert ("E-TX", 2, what) == told(error.value)


def told(error: PrivityError) -> tuple[str, int, str]:
    return error.code, error.exit_code, error.what
