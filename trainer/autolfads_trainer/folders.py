"""Folders that anybody may have filled: entered without a link, listed and removed within bounds.

A worker can put a link to another run into a folder's place, at any moment: each folder is opened
in the one before, and names are taken in what was opened. It can make millions of names, or folders
a thousand deep. Who tidies up must then neither run out of memory nor of open files: a controller
does it for many runs.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

MOST_NAMES = 20_000  # of one folder at a time; ours have some hundreds
ROUNDS = 1_000  # of so many: somebody may make names as fast as they are removed
DEEPEST = 12  # levels that are entered, each with an open file; a run has five

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW  # never through a link
_ON_THE_WAY = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)  # where no content is asked for


def open_folder(folder: Path, within: Path | None = None) -> int:
    """Open a folder as the place of names: `dir_fd` of calls to come. Closing it is the caller's.

    Below `within` no link is followed, nor one that takes a folder's place meanwhile.
    Raises `OSError`: ENOTDIR or ELOOP for such a link.
    """
    if within is None or folder == within:
        return os.open(folder, _ON_THE_WAY)
    first, *others = folder.relative_to(within).parts
    handle = os.open(within / first, _ON_THE_WAY | os.O_NOFOLLOW)  # which is of the last part alone
    for part in others:
        try:
            inner = os.open(part, _ON_THE_WAY | os.O_NOFOLLOW, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def names_in(folder: int) -> list[str]:
    """Return the names in an open folder, sorted: `MOST_NAMES` of them at most."""
    handle = os.open(".", _FOLDER, dir_fd=folder)
    try:
        with os.scandir(handle) as found:
            return sorted(entry.name for entry in itertools.islice(found, MOST_NAMES))
    finally:
        os.close(handle)


def entries(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder, one after another: a list of all could fill the memory."""
    with os.scandir(folder) as found:
        for entry in found:
            yield folder / entry.name


def remove_in(folder: int, name: str) -> None:
    """Remove a file, a link, or a folder with all that is in it, from an open folder.

    Raises `OSError`: ENOTEMPTY where somebody still writes into what is to go.
    """
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        _remove_folder(folder, name, folder, 1)
    else:
        os.unlink(name, dir_fd=folder)


def let_change(folder: int, name: str) -> None:
    """Let what is in a folder be listed and removed: its maker can have forbidden it to himself."""
    if not hasattr(os, "O_PATH"):  # there nobody shares a volume with strangers
        return
    # By what the name leads to at this moment, and not by the name: that can become a link.
    place = os.open(name, _FOLDER | os.O_PATH, dir_fd=folder)
    try:
        if os.fstat(place).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            with contextlib.suppress(PermissionError):  # of somebody else's: removing tells
                Path(f"/proc/self/fd/{place}").chmod(stat.S_IRWXU)
    finally:
        os.close(place)


def _empty(folder: int, top: int, level: int) -> None:
    """Remove what is in the open `folder`; what lies too deep is moved up to the `top`, first."""
    for _ in range(ROUNDS):
        with os.scandir(folder) as there:
            found = list(itertools.islice(there, MOST_NAMES))
        if not found:
            return
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
            elif level == DEEPEST:
                let_change(folder, entry.name)  # moving changes what is in it: its parent
                os.rename(entry.name, secrets.token_hex(8), src_dir_fd=folder, dst_dir_fd=top)
            else:
                _remove_folder(folder, entry.name, top, level + 1)
    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))


def _remove_folder(folder: int, name: str, top: int, level: int) -> None:
    let_change(folder, name)
    handle = os.open(name, _FOLDER, dir_fd=folder)
    try:
        _empty(handle, handle if level == 1 else top, level)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=folder)
