"""One process with its lanes: what they share, and how they begin and end together."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from autolfads_trainer.lanes import share_of
from autolfads_trainer.records import MOST_LANES
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.shared import Shared
from autolfads_trainer.worker.log import WorkerLog


@dataclass
class Process:
    """What the lanes of one process have in common.

    Attributes:
        parent: leave when this process is no longer the parent; None: never.
        lanes: how many there are.
        told_to_leave: by SIGTERM, or since one of the lanes has come to its end.
    """

    parent: int | None = None
    lanes: int = 1
    told_to_leave: bool = False
    log: WorkerLog = field(default_factory=WorkerLog)

    @cached_property
    def shared(self) -> Shared:
        """What their tasks share."""
        return Shared(self.lanes, self.log.line)

    @property
    def must_leave(self) -> bool:
        """Whether all are to save and leave."""
        # A worker whose controller died would compete with its successor for the cores.
        alone = self.parent is not None and os.getppid() != self.parent
        return self.told_to_leave or alone

    def hear_signals(self) -> None:
        """Leave at SIGTERM. Ctrl-C is for the controller, which tells us."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _on_sigterm(self, _signal: int, _frame: object) -> None:
        self.told_to_leave = True


class Lane(Protocol):
    """What works: `lane.Worker`."""

    life: str

    def work(self) -> int:
        """Work until the run is over or it must leave; return the exit code."""


def work_in_lanes(process: Process, lanes: Sequence[Lane]) -> int:
    """Do tasks in all lanes until the run is over or all must leave; return the exit code.

    The first lane is this thread's: signals come to it, and it is told when the run is over.
    """
    errors: list[BaseException] = []

    def work(lane: Lane) -> None:
        try:
            lane.work()
        except BaseException as error:
            errors.append(error)
        finally:
            process.told_to_leave = True

    threads = [threading.Thread(target=work, args=(lane,), name=lane.life) for lane in lanes[1:]]
    for thread in threads:
        thread.start()
    try:
        code = lanes[0].work()
    finally:
        process.told_to_leave = True
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return code


def number_of_lanes(folder: RunFolder, members_at_once: str, workers: int, device: str) -> int:
    """Return how many lanes `--members-at-once` asks for: N, or with `auto` a share of the members.

    More than there are members are of no use. On a CPU members are faster one after another.
    """
    asked = None if members_at_once == "auto" else min(int(members_at_once), MOST_LANES)
    if asked is None and device == "cpu":
        return 1
    # Who is told of the other workers begins when the run is prepared: nobody else must ask for
    # this name, which volumes remember as missing.
    run = folder.run() if workers else None
    if run is None:
        return asked or 1
    if device != "cpu" and run.configuration.get("trainer", {}).get("engine") == "reference":
        return 1  # each lane would go its own way, and how exact a GPU is, is one switch for all
    return min(asked or share_of(run.population, workers), run.population)
