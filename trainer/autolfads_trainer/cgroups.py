"""The control groups that this process is in: what a container, or a service, may have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def groups_of(controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[Path]:
    """Yield the folder of this process's group and of each one around it, of versions 1 and 2."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:  # not of Linux
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = cgroups / controller if controllers else cgroups
        # In a container the name may be the host's, which is not mounted: then the root is ours.
        inner = PurePosixPath(name.lstrip("/"))
        for part in dict.fromkeys((inner, *inner.parents)):
            yield root / part
