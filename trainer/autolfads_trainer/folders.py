"""Folders that anybody may have filled: listed and removed within bounds.

A worker can make millions of names, or folders a thousand deep. Who tidies up must then neither run
out of memory nor of open files: a controller does it for many runs.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
from pathlib import Path

MOST_NAMES = 20_000  # of one folder at a time; ours have some hundreds
ROUNDS = 1_000  # of so many: somebody may make names as fast as they are removed
DEEPEST = 12  # levels that are entered, each with an open file; a run has five

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW  # never through a link


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted: `MOST_NAMES` of them at most, if there are more."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in itertools.islice(entries, MOST_NAMES))


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it.

    Raises `OSError`: with ENOTEMPTY where somebody still writes into it.
    """
    handle = os.open(path, _FOLDER)
    try:
        _empty(handle, handle, 1)
    finally:
        os.close(handle)
    path.rmdir()


def _empty(folder: int, top: int, level: int) -> None:
    """Remove what is in the open `folder`; what lies too deep is moved up to the `top`, first."""
    for _ in range(ROUNDS):
        with os.scandir(folder) as entries:
            found = list(itertools.islice(entries, MOST_NAMES))
        if not found:
            return
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
            elif level == DEEPEST:
                os.rename(entry.name, secrets.token_hex(8), src_dir_fd=folder, dst_dir_fd=top)
            else:
                _remove_in(folder, entry.name, top, level + 1)
    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))


def _remove_in(folder: int, name: str, top: int, level: int) -> None:
    handle = os.open(name, _FOLDER, dir_fd=folder)
    try:
        _empty(handle, top, level)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=folder)
