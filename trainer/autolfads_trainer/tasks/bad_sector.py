"""One file that a disk does not give out, and works otherwise: it is not waited for for ever."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autolfads_trainer.disk import is_kept
from autolfads_trainer.disk_errors import in_words

UNREADABLE = 600.0  # seconds that a file is waited for
FURTHER = 10.0  # seconds for each further one: it is known by now what this disk is like

T = TypeVar("T")


class Unreadable(Exception):  # noqa: N818  (a state of the file, for which each caller has a use)
    """A file cannot be read. The message names it and says why."""


def keeps(folder: Path) -> bool:
    """Return whether the disk works, where files may be made to try it."""
    return is_kept(folder)


def lists(folder: Path) -> bool:
    """Return whether the disk answers, where nothing may be written."""
    try:
        return any(folder.iterdir())
    except OSError:
        return False


@dataclass
class BadSectors:
    """Reads files that may lie on bad sectors.

    A disk that fails as a whole is no bad sector: its errors are raised, to be waited for.

    Attributes:
        clock: monotonic seconds.
        works: whether the disk that a folder is on works otherwise.
    """

    clock: Callable[[], float]
    works: Callable[[Path], bool] = keeps
    _found: bool = False

    def reading(self, path: Path, read: Callable[[Path], T]) -> Callable[[], T]:
        """Return a call that gives `read(path)`, to be called again and again while it fails.

        It raises `Unreadable` when that has gone on for too long.
        """
        since: float | None = None  # the first of the errors in a row

        def call() -> T:
            nonlocal since
            try:
                return read(path)
            except OSError as error:
                if error.errno != errno.EIO:
                    since = None  # it is the disk, and not this file
                    raise
                now = self.clock()
                since = now if since is None else since
                enough = FURTHER if self._found else UNREADABLE
                if now - since < enough or not self.works(path.parent):
                    raise
                # The disk may have come back between that reading and this trial.
                with contextlib.suppress(OSError):
                    return read(path)
                self._found = True
                long = f"{enough / 60:.0f} minutes" if enough > 60 else f"{enough:.0f} s"
                words = f"{path}: cannot be read for {long}: {in_words(error)}"
                raise Unreadable(words) from None

        return call
