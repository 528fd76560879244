"""Files on a shared volume: whole or not there, durable, never overwritten where they decide.

All that the run directory writes goes through here. Each call that changes the disk (write, fsync,
link, rename, remove) is a point at which the process can die; what is left then is either what was
there before, or all of the new, and at most a temporary file besides.

`within` is a folder that others may write to: below it no link is followed, whenever it appears.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from autolfads_trainer.disk_errors import TRIES, retried
from autolfads_trainer.folders import names_in, remove_in
from autolfads_trainer.places import Place, place_of


class Counts:
    """What this process has read so far, for those who watch it."""

    reads = 0


COUNTS = Counts()


def sync_names(folder: int) -> None:
    """Make the names in an open folder durable."""
    handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(place: Place) -> None:
    """Make the content of a file durable."""
    handle = os.open(place.name, os.O_RDWR | os.O_NOFOLLOW, dir_fd=place.folder)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_NOT_DURABLE: set[Path] = set()  # folders made here whose names could not be synced yet


def make_folder(folder: Path, within: Path | None = None) -> None:
    """Create `folder` and its parents, durably.

    `within`, which is not made, must be there, else `FileNotFoundError` is raised: where a volume
    has been unmounted, the same names would lie on another disk.
    """
    if _is_folder(folder, within) and folder not in _NOT_DURABLE:
        return
    if folder == within:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    make_folder(folder.parent, within)
    with place_of(folder, within) as place:
        _NOT_DURABLE.add(folder)
        with contextlib.suppress(FileExistsError):  # of another: whether it is one shows later
            place.make_folder()
        sync_names(place.folder)
        _NOT_DURABLE.discard(folder)


def _is_folder(folder: Path, within: Path | None) -> bool:
    if within is None or folder == within:
        return folder.is_dir()
    try:
        with place_of(folder, within) as place:
            return place.is_folder()
    except FileNotFoundError:
        return False


def write_new(place: Place, content: bytes, *, synced: bool = True) -> None:
    """Write a file that did not exist, and make its content durable, if it is to be `synced`."""
    handle = place.create()
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if synced:
            os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes, within: Path | None = None) -> None:
    """Write `content` so that `path` holds all of it or what was there before."""
    _write_durably(path, lambda partial: write_new(partial, content), within)


def write_quickly(path: Path, content: bytes, within: Path | None = None) -> None:
    """Like `write_bytes`, for what is worthless after a power cut: whole, but not synced."""
    with place_of(path, within) as place:
        _replace_with(place, lambda partial: write_new(partial, content, synced=False))


def write_with(path: Path, writer: Callable[[Path], object]) -> None:
    """Like `write_bytes`, for a `writer` that wants a file name (h5py, zipfile)."""

    def write(partial: Place) -> None:
        writer(path.with_name(partial.name))
        sync_file(partial)

    _write_durably(path, write)


def _write_durably(path: Path, write: Callable[[Place], None], within: Path | None = None) -> None:
    with place_of(path, within) as place:
        _replace_with(place, write)
        sync_names(place.folder)


def _replace_with(place: Place, write: Callable[[Place], None]) -> None:
    partial = place.temporary()
    try:
        write(partial)
        _take_name(partial, place)
    finally:
        forget(partial)


def _take_name(partial: Place, place: Place) -> None:
    """Rename. The answer can be wrong: a share repeats a call whose answer was lost."""
    ours = partial.status()
    try:
        partial.rename(place)
    except OSError:
        if ours is None or not _has_name(place, ours):
            raise


def _has_name(place: Place, file: os.stat_result) -> bool:
    try:
        found = place.status()
    except OSError:
        return False
    return found is not None and found.st_ino == file.st_ino


def create_exclusively(path: Path, content: bytes, within: Path | None = None) -> bool:
    """Give a finished file the name `path`, unless the name exists; return whether it was new.

    The answer can be wrong, since a link can succeed and report an error: read `path`.
    """
    with place_of(path, within) as place:
        partial = place.temporary()
        try:
            write_new(partial, content)
            # With the folder opened anew each time: a handle that has gone stale stays so.
            new = retried(lambda: _link(partial.name, path, within))
        finally:
            forget(partial)
    retried(lambda: _sync_folder(path.parent, within))
    return new


def _link(partial: str, path: Path, within: Path | None) -> bool:
    with place_of(path, within) as place:
        try:
            Place(place.folder, partial).link(place)
        except FileExistsError:
            return False
        except OSError:
            # The name may exist all the same: made by another, or by this very call.
            if place.status() is None:
                raise
            return False
        return True


def _sync_folder(folder: Path, within: Path | None) -> None:
    with place_of(folder / "any", within) as place:
        sync_names(place.folder)


@contextlib.contextmanager
def opened_plain(path: Path) -> Iterator[io.BufferedReader]:
    """Open a plain file to read it, and nothing else: see `Place.open_plain`."""
    with place_of(path) as place:
        handle, _ = place.open_plain()
    with open(handle, "rb") as file:  # noqa: PTH123  (a handle, not a name)
        yield file


def read_bytes(path: Path, most: int, within: Path | None = None) -> bytes:
    """Return the content of a plain file, up to `most` + 1 bytes."""
    with place_of(path, within) as place:
        return read_at(place, most)


def read_at(place: Place, most: int) -> bytes:
    """Return the content of a plain file, up to `most` + 1 bytes.

    As few calls as can be, and no more room than the file needs: a controller of a hundred runs
    reads thousands of files in a second, and each call hands the interpreter to another thread.
    """
    handle, size = place.open_plain()
    COUNTS.reads += 1
    try:
        there = min(size, most)
        content = os.read(handle, there + 1)
        # The system may give less than all of it.
        while len(content) < there and (more := os.read(handle, there + 1 - len(content))):
            content += more
        return content
    finally:
        os.close(handle)


def exists(path: Path, within: Path | None = None) -> bool:
    """Return whether there is something of this name, be it a link that leads nowhere."""
    try:
        with place_of(path, within) as place:
            return place.status() is not None
    except FileNotFoundError:
        return False


def contents(folder: Path, within: Path | None = None) -> list[str]:
    """Return the names in a folder, sorted: of very many, some."""
    with place_of(folder / "any", within) as place:
        return names_in(place.folder)


def is_kept(folder: Path) -> bool:
    """Return whether the disk keeps a file that is made in `folder`, and gives it back."""
    content = secrets.token_bytes(4096)
    try:
        with place_of(folder / "trial") as place:
            return _keeps(place.temporary(), content)
    except OSError:
        return False


def _keeps(place: Place, content: bytes) -> bool:
    try:
        write_new(place, content)
        handle, _ = place.open_plain()
        with open(handle, "rb") as file:  # noqa: PTH123  (a handle, not a name)
            if hasattr(os, "posix_fadvise"):  # from the disk, and not from memory
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read() == content
    finally:
        forget(place)


def forget(partial: Place) -> None:
    """Remove a temporary file. What went wrong before is to be told, not that this fails too."""
    with contextlib.suppress(OSError):
        retried(partial.unlink)


def remove(path: Path, within: Path) -> bool:
    """Remove a file, a link or a folder; it may be gone already.

    Returns whether it is gone: a worker that was given up may still write into a folder.
    """
    for _ in range(TRIES):
        try:
            with place_of(path, within) as place:
                remove_in(*place)
        except FileNotFoundError:  # another was faster, perhaps with a part of it
            if not exists(path, within):
                return True
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return True
    return False
