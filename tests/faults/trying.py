"""Calls on a volume that may fail, hang, or show their effect later."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 60


def said(call: Callable[[], object]) -> str:
    """Return the name of the error that a call ends with, "" where there is none."""
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def sync(path: Path) -> None:
    """Make a file, or a folder's names, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait for what must come, however slow the machine is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.01)
