"""How much memory this process may still take: the machine's, its container's, its own limit."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from autolfads_trainer.cgroups import CGROUPS, PROC, groups_of


def usable_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Return how many bytes can still be allocated before something refuses or kills.

    A container is killed at its cgroup's limit, whatever the machine has; a process whose address
    space is limited gets no more than that. Page cache counts as free: it gives way.
    """
    return max(0, min(_of_machine(proc), *_of_cgroups(proc, cgroups), _of_process(proc)))


def _of_machine(proc: Path) -> int:
    with suppress(OSError, ValueError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (proc / "meminfo").read_text(), re.M)
        if found:
            return int(found[1]) * 1024
    # Not Linux (macOS): what is installed is the best that the standard library knows.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_cgroups(proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield what is left in this process's memory cgroup and in each one around it."""
    for folder in groups_of("memory", proc, cgroups):
        yield from _left(folder, "memory.max", "memory.current", "inactive_file")
        limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        yield from _left(folder, limit, usage, "total_inactive_file")


def _left(folder: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    with suppress(OSError, ValueError):  # ValueError: "max", no limit at all
        left = int((folder / limit).read_text()) - int((folder / usage).read_text())
        with suppress(OSError):
            found = re.search(rf"^{cache} (\d+)$", (folder / "memory.stat").read_text(), re.M)
            left += int(found[1]) if found else 0
        yield left


def _of_process(proc: Path) -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return 2**63
    try:
        pages = int((proc / "self" / "statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        pages = 0
    return limit - pages * os.sysconf("SC_PAGE_SIZE")
