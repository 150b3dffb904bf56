"""Files that must be refused: each says in its first lines where, with which code and in which words.

A line is `# LINE:COLUMN CODE PATH | MESSAGE`, with `-` for no path; there is one for each error of the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import CATALOGUE
from scenarios.model.loading import load_scenario
from scenarios.model.problems import Problem, ScenarioInvalid

HERE = Path(__file__).parent
BAD_FILES = sorted((HERE / "bad").glob("*.yaml"))


def refusal_of(path: Path) -> ScenarioInvalid:
    """What loading says of a file that must not load."""
    with pytest.raises(ScenarioInvalid) as caught:
        load_scenario(path)
    return caught.value


def announced(path: Path) -> list[str]:
    """The errors that a file announces of itself."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("# ") and " | " in line]


def as_announced(problem: Problem) -> str:
    """A problem in the form of the announcement."""
    return f"{problem.line}:{problem.column} {problem.code} {problem.path or '-'} | {problem.message}"


def test_the_corpus_is_there() -> None:
    """There are at least 25 bad files, and each announces an error."""
    assert len(BAD_FILES) >= 25
    assert [path.name for path in BAD_FILES if not announced(path)] == []


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_a_bad_file_is_refused_as_it_announces(path: Path) -> None:
    """Every error of a file is found in one reading, at its line and column, with its code and hint."""
    refusal = refusal_of(path)
    assert announced(path) == [as_announced(problem) for problem in refusal.problems]
    assert refusal.exit_code == 4


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_every_error_is_explained(path: Path) -> None:
    """Each code that a message names is in the catalogue of `privity explain`."""
    assert [problem.code for problem in refusal_of(path).problems if problem.code not in CATALOGUE] == []


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """An empty file, or one of comments only, is not a scenario."""
    for text in ("", "\n\n", "# nothing yet\n"):
        path = tmp_path / "empty.yaml"
        path.write_text(text)
        assert [problem.message for problem in refusal_of(path).problems] == [
            "the file is empty; `privity init hello` writes one to start from"
        ]


def test_a_missing_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """A name that no file has is refused, and a scenario with nearly that name is offered."""
    (tmp_path / "tender.yaml").write_text("privity: 1\n")
    (problem,) = refusal_of(tmp_path / "tendr.yaml").problems
    assert problem.code == "E-FILE"
    assert f"no such file; did you mean {tmp_path / 'tender.yaml'}?" == problem.message
    (problem,) = refusal_of(tmp_path / "nowhere" / "tendr.yaml").problems
    assert (problem.code, problem.message) == ("E-FILE", "no such file")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder is not a scenario."""
    (problem,) = refusal_of(tmp_path).problems
    assert (problem.code, problem.message) == ("E-FILE", "a folder; name the .yaml file in it")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are not a scenario, and are not shown."""
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe")
    assert "not a text in UTF-8" in refusal_of(path).render()


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """A file is read up to its limit only, so that one without an end is refused too."""
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    assert refusal_of(path).code == "E-FILE"
    assert refusal_of(Path("/dev/zero")).code == "E-FILE"


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    """Hundreds of brackets end in a message, not in a traceback."""
    path = tmp_path / "deep.yaml"
    path.write_text("privity: 1\nsteps: " + "[" * 900)
    assert refusal_of(path).code == "E-LIMIT"


def test_aliases_cannot_multiply_a_file(tmp_path: Path) -> None:
    """A small file whose aliases stand for billions of values is refused."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    path = tmp_path / "laughs.yaml"
    path.write_text("\n".join(["l0: &l0 [x]", *levels]))
    assert refusal_of(path).code == "E-LIMIT"


def test_an_alias_to_itself_is_refused(tmp_path: Path) -> None:
    """A value cannot contain itself."""
    path = tmp_path / "loop.yaml"
    path.write_text("privity: 1\nparties: {alice: {}}\nsteps: &all [*all]\n")
    assert "an alias to a value that contains itself" in refusal_of(path).render()
