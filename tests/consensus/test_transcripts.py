"""Stories by section of the paper (Castro and Liskov, OSDI 1999), each a transcript in `transcripts/`.

A story is commands to the stage (see stage.py), each followed by `----` and by what the replicas then say and
do. With PRIVITY_REWRITE=1 in the environment a transcript that differs is written anew, and its test fails
all the same: the difference is to be read, and kept only by who can explain it.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from tests.consensus.stage import Stage

FOLDER = Path(__file__).parent / "transcripts"
STORIES = sorted(FOLDER.glob("*.txt"))
LEAST = 8


def played(text: str) -> str:
    """The transcript again, with what the replicas say today."""
    stage, lines, answers = Stage(), [], False
    for line in text.splitlines():
        if line == "----":
            answers = True
        elif not line:
            answers = False
        elif line.startswith("#"):
            lines.append(line)
        elif not answers:  # What was said once is not looked at.
            lines += [line, "----", *stage.run(line), ""]
    return "\n".join(lines).rstrip() + "\n"


@pytest.mark.parametrize("story", STORIES, ids=[story.stem for story in STORIES])
def test_a_story_goes_as_it_is_written(story: Path) -> None:
    """Each command leads to just what stands below it."""
    expected = story.read_text()
    actual = played(expected)
    if actual != expected and os.environ.get("PRIVITY_REWRITE") == "1":
        story.write_text(actual)
        pytest.fail(f"{story.name} was written anew: read the difference before you keep it")
    names = f"{story.name} as written", f"{story.name} as it goes"
    difference = difflib.unified_diff(expected.splitlines(), actual.splitlines(), *names, lineterm="")
    assert actual == expected, "\n".join(difference)


def test_every_section_has_its_stories() -> None:
    """The normal case, checkpoints, view changes, and the timers that make them happen."""
    sections = {story.stem.split("-")[0] for story in STORIES}
    assert sections == {"4.2", "4.3", "4.4", "4.5.2"}
    assert len(STORIES) >= LEAST


def test_a_story_that_is_told_otherwise_is_noticed() -> None:
    """One word changed in what is expected, and the transcript differs from what is played."""
    text = STORIES[0].read_text()
    assert played(text) == text
    assert played(text.replace("executes", "forgets", 1)) == text
