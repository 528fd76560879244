"""Whose a run's folder is: claimed once, held while a command is at work, and never another's."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autolfads_operator import __version__
from autolfads_operator.api import AutoLFADSRun
from autolfads_operator.pools.local import is_of_a_worker
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.folders import entries
from autolfads_trainer.places import is_temporary, place_of
from autolfads_trainer.records import Owner
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError, is_special
from autolfads_trainer.volume import check_volume
from autolfads_trainer.yaml_text import MAX_BYTES

LOCK = ".controller.lock"
CLOSES_WITHIN = 2.0  # seconds, for a lock on a volume that answers


def folder_of(run: AutoLFADSRun, manifest: Path, out: Path | None) -> Path:
    """Return the run's folder: as told, or `runs/NAME` beside the manifest."""
    return (out or manifest.parent / "runs" / run.metadata.name).resolve()


def owner_of(run: AutoLFADSRun, manifest: Path) -> Owner:
    """Return whose the run directory will be. Paths become absolute: they are the manifest's.

    The hash is of what decides the run's course; settings of workers may change between starts.
    """
    spec = run.spec.as_json()
    here = manifest.resolve().parent
    if "path" in spec["data"]:
        spec["data"]["path"] = str(here / spec["data"]["path"])
    config_hash = None
    if spec.get("configFile"):
        config_file = here / spec["configFile"]
        spec["configFile"] = str(config_file)
        config_hash = _hash_of_file(config_file)
    return Owner(
        name=run.metadata.name,
        spec=spec,
        spec_hash=deciding_hash(spec),
        config_hash=config_hash,
        keep_results=True,
        autolfads=__version__,
    )


def _deciding(spec: dict[str, Any]) -> dict[str, Any]:
    names = ("data", "configFile", "config", "population", "seed", "pbt", "export")
    return {name: spec[name] for name in names if name in spec}


def deciding_hash(spec: dict[str, Any]) -> str:
    """Return the hash of what decides the run's course."""
    return _hash(_deciding(spec))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _hash_of_file(path: Path) -> str | None:
    try:
        if is_special(path) or path.stat().st_size > MAX_BYTES:
            return None  # the one who reads it refuses it, and says why
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path}: no such configuration file (spec.configFile)") from None
    except OSError as error:
        raise InputError(f"{path}: spec.configFile cannot be read: {error.strerror}") from None


def opened_run(root: Path) -> tuple[RunFolder, Owner]:
    """Return the run in the folder that a user names. Raises `InputError` if it is none."""
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: is a file; expected a run's folder")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected that of a run")
    folder = RunFolder(root)
    owner = folder.owner()
    if owner is None:
        _refuse_without_owner(folder, "restore the file")
        raise InputError(f"{root}: is not a run's folder; expected one with an owner.json")
    return folder, owner


def _refuse_without_owner(folder: RunFolder, helps: str) -> None:
    """Raise `InputError` for a folder that holds a run, and not what says whose it is."""
    if folder.run() is not None:
        raise InputError(
            f"{folder.root / 'owner.json'}: is missing, although {folder.root} holds a run; "
            f"expected it as autolfads wrote it: {helps}"
        )


def claim(folder: RunFolder, owner: Owner) -> Owner:
    """Make the folder this run's, or see that it is. Raises `InputError` if it is another's."""
    root = folder.root
    found = folder.owner() if root.is_dir() else None
    over = found is not None and folder.end() is not None
    if found is None:
        _refuse_without_owner(folder, "restore the file, or begin a run in another folder (--out)")
        if root.is_dir() and not all(_is_left_over(name) for name in entries(root)):
            raise InputError(
                f"{root}: holds files that are no run's; expected an empty or new folder (--out)"
            )
        check_volume(root)
        folder.remove("workers")  # of an earlier run that was removed but for this
        found = folder.claim(owner)
    elif not over:
        check_volume(root, in_use=True)  # it may have moved to another since
    _refuse_in_the_way(folder, over)
    if found.spec_hash != deciding_hash(found.spec):
        raise InputError(
            f"{root / 'owner.json'}: was changed: its spec is not the one that its specHash is of; "
            "expected it as autolfads wrote it: restore the file"
        )
    # Whether the data are still the same is seen by who reads them: a project can have moved.
    moved = not over and folder.run() is not None
    differences = [
        f"{name} was {_short(before)} and is now {_short(now)}"
        for name, before, now in _differences(found, owner, moved=moved)
    ]
    if differences:
        raise InputError(
            f"{root}: belongs to another run: {'; '.join(differences)}; expected the same "
            "manifest, or another folder (--out)"
        )
    return found


