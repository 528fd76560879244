"""Names in open folders: what a call on a name of the run directory goes through. No torch.

Below a folder that others may write to, a path that was looked at can lead elsewhere by the time
that it is used: a link has taken a folder's place. A name in an open folder cannot.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.folders import open_folder

_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")


def is_temporary(name: str) -> bool:
    """Return whether `name` is one that `Place.temporary` makes."""
    return _TEMPORARY.fullmatch(name) is not None


class Place(NamedTuple):
    """A name in an open folder."""

    folder: int
    name: str

    def temporary(self) -> Place:
        """Return a name beside it that nobody uses and no reader takes for a finished file."""
        return Place(self.folder, f".{self.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")

    def status(self) -> os.stat_result | None:
        """Return what the disk says of what has the name, be it a link; None: nothing has."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_folder(self) -> bool:
        """Return whether a folder has the name."""
        found = self.status()
        return found is not None and stat.S_ISDIR(found.st_mode)

    def is_same(self, other: Place) -> bool:
        """Return whether both are seen to be names of one file or folder."""
        ours, its = self.status(), other.status()
        return ours is not None and its is not None and os.path.samestat(ours, its)

    def make_folder(self) -> None:
        """Make a folder of this name."""
        os.mkdir(self.name, dir_fd=self.folder)

    def create(self) -> int:
        """Make a file that did not exist; return it, open for writing."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        return os.open(self.name, flags, 0o666, dir_fd=self.folder)

    def open_plain(self) -> tuple[int, int]:
        """Open a plain file to read it; return its handle and its size.

        Nothing else is opened: a pipe would block for ever, a link could lead anywhere.
        Raises `OSError` for those, too, with one of `NO_PLAIN_FILE`.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(self.name, flags, dir_fd=self.folder)
        try:
            found = os.fstat(handle)
        except BaseException:
            os.close(handle)
            raise
        if stat.S_ISREG(found.st_mode):
            return handle, found.st_size
        os.close(handle)
        raise OSError(errno.EINVAL, "is no plain file", self.name)

    def link(self, other: Place) -> None:
        """Give the file `other`'s name as well, which must be free; a link itself, if it is one."""
        # Somebody may have put a link into the place of the file that was written.
        os.link(
            self.name,
            other.name,
            src_dir_fd=self.folder,
            dst_dir_fd=other.folder,
            follow_symlinks=False,
        )

    def rename(self, other: Place) -> None:
        """Give it `other`'s name instead, and take that from who has it."""
        os.replace(self.name, other.name, src_dir_fd=self.folder, dst_dir_fd=other.folder)

    def unlink(self) -> None:
        """Take the name from a file or a link."""
        os.unlink(self.name, dir_fd=self.folder)


@contextlib.contextmanager
def place_of(path: Path, within: Path | None = None) -> Iterator[Place]:
    """Hold open the folder that `path` lies in, for calls on its name.

    Below `within` no link is followed. Raises `StoreError` where something there is no folder.
    What the disk says meanwhile is told of the path, and not of its last part.
    """
    try:
        folder = open_folder(path.parent, within)
    except OSError as error:
        if within is not None and error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _no_folder(path.parent, within) from None
        error.filename = str(path)
        raise
    try:
        yield Place(folder, path.name)
    except OSError as error:
        if isinstance(error.filename, str) and "/" not in error.filename:
            error.filename = str(path)
        raise
    finally:
        os.close(folder)


def _no_folder(folder: Path, within: Path) -> StoreError:
    below = folder.relative_to(within)
    for step in (within / part for part in (*reversed(below.parents), below)):
        if step.is_symlink():
            return StoreError(f"{step}: is a link; expected only files and folders of the run")
        if not step.is_dir():
            return StoreError(f"{step}: is a file; expected a folder of the run")
    return StoreError(f"{folder}: changes while it is used; expected only workers of the run there")
