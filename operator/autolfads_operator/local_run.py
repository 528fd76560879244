"""`autolfads run`: one run on this machine, from the manifest to the zip."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolfads_operator import __version__
from autolfads_operator.api import AutoLFADSRun
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.steady import SteadyTurns
from autolfads_operator.leaving import PATIENCE, leave, not_saved, signals_noted
from autolfads_operator.machine import default_workers, gpus
from autolfads_operator.pools.local import LocalPool, is_of_a_worker
from autolfads_operator.view.pace import Pace
from autolfads_operator.view.picture import Picture, picture_of
from autolfads_operator.view.said import stopped_by
from autolfads_trainer.disk import StoreError, is_temporary
from autolfads_trainer.records import End, Owner, Run
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import MAX_BYTES, InputError, is_special
from autolfads_trainer.volume import check_volume

CLOSES_WITHIN = 2.0  # seconds, for a lock on a volume that answers
TURN = 0.03  # seconds between turns
LOOK = 0.2  # seconds between looks at a turn that takes its time


class Interrupted(Exception):  # noqa: N818  (the user's wish, no error)
    """Ctrl-C, or SIGTERM: the run was stopped cleanly and can be started again."""


@dataclass(frozen=True)
class Settings:
    """How to run here."""

    most_workers: int
    workers: int | None = None  # as told; None: as many as the machine carries, at most the above
    device: str = "auto"
    worker_arguments: tuple[str, ...] = ()

    def workers_for(self, run: Run | None) -> int:
        """Return how many workers to run; before it is known how they share a GPU, one."""
        if self.workers is not None:
            return self.workers
        if run is None:
            return 1
        share = float(run.configuration["pbt"]["resources_per_trial"]["gpu"])
        return min(self.most_workers, run.population, default_workers(self.device, share))


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
        spec_hash=_hash(_deciding(spec)),
        config_hash=config_hash,
        keep_results=True,
        autolfads=__version__,
    )


def _deciding(spec: dict[str, Any]) -> dict[str, Any]:
    names = ("data", "configFile", "config", "population", "seed", "pbt", "export")
    return {name: spec[name] for name in names if name in spec}


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
        if root.is_dir() and not all(_is_left_over(name) for name in root.iterdir()):
            raise InputError(
                f"{root}: holds files that are no run's; expected an empty or new folder (--out)"
            )
        check_volume(root)
        folder.remove("workers")  # of an earlier run that was removed but for this
        found = folder.claim(owner)
    elif not over:
        check_volume(root, in_use=True)  # it may have moved to another since
    _refuse_in_the_way(folder, over)
    if found.spec_hash != _hash(_deciding(found.spec)):
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
    exported = over or (folder.root / "export").exists()
    if not exported and there.exists() and not (there.is_dir() and not any(there.iterdir())):
        found = "a folder that is not of this run" if there.is_dir() else "a file"
        raise InputError(
            f"{there}: found {found}, where the run's results will be; expected no such name: "
            "move it away, and the same command goes on"
        )


def _is_left_over(path: Path) -> bool:
    """Return whether `path` is of ours, from a command that was killed or a folder removed."""
    if path.name == "workers" and path.is_dir():
        return all(
            (is_of_a_worker(file.name) or is_temporary(file.name)) and file.is_file()
            for file in path.iterdir()
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


LOCK = ".controller.lock"


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


def run_here(
    folder: RunFolder,
    owner: Owner,
    settings: Settings,
    show: Callable[[Picture, float | None], None],
    until_prepared: bool = False,
    tell: Callable[[str | None], None] = lambda _trouble: None,
    leaving: Callable[[bool], None] = lambda _in_trouble: None,
    saved: Callable[[list[int]], None] = lambda _not_saved: None,
    left: Callable[[list[str]], None] = lambda _paths: None,
) -> End | None:
    """Run to the end, or until everything is prepared. The caller holds the folder (`alone`).

    `tell` is told a trouble of the disk in plain words, once, and None when it is over: the run
    waits for the disk and goes on. `leaving` is called when workers are about to be told to leave,
    with whether the disk is in trouble; `saved` when they have left, if members were in training,
    with the numbers of those that could not be saved. `left` is told at the end what the disk would
    not let be removed, if there is anything.

    Raises `InputError`, `RunStopped`, and `Interrupted` after workers have saved and left.
    A run whose input was refused before it began leaves nothing behind in the folder.
    """
    run = folder.run()
    pool = LocalPool(
        folder.root,
        settings.workers_for(run),
        settings.worker_arguments,
        gpus=[] if settings.device == "cpu" else gpus(),
    )
    begun = _Begun(folder, owner, pool)
    known = run is not None
    pace = Pace()
    ended_well = False
    turns = SteadyTurns(begun.turn, tell, begun.trouble)
    with signals_noted() as signals:
        try:
            while not (over := turns.step(LOOK)):
                if signals:
                    leaving(turns.in_trouble)
                    raise Interrupted
                if over is None:  # the disk fails or hangs, and the ledger may be in use
                    continue
                controller = begun.controller
                if not known and controller.ledger.run is not None:
                    known = True
                    pool.most = settings.workers_for(controller.ledger.run)
                    if until_prepared:
                        pool.kill()  # there is nothing to save
                        break
                picture = picture_of(controller.ledger, controller.statuses)
                show(picture, pace.seconds_left(time.monotonic(), picture))
                if not controller.more:
                    time.sleep(TURN)
            ended_well = True
        finally:
            leave(pool, signals, patience=PATIENCE if signals else 10.0, told=not ended_well)
            if signals and not turns.in_trouble:
                begun.say_what_was_saved(saved)
    controller = begun.controller
    show(picture_of(controller.ledger, controller.statuses), None)
    if controller.left:
        left(controller.left)
    return controller.ledger.end


@dataclass
class _Begun:
    """A run's controller, made in its first turn: reading hangs where the volume does."""

    folder: RunFolder
    owner: Owner
    pool: LocalPool
    _controller: Controller | None = None

    @property
    def controller(self) -> Controller:
        """The controller, after the first turn."""
        assert self._controller is not None  # noqa: S101
        return self._controller

    def turn(self) -> bool:
        """Take a turn. Raises `RunStopped` when the run cannot be read."""
        if self._controller is None:
            try:
                self._controller = Controller(self.folder, self.owner, self.pool)
            except OSError as error:
                raise stopped_by(self.folder.root, error) from error
        return self._controller.turn()

    def trouble(self) -> str | None:
        """What the run waits for."""
        return self._controller.trouble() if self._controller is not None else None

    def say_what_was_saved(self, saved: Callable[[list[int]], None]) -> None:
        """Tell which members could not be saved, when workers have left."""
        ledger = self._controller.ledger if self._controller is not None else None
        training = [
            attempt.task.folder
            for attempt in (ledger.open_attempts() if ledger is not None else [])
            if attempt.task.kind == "train"
        ]
        if training:
            saved(not_saved(self.folder, training))


def forget(folder: RunFolder) -> None:
    """Remove a run that never began: nothing but what could be made again is lost.

    The folder must be known to be this run's. Where there are members, it did begin.
    """
    if folder.run() is None and not (folder.root / "members").exists():
        for name in ("owner.json", "prepare", "workers"):
            folder.remove(name)


def leave_no_trace(folder: RunFolder) -> None:
    """Remove the lock from a folder that is no run's, and the folder if there is nothing else."""
    with contextlib.suppress(OSError, StoreError):  # of what went wrong before is to be told
        if folder.owner() is None:
            (folder.root / LOCK).unlink(missing_ok=True)
            if not any(folder.root.iterdir()):
                folder.root.rmdir()
