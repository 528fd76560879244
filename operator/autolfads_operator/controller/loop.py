"""The controller's turn: observe, plan, act. The same on a laptop and in a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autolfads_operator.controller.act import act
from autolfads_operator.controller.ledger import Attempt, Ledger, read_ledger
from autolfads_operator.controller.observe import abandon, note_outcomes, read_statuses
from autolfads_operator.controller.plan import plan
from autolfads_operator.controller.retention import unneeded
from autolfads_operator.pools import Pool
from autolfads_trainer.records import Assignment, Outcome, Owner, WorkerStatus
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError

SILENT = 300.0  # seconds; a worker speaks after every step, and while it waits


@dataclass(frozen=True)
class Handover:
    """From the last outcome of a generation to the last order and task of the next, in seconds."""

    generation: int
    seconds: float


@dataclass
class Controller:
    """One run's loop. `clock` is monotonic seconds; `pool` says where workers run."""

    folder: RunFolder
    owner: Owner
    pool: Pool
    clock: Callable[[], float] = time.monotonic
    ledger: Ledger = field(init=False)
    statuses: dict[str, WorkerStatus] = field(init=False, default_factory=dict)
    handovers: list[Handover] = field(init=False, default_factory=list)
    _heard: dict[str, tuple[int, float]] = field(init=False, default_factory=dict)
    _dropped: set[str] = field(init=False, default_factory=set)
    _removed: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.ledger = read_ledger(self.folder, self.owner)

    def turn(self) -> bool:
        """Take one turn; return whether the run is over.

        Raises `InputError` when a worker met input that the user must mend, and `RunStopped` when
        the run cannot go on now; in both cases it can be started again.
        """
        began = self.clock()
        self.pool.want(self._wanted())
        lives = self.pool.lives()
        self.statuses = read_statuses(self.folder, lives)
        lives = self._without_the_silent(lives, began)
        self._catch_up()
        ledger = self.ledger
        new = note_outcomes(self.folder, ledger, self.statuses)
        new += self._give_up_the_dead(lives)
        for _, outcome in new:
            if outcome.input_error:
                raise InputError(outcome.reason or "input that cannot be used")
        self._remind()
        generation = ledger.generation
        # Acting can make the next actions possible (orders before tasks), without a look outside.
        while actions := plan(ledger, self._idle()):
            act(self.folder, ledger, actions)
        if generation and ledger.generation > generation:
            self.handovers.append(Handover(ledger.generation, self.clock() - began))
        if new or ledger.generation > generation:
            self._tidy()
        if ledger.end is not None:
            for life in self.pool.lives():
                self.folder.assign(life, Assignment(leave=True))
            return True
        return False

    def _catch_up(self) -> None:
        """Read the ledger anew when a worker speaks of a task that another controller gave."""
        spoken_of = {status.task or status.ended for status in self.statuses.values()}
        if not all(self.ledger.knows(folder) for folder in spoken_of if folder):
            forgiven = self.ledger.forgiven
            self.ledger = read_ledger(self.folder, self.owner)
            self.ledger.forgiven = forgiven

    def _remind(self) -> None:
        """Point idle workers to the tasks that are theirs: who gave them may have died before."""
        reminded = set()
        for attempt in self.ledger.open_attempts():
            task = attempt.task
            status = self.statuses.get(task.worker)
            if status is None or status.task is not None or task.worker in reminded:
                continue
            reminded.add(task.worker)
            wanted = Assignment(task=task.folder)
            if status.ended != task.folder and self.folder.assignment(task.worker) != wanted:
                self.folder.assign(task.worker, wanted)

    def _wanted(self) -> int:
        """How many workers the run can use now."""
        if self.ledger.end is not None:
            return 0
        if self.ledger.run is None:
            return 1
        if self.ledger.export:
            return 1
        return self.ledger.run.population

    def _without_the_silent(self, lives: list[str], now: float) -> list[str]:
        """Drop the lives whose counter has stood still for too long, by this controller's clock."""
        for life, status in self.statuses.items():
            if life not in self._heard or self._heard[life][0] != status.counter:
                self._heard[life] = (status.counter, now)
        silent = {
            life for life in lives if life in self._heard and now - self._heard[life][1] > SILENT
        }
        for life in silent:
            self.pool.drop(life)
            self._dropped.add(life)
        return [life for life in lives if life not in silent]

    def _idle(self) -> list[str]:
        """Return the lives that have shown life and have nothing to do."""
        busy = {attempt.task.worker for attempt in self.ledger.open_attempts()}
        return [life for life in self.pool.lives() if life in self.statuses and life not in busy]

    def _give_up_the_dead(self, lives: list[str]) -> list[tuple[Attempt, Outcome]]:
        alive = set(lives)
        return [
            (attempt, abandon(self.folder, attempt, self._fate_of(attempt.task.worker)))
            for attempt in self.ledger.open_attempts()
            if attempt.task.worker not in alive
        ]

    def _fate_of(self, life: str) -> str:
        return "its worker gave no sign" if life in self._dropped else "its worker is gone"

    def _tidy(self) -> None:
        """Remove what no order can need."""
        for _, checkpoint in unneeded(self.ledger):
            if checkpoint not in self._removed:
                self.folder.remove(checkpoint)
                self._removed.add(checkpoint)
