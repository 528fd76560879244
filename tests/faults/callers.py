"""What the program that waits for an answer has called, as the kernel shows it in /proc.

The kernel itself refuses to make a name that exists, after it has looked the name up. A volume
without exclusive creation can so be played only by not finding the name, for this one caller.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
from pathlib import Path
from typing import NamedTuple


class _Making(NamedTuple):
    """A system call that makes a name, and which of its arguments are what."""

    op: str
    name: int
    flags: int | None = None
    folder: int | None = None  # the open folder that the name is in


# link, linkat, open, openat.
_CALLS = {
    "x86_64": {
        86: _Making("link", 1),
        265: _Making("link", 3, folder=2),
        2: _Making("create", 0, 1),
        257: _Making("create", 1, 2, folder=0),
    },
    "aarch64": {37: _Making("link", 3, folder=2), 56: _Making("create", 1, 2, folder=0)},
}.get(platform.machine(), {})


_HERE = -100 & 0xFFFFFFFF  # AT_FDCWD

asking = threading.local()  # `thread`: who waits for the answer that this thread works at


def is_dying() -> bool:
    """Whether the one who waits has been killed: a share lets it go, whatever hangs."""
    try:
        status = Path(f"/proc/{getattr(asking, 'thread', 0)}/status").read_text()
    except OSError:
        return True
    pending = [
        int(line.split()[1], 16)
        for line in status.splitlines()
        if line.startswith(("SigPnd:", "ShdPnd:"))
    ]
    return any(mask >> (signal.SIGKILL - 1) & 1 for mask in pending)


def can_be_seen() -> bool:
    """Whether other programs' calls can be read here."""
    return bool(_CALLS) and os.geteuid() == 0


def _folder(call: _Making, arguments: list[int]) -> str:
    """Return which link of the caller's leads to the folder that its name is in."""
    handle = arguments[call.folder] & 0xFFFFFFFF if call.folder is not None else _HERE
    return "cwd" if handle == _HERE else f"fd/{handle}"


def making(thread: int, path: str) -> str | None:
    """Return "link" or "create" where `thread` is about to make `path` (absolute) exclusively."""
    with contextlib.suppress(OSError, ValueError):
        number, *rest = Path(f"/proc/{thread}/syscall").read_text().split()
        call = _CALLS.get(int(number))
        if call is None:
            return None
        arguments = [int(argument, 16) for argument in rest]
        if call.flags is not None and not arguments[call.flags] & os.O_EXCL:
            return None
        with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
            memory.seek(arguments[call.name])
            name = os.fsdecode(memory.read(4096).partition(b"\0")[0])
        folder = Path(f"/proc/{thread}/{_folder(call, arguments)}").readlink()
        return call.op if os.path.normpath(folder / name) == path else None
    return None
