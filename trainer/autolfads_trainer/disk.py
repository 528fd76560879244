"""Files on a shared volume: whole or not there, durable, never overwritten where they decide.

All that the run directory writes goes through here. Each call that changes the disk (write, fsync,
link, rename, remove) is a point at which the process can die; what is left then is either what was
there before, or all of the new, and at most a temporary file besides.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from autolfads_trainer.folders import remove_below

_TRANSIENT = {errno.ESTALE, errno.EIO, errno.EINTR, errno.EAGAIN}
_TRIES = 5
NO_PLAIN_FILE = {errno.EINVAL, errno.ELOOP, errno.EISDIR, errno.ENXIO}
LATE = 10.0  # seconds that a name may take to be seen without a word about it

# What a disk says that may work again without anybody touching the run. With it, work waits.
_OUTAGE = {
    errno.EIO: "the disk reports input/output errors",
    errno.ESTALE: "the volume has lost the file (stale handle)",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk has become read-only",
    errno.ETIMEDOUT: "the volume's server does not answer",
    errno.ENOTCONN: "the volume is not connected",
    errno.EHOSTDOWN: "the volume's server is down",
    errno.EHOSTUNREACH: "the volume's server cannot be reached",
    errno.ENETUNREACH: "the volume's server cannot be reached",
    errno.EAGAIN: "the volume is busy",
    errno.EINTR: "a call to the disk was interrupted",
    errno.EBUSY: "the volume is busy",
    errno.ENFILE: "the machine has too many open files",
    errno.EMFILE: "this process has too many open files",
}

T = TypeVar("T")


class Counts:
    """What this process has read so far, for those who watch it."""

    reads = 0


COUNTS = Counts()

_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")


class StoreError(RuntimeError):
    """A file of the run directory that is not what it must be. The message names it."""


class NotVisibleYetError(OSError):
    """A name that exists, or was announced, is not seen yet: volumes remember missing names."""


def may_pass(error: BaseException) -> bool:
    """Return whether this is a disk's trouble that can pass, so that waiting makes sense."""
    if isinstance(error, NotVisibleYetError):
        return True
    return isinstance(error, OSError) and error.errno in _OUTAGE


def in_words(error: OSError) -> str:
    """Return what a disk's error means, in plain words."""
    if isinstance(error, NotVisibleYetError):
        return f"{error.filename}: {error.strerror}"
    return _OUTAGE.get(error.errno or 0) or error.strerror or str(error)


def retried(call: Callable[[], T]) -> T:
    """Return `call()`, tried again when a shared volume says ESTALE or EIO, which often pass."""
    for attempt in range(1, _TRIES + 1):
        try:
            return call()
        except OSError as error:
            if error.errno not in _TRANSIENT or attempt == _TRIES:
                raise
            time.sleep(0.02 * 2**attempt)
    raise AssertionError("not reached")


def temporary(path: Path) -> Path:
    """Return a name beside `path` that nobody else uses and no reader takes for a finished file."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def is_temporary(name: str) -> bool:
    """Return whether `name` is one that `temporary` makes."""
    return _TEMPORARY.fullmatch(name) is not None


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    _sync(folder, os.O_RDONLY)


def sync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
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
    if folder.is_dir() and folder not in _NOT_DURABLE:
        return
    if folder == within and not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    make_folder(folder.parent, within)
    _NOT_DURABLE.add(folder)
    with contextlib.suppress(FileExistsError):  # of another: and whether it is a folder shows later
        os.mkdir(folder)  # noqa: PTH102
    sync_folder(folder.parent)
    _NOT_DURABLE.discard(folder)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that did not exist, and make its content durable."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that `path` holds all of it or what was there before."""
    _replace_with(path, lambda name: write_new(name, content))


def write_with(path: Path, writer: Callable[[Path], object]) -> None:
    """Like `write_bytes`, for a `writer` that wants a file name (h5py, zipfile)."""

    def write(name: Path) -> None:
        writer(name)
        sync_file(name)

    _replace_with(path, write)


def _replace_with(path: Path, write: Callable[[Path], None]) -> None:
    partial = temporary(path)
    try:
        write(partial)
        _take_name(partial, path)
    finally:
        forget(partial)
    sync_folder(path.parent)


def _take_name(partial: Path, path: Path) -> None:
    """Rename. The answer can be wrong: a share repeats a call whose answer was lost."""
    ours = partial.stat().st_ino
    try:
        partial.replace(path)
    except OSError:
        if not _is_file(path, ours):
            raise


def _is_file(path: Path, number: int) -> bool:
    try:
        return path.stat().st_ino == number
    except OSError:
        return False


def write_quickly(path: Path, content: bytes) -> None:
    """Like `write_bytes`, for what is worthless after a power cut: whole, but not synced."""
    partial = temporary(path)
    try:
        partial.write_bytes(content)
        _take_name(partial, path)
    finally:
        forget(partial)


def create_exclusively(path: Path, content: bytes) -> bool:
    """Give a finished file the name `path`, unless the name exists; return whether it was new.

    The answer can be wrong, since a link can succeed and report an error: read `path`.
    """
    partial = temporary(path)
    try:
        write_new(partial, content)
        new = retried(lambda: _link(partial, path))
    finally:
        forget(partial)
    retried(lambda: sync_folder(path.parent))
    return new


def _link(partial: Path, path: Path) -> bool:
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError:
        # The name may exist all the same: made by another, or by this very call.
        if not path.exists():
            raise
        return False
    return True


def _open_plain(path: Path) -> tuple[int, int]:
    """Open a plain file to read it; return its handle and its size."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)
    except BaseException:
        os.close(handle)
        raise
    if stat.S_ISREG(found.st_mode):
        return handle, found.st_size
    os.close(handle)
    raise OSError(errno.EINVAL, "is no plain file", str(path))


@contextlib.contextmanager
def opened_plain(path: Path) -> Iterator[io.BufferedReader]:
    """Open a plain file to read it.

    Nothing else is opened: a pipe would block for ever, a link could lead anywhere.
    Raises `OSError` for those, too, with one of `NO_PLAIN_FILE`.
    """
    handle, _ = _open_plain(path)
    with open(handle, "rb") as file:  # noqa: PTH123  (a handle, not a name)
        yield file


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a plain file, up to `most` + 1 bytes.

    As few calls as can be, and no more room than the file needs: a controller of a hundred runs
    reads thousands of files in a second, and each call hands the interpreter to another thread.
    """
    handle, size = _open_plain(path)
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


def is_kept(folder: Path) -> bool:
    """Return whether the disk keeps a file that is made in `folder`, and gives it back."""
    content = secrets.token_bytes(4096)
    partial = temporary(folder / "trial")
    try:
        write_new(partial, content)
        with partial.open("rb") as file:
            if hasattr(os, "posix_fadvise"):  # from the disk, and not from memory
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read() == content
    except OSError:
        return False
    finally:
        forget(partial)


def forget(partial: Path) -> None:
    """Remove a temporary file. What went wrong before is to be told, not that this fails too."""
    with contextlib.suppress(OSError):
        retried(partial.unlink)


def remove(root: Path, parts: Sequence[str]) -> bool:
    """Remove a file, a link or a folder below `root`; it may be gone already.

    Returns whether it is gone: a worker that was given up may still write into a folder.
    """
    for _ in range(_TRIES):
        try:
            remove_below(root, parts)
        except FileNotFoundError:  # another was faster, perhaps with a part of it
            if not os.path.lexists(root.joinpath(*parts)):
                return True
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return True
    return False
