"""Every point at which a process that works on a run can die: the calls that change the disk.

All that a run writes goes through a dozen calls of `os`. Each of them on a path of the run is told
before and after it is done, and a write also when half of it is done. What a library writes for us
(HDF5, zip) is told when half of it is there, before it is synced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from autolfads_trainer import disk
from autolfads_trainer.places import Place

_TEMPORARY = re.compile(r"^\.(.+)\.\d+-[0-9a-f]+\.tmp$")
_REAL = {
    name: getattr(os, name)
    for name in ("mkdir", "open", "write", "fsync", "link", "rename", "replace", "unlink", "rmdir")
}
_REAL_SYNC_FILE = disk.sync_file
_TO_ANOTHER_NAME = ("link", "rename", "replace")


class Point(NamedTuple):
    """A moment in a call that changes the disk: of whom, on what kind of file."""

    role: str  # controller | worker
    call: str  # mkdir | open | write | fsync | link | rename | replace | unlink | rmdir
    kind: str  # of file or folder, the same for all of its kind in a run
    moment: str  # before | half | after


Reached = Callable[[str, str, str], None]
"""Told (call, kind, moment). May end the process, or raise what nothing hears."""


def patches(root: Path, reached: Reached) -> list[tuple[object, str, Callable[..., Any]]]:
    """Return (owner, attribute, replacement) of each call, telling `reached` of those in `root`."""
    found: list[tuple[object, str, Callable[..., Any]]] = [
        (os, name, _told(root, name, reached)) for name in _REAL if name != "write"
    ]
    found.append((os, "write", _told_write(root, reached)))
    found.append((disk, "sync_file", _told_sync_file(root, reached)))
    return found


def install(root: Path, reached: Reached) -> None:
    """Put the patches into this process, for good."""
    for owner, name, replacement in patches(root, reached):
        setattr(owner, name, replacement)


def _told(root: Path, name: str, reached: Reached) -> Callable[..., Any]:
    real = _REAL[name]

    def told(*arguments: Any, **options: Any) -> Any:
        subject = arguments[1] if name in _TO_ANOTHER_NAME else arguments[0]
        kind = None
        if name != "open" or arguments[1] & os.O_CREAT:
            inside = options.get("dst_dir_fd" if name in _TO_ANOTHER_NAME else "dir_fd")
            kind = kind_of(root, _path(subject, inside))
        if kind is None:
            return real(*arguments, **options)
        reached(name, kind, "before")
        result = real(*arguments, **options)
        reached(name, kind, "after")
        return result

    return told


def _told_write(root: Path, reached: Reached) -> Callable[..., int]:
    def told(handle: int, content: Any) -> int:
        kind = kind_of(root, _path(handle, None))
        if kind is None:
            return int(_REAL["write"](handle, content))
        reached("write", kind, "before")
        half = _REAL["write"](handle, content[: len(content) // 2])
        reached("write", kind, "half")
        whole = half + _REAL["write"](handle, content[half:])
        reached("write", kind, "after")
        return int(whole)

    return told


def _told_sync_file(root: Path, reached: Reached) -> Callable[[Place], None]:
    def told(place: Place) -> None:
        path = Path(_path(place.name, place.folder))
        kind = kind_of(root, str(path))
        if kind is not None:
            content = path.read_bytes()
            os.truncate(path, len(content) // 2)
            reached("write", kind, "half")
            path.write_bytes(content)
        _REAL_SYNC_FILE(place)

    return told


def _path(subject: Any, folder: int | None) -> str:
    if isinstance(subject, int):
        return str(Path(f"/proc/self/fd/{subject}").readlink())
    name = os.fsdecode(subject)
    return name if folder is None else f"{_path(folder, None)}/{name}"


def kind_of(root: Path, path: str) -> str | None:
    """Return what `path` is to a run; None: it is not in the run's folder."""
    if path == str(root):
        return "folder of the run"
    if not path.startswith(f"{root}/"):
        return None
    place = PurePosixPath(path[len(str(root)) + 1 :])
    hidden = _TEMPORARY.match(place.name)
    name, parts = (hidden.group(1) if hidden else place.name), place.parts
    if "results" in parts[:-1]:
        return "results/rates" if name.startswith("lfads_output") else f"results/{name}"
    if parts[0] == "workers" and len(parts) == 2:
        kinds = {".log": "log", ".json": "assignment"}
        return "status" if name.endswith(".status.json") else kinds.get(place.suffix, "assignment")
    if name in ("task.json", "outcome.json"):
        what = "train" if parts[0] == "members" else parts[0]
        return f"{name.removesuffix('.json')} of {what}"
    if name.endswith((".json", ".csv")):
        return name.rsplit(".", 1)[0]
    if name.endswith(".ckpt"):
        return "checkpoint"
    if hidden:
        return name  # of the trial of the volume
    return _kind_of_folder(parts)


def _kind_of_folder(parts: tuple[str, ...]) -> str:
    if parts[-1].startswith("attempt-"):
        return f"folder of an attempt to {'train' if parts[0] == 'members' else parts[0]}"
    if parts[0] == "members" and len(parts) > 1:
        return "folder of a member" if len(parts) == 2 else "folder of a leg"
    return f"folder {parts[-1]}"
