"""What it looks like when a node's disk does not do as it should."""

from __future__ import annotations

import errno
import sqlite3

from node.errors import PrivityError

DISK_ERRORS = (OSError, sqlite3.Error, PrivityError)
"""A disk that refuses, indexes that do, a record that is no longer what was written (E-JOURNAL)."""


def is_full(error: Exception) -> bool:
    """Whether it is for want of space: the one case that a user can mend in place."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
