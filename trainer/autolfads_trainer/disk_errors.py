"""What a disk says: which errors can pass, in which words they are told. No torch."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

TRANSIENT = {errno.ESTALE, errno.EIO, errno.EINTR, errno.EAGAIN}
TRIES = 5
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
    for attempt in range(1, TRIES + 1):
        try:
            return call()
        except OSError as error:
            if error.errno not in TRANSIENT or attempt == TRIES:
                raise
            time.sleep(0.02 * 2**attempt)
    raise AssertionError("not reached")
