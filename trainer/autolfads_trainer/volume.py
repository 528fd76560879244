"""The trial of a volume, before a run trusts it with anything."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from pathlib import Path

from autolfads_trainer.disk import (
    forget,
    make_folder,
    read_at,
    sync_file,
    sync_names,
    write_new,
)
from autolfads_trainer.disk_errors import StoreError, may_pass
from autolfads_trainer.places import Place, place_of


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
    try:
        make_folder(root)
        with place_of(root / "trial") as place:
            return _missing_at(place)
    except OSError as error:
        return "create a folder", error


def _missing_at(place: Place) -> tuple[str, OSError] | None:
    first, second = place.temporary(), place.temporary()
    needs: tuple[tuple[str, Callable[[], object]], ...] = (
        ("write and fsync", lambda: _writes(first)),
        ("hard link", lambda: _links(first, second)),
        ("exclusive creation", lambda: _refuses_to_overwrite(first, second)),
        ("rename", lambda: _replaces(first, second)),
        ("fsync of a folder", lambda: sync_names(place.folder)),
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


def _writes(place: Place) -> None:
    write_new(place, b"trial")
    sync_file(place)
    if _content(place) != b"trial":
        raise _UnexpectedError(errno.EIO, "what was written is not what is read")


def _content(place: Place) -> bytes:
    return read_at(place, most=100)


def _links(first: Place, second: Place) -> None:
    with contextlib.suppress(FileExistsError):  # a share can say so of its own link
        first.link(second)
    if not first.is_same(second):
        raise _UnexpectedError(errno.ENOTSUP, "the second name is not a link to the first")


def _refuses_to_overwrite(first: Place, second: Place) -> None:
    other = Place(first.folder, "trial").temporary()
    try:
        write_new(other, b"other")
        with contextlib.suppress(FileExistsError):
            other.link(second)
        if _content(second) != b"trial":
            raise _UnexpectedError(errno.ENOTSUP, "a second hard link replaced the first")
        try:
            write_new(first, b"again")
        except FileExistsError:
            return
        raise _UnexpectedError(errno.ENOTSUP, "a file was created although its name exists")
    finally:
        forget(other)


def _replaces(first: Place, second: Place) -> None:
    # Not as they are: renaming one link of a file to another is defined to do nothing at all.
    second.unlink()
    write_new(second, b"another")
    first.rename(second)
    if first.status() is not None or _content(second) != b"trial":
        raise _UnexpectedError(errno.ENOTSUP, "the renamed file did not replace the other")
