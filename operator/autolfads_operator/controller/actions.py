"""What a plan can ask for."""

from __future__ import annotations

from dataclasses import dataclass

from autolfads_trainer.records import End, Order, Place, Run, Task


@dataclass(frozen=True)
class Freeze:
    """Write `run.json`."""

    run: Run


@dataclass(frozen=True)
class GiveOrder:
    """Write the decision for one member and generation."""

    order: Order


@dataclass(frozen=True)
class GiveTask:
    """Write a task and point its worker to it."""

    task: Task


@dataclass(frozen=True)
class Recall:
    """Read a leg that is not in the ledger: what is to start next needs its end."""

    place: Place


@dataclass(frozen=True)
class GiveUp:
    """Record that no attempt at a leg can succeed: `task` is the one that nobody will make."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Publish:
    """Make an export attempt's results the run's."""

    folder: str


@dataclass(frozen=True)
class Finish:
    """Write how the run ended."""

    end: End


@dataclass(frozen=True)
class Stop:
    """Give up for now, without an end: the user can mend it and start the run again."""

    reason: str


Action = Freeze | GiveOrder | GiveTask | Recall | GiveUp | Publish | Finish | Stop
