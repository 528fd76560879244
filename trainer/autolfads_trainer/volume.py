"""The trial of a volume, before a run trusts it with anything."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from autolfads_trainer.disk import (
    StoreError,
    forget,
    make_folder,
    may_pass,
    sync_file,
    sync_folder,
    temporary,
    write_new,
)


class _UnexpectedError(OSError):
    """Every call went well, and what came of it is not what should have."""


def check_volume(root: Path, *, in_use: bool = False) -> None:
    """Try in `root` what the run directory needs. Raises `StoreError` naming what is missing.

    One that is `in_use` by a run may be full or failing now: the run waits for that by itself.
    """
    missing = _missing(root)
    if missing is not None and isinstance(missing[1], FileNotFoundError | _UnexpectedError):
        # Another controller took our trial for a leftover: this process has slept meanwhile.
        missing = _missing(root)
    if missing is None:
        return
    need, error = missing
    if not (in_use and may_pass(error)):
        raise StoreError(
            f"{root}: this volume cannot do what a run needs: {need} ({error.strerror})"
        )


def _missing(root: Path) -> tuple[str, OSError] | None:
    """Return the first need that `root` does not meet, and the error that says so."""
    first = temporary(root / "trial")
    second = temporary(root / "trial")
    needs: tuple[tuple[str, Callable[[], object]], ...] = (
        ("create a folder", lambda: make_folder(root)),
        ("write and fsync", lambda: _writes(first)),
        ("hard link", lambda: _links(first, second)),
        ("exclusive creation", lambda: _refuses_to_overwrite(first, second)),
        ("rename", lambda: _replaces(first, second)),
        ("fsync of a folder", lambda: sync_folder(root)),
    )
    try:
        for need, trial in needs:
            try:
                trial()
            except OSError as error:
                return need, error
    finally:
        forget(first)
        forget(second)
    return None


def _writes(path: Path) -> None:
    write_new(path, b"trial")
    sync_file(path)
    if path.read_bytes() != b"trial":
        raise _UnexpectedError(errno.EIO, "what was written is not what is read")


def _links(first: Path, second: Path) -> None:
    with contextlib.suppress(FileExistsError):  # a share can say so of its own link
        os.link(first, second)
    if not second.exists() or not os.path.samefile(first, second):  # noqa: PTH121
        raise _UnexpectedError(errno.ENOTSUP, "the second name is not a link to the first")


def _refuses_to_overwrite(first: Path, second: Path) -> None:
    other = temporary(first.with_name("trial"))
    try:
        write_new(other, b"other")
        with contextlib.suppress(FileExistsError):
            os.link(other, second)
        if second.read_bytes() != b"trial":
            raise _UnexpectedError(errno.ENOTSUP, "a second hard link replaced the first")
        try:
            write_new(first, b"again")
        except FileExistsError:
            return
        raise _UnexpectedError(errno.ENOTSUP, "a file was created although its name exists")
    finally:
        forget(other)


def _replaces(first: Path, second: Path) -> None:
    # Not as they are: renaming one link of a file to another is defined to do nothing at all.
    second.unlink()
    write_new(second, b"another")
    first.replace(second)
    if first.exists() or second.read_bytes() != b"trial":
        raise _UnexpectedError(errno.ENOTSUP, "the renamed file did not replace the other")
