"""`autolfads run`: one run on this machine, from the manifest to the zip."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.steady import SteadyTurns
from autolfads_operator.leaving import PATIENCE, leave, not_saved, signals_noted
from autolfads_operator.machine import default_workers, gpus
from autolfads_operator.pools.local import LocalPool
from autolfads_operator.view.pace import Pace
from autolfads_operator.view.picture import Picture, picture_of
from autolfads_operator.view.said import stopped_by
from autolfads_trainer.lanes import MOST_AT_ONCE, share_of
from autolfads_trainer.records import End, Owner, Run
from autolfads_trainer.store import RunFolder

TURN = 0.03  # seconds between turns
LOOK = 0.2  # seconds between looks at a turn that takes its time


class Interrupted(Exception):  # noqa: N818  (the user's wish, no error)
    """Ctrl-C, or SIGTERM: the run was stopped cleanly and can be started again."""


@dataclass(frozen=True)
class Settings:
    """How to run here."""

    most_workers: int
    workers: int | None = None  # as told; None: as many as the machine carries, at most the above
    members_at_once: int | str = "auto"  # or a number
    population: int | None = None  # as told in the manifest
    device: str = "auto"
    worker_arguments: tuple[str, ...] = ()

    def workers_for(self, run: Run | None) -> int:
        """Return how many workers to run; before it is known how they share a GPU, one."""
        if self.workers is not None:
            return self.workers
        if run is None:
            return 1
        if self.members_at_once == "auto" and self._on_gpus:
            return min(self.most_workers, run.population, len(gpus()))
        share = float(run.configuration["pbt"]["resources_per_trial"]["gpu"])
        return min(self.most_workers, run.population, default_workers(self.device, share))

    def members_at_once_of(self, run: Run | None) -> int:
        """Return how many members each worker is to train side by side."""
        if self.members_at_once != "auto":
            members = run.population if run is not None else self.population
            return min(int(self.members_at_once), members or MOST_AT_ONCE)
        if run is None or not self._on_gpus:
            return 1
        return share_of(run.population, self.workers_for(run))

    @property
    def _on_gpus(self) -> bool:
        return self.device != "cpu" and bool(gpus())


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
    pool.have(pool.most, settings.members_at_once_of(run))
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
                    frozen = controller.ledger.run
                    pool.have(settings.workers_for(frozen), settings.members_at_once_of(frozen))
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
            attempt.task
            for attempt in (ledger.open_attempts() if ledger is not None else [])
            if attempt.task.kind == "train"
        ]
        if training:
            saved(not_saved(self.folder, training))
