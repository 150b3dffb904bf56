"""A process tied to its parent ends with it, by the kernel's help or without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tests.stand_in
from node.lifeline import ORPHANED, guarded
from tests.waiting import alive, wait_until

# Starts its arguments as a child with a pipe to it, and waits. PARENT stands for its own process id.
OURS = """
import os, subprocess, sys
argv = [part.replace("PARENT", str(os.getpid())) for part in sys.argv[1:]]
subprocess.Popen(argv, stdin=subprocess.PIPE).wait()
"""
NOT_OURS = """
import os, subprocess, sys
from node.lifeline import guarded
argv = guarded(sys.argv[2:], os.getpid(), use_kernel=sys.argv[1] == "True")
subprocess.Popen(argv, stdin=subprocess.PIPE).wait()
"""
SAY_WHO = 'echo $$ > "$0".new; mv "$0".new "$0"; '


def pid_in(path: Path) -> int:
    wait_until(path.exists)
    return int(path.read_text())


@pytest.mark.parametrize("way", [[], ["--portable"], ["--portable", "--reads"]])
def test_a_child_ends_with_its_parent(tmp_path: Path, way: list[str]) -> None:
    """When the parent is killed with SIGKILL, a child that tied itself to it is gone at once."""
    up = tmp_path / "up"
    child = [sys.executable, tests.stand_in.__file__, "--parent-pid", "PARENT", "--up", str(up), *way]
    with subprocess.Popen([sys.executable, "-c", OURS, *child]) as launcher:
        wait_until(up.exists)
        (pid,) = (
            int(it) for it in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        )
        assert alive(pid)
        launcher.kill()
    wait_until(lambda: not alive(pid))


def test_a_child_that_reads_its_standard_input_is_not_ended_by_its_end(tmp_path: Path) -> None:
    """Who uses standard input for itself lives on when that is closed."""
    up = tmp_path / "up"
    argv = [sys.executable, tests.stand_in.__file__, "--parent-pid", str(os.getpid()), "--up", str(up)]
    with subprocess.Popen([*argv, "--portable", "--reads"], stdin=subprocess.PIPE) as child:
        wait_until(up.exists)
        assert child.stdin is not None
        child.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
        child.terminate()
        assert child.wait() == 0


def test_a_child_whose_parent_is_gone_already_does_nothing(tmp_path: Path) -> None:
    """A child that finds another process for a parent ends before it does anything."""
    up = tmp_path / "up"
    argv = [sys.executable, tests.stand_in.__file__, "--parent-pid", "1", "--up", str(up)]
    assert subprocess.run(argv, check=False, timeout=20).returncode == ORPHANED
    assert not up.exists()


@pytest.mark.parametrize("use_kernel", [True, False])
def test_a_program_that_is_not_ours_ends_with_its_parent(tmp_path: Path, use_kernel: bool) -> None:
    """A program that knows nothing of lifelines is tied all the same when it is started through one."""
    who = tmp_path / "who"
    program = ["sh", "-c", SAY_WHO + "exec sleep 1000", str(who)]
    with subprocess.Popen([sys.executable, "-c", NOT_OURS, str(use_kernel), *program]) as launcher:
        pid = pid_in(who)
        assert alive(pid)
        launcher.kill()
    wait_until(lambda: not alive(pid))


@pytest.mark.parametrize("use_kernel", [True, False])
def test_a_program_that_is_not_ours_hears_sigterm_and_keeps_its_exit_code(
    tmp_path: Path, use_kernel: bool
) -> None:
    """SIGTERM to a guarded program reaches the program, and its exit code comes back."""
    who = tmp_path / "who"
    program = ["sh", "-c", "trap 'kill $!; exit 9' TERM; sleep 1000 & " + SAY_WHO + "wait", str(who)]
    with subprocess.Popen(
        guarded(program, os.getpid(), use_kernel=use_kernel), stdin=subprocess.PIPE
    ) as child:
        pid = pid_in(who)
        child.terminate()
        assert child.wait() == 9
    assert not alive(pid)


@pytest.mark.parametrize("use_kernel", [True, False])
def test_a_program_that_is_not_ours_is_not_left_to_another_parent(tmp_path: Path, use_kernel: bool) -> None:
    """Started under a parent other than the one it is to be tied to, a guarded program does not run on."""
    who = tmp_path / "who"
    program = ["sh", "-c", SAY_WHO + "exec sleep 1000", str(who)]
    done = subprocess.run(
        guarded(program, 1, use_kernel=use_kernel), stdin=subprocess.PIPE, check=False, timeout=20
    )
    assert done.returncode != 0
