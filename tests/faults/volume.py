"""A volume with faults: shows a folder, and does wrong what its rules say (`fault_rules`).

    python volume.py SOURCE MOUNTPOINT --faults FILE.json [--see-late SECONDS] [--cache SECONDS]

Without rules it is as good as the disk below it. Reads are not cached, so that each one can fail;
nothing can be mapped into memory to be written. Several mounts of one source are several clients
of a share: with `--see-late` new names of others are seen late, with `--cache` names, missing names
and attributes are remembered, while an open finds the newest file (close-to-open).
"""

from __future__ import annotations

import argparse
import errno
import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fuse_kernel as fuse
from fault_rules import Rules
from served import error
from served_files import ServedFiles
from served_names import ServedNames

OPERATIONS = (
    *("lookup", "forget", "batch_forget", "getattr", "setattr", "readlink", "symlink", "mkdir"),
    *("unlink", "rmdir", "rename", "rename2", "link", "create", "open", "read", "write", "flush"),
    *("fsync", "release", "statfs", "opendir", "readdir", "fsyncdir", "releasedir"),
)


class Volume(ServedNames, ServedFiles):
    """All operations, by the number that the kernel gives them."""

    def __init__(self, source: str, mountpoint: str, rules: Rules, late: float, cache: float):
        super().__init__(source, mountpoint, rules, late, cache)
        self.listings = {}
        self._by_number: dict[int, Callable[[fuse.Request], bytes]] = {
            getattr(fuse, name.upper()): getattr(self, name) for name in OPERATIONS
        }

    def answer(self, request: fuse.Request) -> bytes:
        """Carry out one request and return the body of the answer. Raises `OSError`."""
        operation = self._by_number.get(request.op)
        if operation is None:
            raise error(errno.ENOSYS)
        return operation(request)


def leave_no_orphan(mountpoint: str) -> None:
    """Unmount and end once the program that mounted is gone, however it went."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    subprocess.run(["fusermount3", "-u", "-z", "--", mountpoint], check=False)
    os._exit(1)


def main() -> None:
    """Mount, and serve until unmounted."""
    parser = argparse.ArgumentParser(description="A folder, shown with faults.")
    parser.add_argument("source")
    parser.add_argument("mountpoint")
    parser.add_argument("--faults", type=Path, required=True)
    parser.add_argument("--see-late", type=float, default=0)
    parser.add_argument("--cache", type=float, default=0)
    given = parser.parse_args()

    # Every file that the kernel remembers is held open.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.umask(0)  # the kernel has applied the caller's
    mountpoint = os.path.realpath(given.mountpoint)
    rules = Rules(given.faults)
    rules.refresh()
    volume = Volume(os.path.realpath(given.source), mountpoint, rules, given.see_late, given.cache)
    device = fuse.mount(mountpoint)
    session = fuse.Session(device, volume.answer)
    volume.invalidate = session.invalidate
    threading.Thread(target=rules.follow, daemon=True).start()
    threading.Thread(target=leave_no_orphan, args=[mountpoint], daemon=True).start()
    session.run()


if __name__ == "__main__":
    main()