def _refuse_in_the_way(folder: RunFolder, over: bool) -> None:
    """Raise `InputError` for something in the place of results that were not made yet."""
    there = folder.results
    if over or folder.has("export") or not folder.has("results"):
        return
    with place_of(there, folder.root) as place:
        is_folder = place.is_folder()
    if not is_folder or folder.contents("results"):
        found = "a folder that is not of this run" if is_folder else "a file or a link"
        raise InputError(
            f"{there}: found {found}, where the run's results will be; expected no such name: "
            "move it away, and the same command goes on"
        )


def _is_left_over(path: Path) -> bool:
    """Return whether `path` is of ours, from a command that was killed or a folder removed."""
    if path.name == "workers" and path.is_dir() and not path.is_symlink():
        return all(
            (is_of_a_worker(file.name) or is_temporary(file.name)) and file.is_file()
            for file in entries(path)
        )
    return path.name == LOCK or is_temporary(path.name)


def _differences(
    found: Owner, wanted: Owner, *, moved: bool
) -> Iterator[tuple[str, object, object]]:
    """Say what differs; where files lie does not count if the project may have `moved`."""
    places = {"data.path", "configFile"} if moved else set()
    if found.name != wanted.name:
        yield "metadata.name", found.name, wanted.name
    if found.spec_hash != wanted.spec_hash:
        before, now = _flat(_deciding(found.spec)), _flat(_deciding(wanted.spec))
        for name in sorted(before.keys() | now.keys()):
            elsewhere = name in places and before.get(name) and now.get(name)
            if before.get(name) != now.get(name) and not elsewhere:
                yield f"spec.{name}", before.get(name), now.get(name)
    if found.config_hash != wanted.config_hash:
        yield "the content of spec.configFile", found.config_hash, wanted.config_hash


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for name, below in value.items():
        flat |= _flat(below, f"{prefix}.{name}" if prefix else name)
    return flat


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else text[:12] + "…"


def is_at_work(root: Path) -> bool:
    """Return whether an `autolfads run` holds the folder now, on this machine."""
    try:
        handle = os.open(root / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the folder against a second `autolfads run` on this machine."""
    if root.exists() and not root.is_dir():
        raise InputError(f"{root}: is a file; expected a folder for the run (--out)")
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o664)
    except OSError as error:
        raise InputError(f"{root}: cannot be written to: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{root}: another 'autolfads run' is at work in this folder") from None
        yield
    finally:
        # On a dead mount this never comes back, and the last word is still to be said.
        closing = threading.Thread(target=os.close, args=[handle], daemon=True)
        closing.start()
        closing.join(CLOSES_WITHIN)


def forget(folder: RunFolder) -> None:
    """Remove a run that never began: nothing but what could be made again is lost.

    The folder must be known to be this run's. Where there are members, it did begin.
    """
    if folder.run() is None and not folder.has("members"):
        for name in ("owner.json", "prepare", "workers"):
            folder.remove(name)


def leave_no_trace(folder: RunFolder) -> None:
    """Remove the lock from a folder that is no run's, and the folder if there is nothing else."""
    with contextlib.suppress(OSError, StoreError):  # of what went wrong before is to be told
        if folder.owner() is None:
            (folder.root / LOCK).unlink(missing_ok=True)
            if not any(entries(folder.root)):
                folder.root.rmdir()
