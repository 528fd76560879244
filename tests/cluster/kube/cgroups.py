"""Control groups for the pods of one node: two kubelets on one tree need folders of their own."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kube.waiting import wait_until

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


def make(name: str) -> str:
    """Make a node's folders; return what its kubelet calls them."""
    for hierarchy in _hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # empty in a new folder, and refused as such
            if (hierarchy / file).exists():
                (folder / file).write_text((hierarchy / file).read_text())
    return f"/{name}"


def wait_for_the_end(name: str) -> None:
    """Wait until a node whose processes were killed has left its folders, and remove them."""
    wait_until(f"the control groups of {name} are gone", lambda: _remove(name), 30)


def _remove(name: str) -> bool:
    """Remove a node's folders, deepest first, as far as nothing is in them; say if all are gone."""
    _thaw(name)
    for hierarchy in _hierarchies():
        folders = [path for path in (hierarchy / name).rglob("*") if path.is_dir()]
        for folder in sorted(folders, key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            (hierarchy / name).rmdir()
    return not any((hierarchy / name).exists() for hierarchy in _hierarchies())


def _thaw(name: str) -> None:
    """Let a node's frozen processes die.

    runc freezes a container before it kills all in it. Killed itself between the two, it leaves
    processes that no signal reaches: in version 1, not even SIGKILL.
    """
    for state in (ROOT / "freezer" / name).rglob("freezer.state"):
        with contextlib.suppress(OSError):  # gone meanwhile
            state.write_text("THAWED")


def memory_group_of(pid: int) -> Path:
    """Return the folder of the group that bounds a process's memory."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" and _is_of_version_2():
            return ROOT / path.lstrip("/")
        if "memory" in controllers.split(","):
            return ROOT / "memory" / path.lstrip("/")
    raise LookupError(f"process {pid} is in no memory group")


def _is_of_version_2() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    """Return the roots: one of version 2, or one for each controller of version 1."""
    if _is_of_version_2():
        there = (ROOT / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{each}" for each in CONTROLLERS if each in there)
        (ROOT / "cgroup.subtree_control").write_text(wanted)
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
