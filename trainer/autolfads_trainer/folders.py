"""Folders that anybody may have filled: listed and removed within bounds.

A worker can make millions of names, or folders a thousand deep. Who tidies up must then neither run
out of memory nor of open files: a controller does it for many runs.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

MOST_NAMES = 20_000  # of one folder at a time; ours have some hundreds
ROUNDS = 1_000  # of so many: somebody may make names as fast as they are removed
DEEPEST = 12  # levels that are entered, each with an open file; a run has five

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW  # never through a link


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted: `MOST_NAMES` of them at most, if there are more."""
    return sorted(path.name for path in itertools.islice(entries(folder), MOST_NAMES))


def entries(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder, one after another: a list of all could fill the memory."""
    with os.scandir(folder) as found:
        for entry in found:
            yield folder / entry.name


def remove_below(root: Path, parts: Sequence[str]) -> None:
    """Remove a file, a link, or a folder with all that is in it: the one that `parts` lead to.

    Each folder on the way is opened in the one before: whoever puts a link in its place meanwhile
    leads nowhere. Raises `OSError`: ENOTDIR or ELOOP for such a link, ENOTEMPTY where somebody
    still writes into the folder.
    """
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            _remove_in(folder, parts[-1], folder, 1)
        else:
            os.unlink(parts[-1], dir_fd=folder)
    finally:
        os.close(folder)


def _empty(folder: int, top: int, level: int) -> None:
    """Remove what is in the open `folder`; what lies too deep is moved up to the `top`, first."""
    for _ in range(ROUNDS):
        with os.scandir(folder) as there:
            found = list(itertools.islice(there, MOST_NAMES))
        if not found:
            return
        _let_change(folder)
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
            elif level == DEEPEST:
                os.rename(entry.name, secrets.token_hex(8), src_dir_fd=folder, dst_dir_fd=top)
            else:
                _remove_in(folder, entry.name, top, level + 1)
    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))


def _let_change(folder: int) -> None:
    """Let what is in an open folder be removed: its maker can have forbidden it to himself."""
    if not os.fstat(folder).st_mode & stat.S_IWUSR:
        with contextlib.suppress(PermissionError):  # of somebody else's: removing tells
            os.fchmod(folder, stat.S_IRWXU)


def _open(folder: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        if not hasattr(os, "O_PATH"):
            raise
    # By what the name leads to at this moment, and not by the name: that can become a link.
    place = os.open(name, _FOLDER | os.O_PATH, dir_fd=folder)
    try:
        Path(f"/proc/self/fd/{place}").chmod(stat.S_IRWXU)
    finally:
        os.close(place)
    return os.open(name, _FOLDER, dir_fd=folder)


def _remove_in(folder: int, name: str, top: int, level: int) -> None:
    handle = _open(folder, name)
    try:
        _empty(handle, handle if level == 1 else top, level)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=folder)
