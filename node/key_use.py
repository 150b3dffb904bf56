"""Whether a party's key has been used to vote: remembered beside the key, apart from what it voted for.

A node whose journal is gone has forgotten its votes and counts as faulty (R22); one that starts for the first
time has none. Only this mark tells them apart when everything but the keys is lost.
"""

from __future__ import annotations

from pathlib import Path

from node.private_files import replace_private

MARK = "used"


def has_lost_its_disk(keys_folder: Path, *, journal_is_new: bool) -> bool:
    """Whether the key was used before and the journal was not there; from now on it is used. Raises OSError.

    Without a folder of keys, as where keys are only lent, nothing is remembered.
    """
    if not keys_folder.is_dir():
        return False
    mark = keys_folder / MARK
    if not mark.exists():
        replace_private(mark, b"This key has voted. Without the journal it must not vote again.\n")
        return False
    return journal_is_new
