"""Files and folders that only their owner may open, whatever the umask says."""

from __future__ import annotations

import os
import threading
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def make_private_folder(path: Path) -> Path:
    """Make the folder, mode 700, and what is missing above it; one that is there gets that mode too."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path.chmod(FOLDER_MODE)
    return path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file, which is made if missing and has mode 600 from its first moment."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    os.fchmod(descriptor, FILE_MODE)
    return descriptor


def append_private(path: Path, line: bytes) -> None:
    """Append in one write, so that two processes that append at once never mix their lines."""
    descriptor = open_private(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def replace_private(path: Path, content: bytes) -> None:
    """Write the whole file anew; a reader, or a crash, meets the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # The new name is durable only with its folder.
    finally:
        os.close(folder)
