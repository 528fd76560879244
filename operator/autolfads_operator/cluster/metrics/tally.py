"""What adds up while a run goes on, since this operator began with it.

Fed after each turn on the volume, in that turn's thread; read while a page is made.
"""

from __future__ import annotations

import bisect
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autolfads_operator.cluster.metrics.table import HANDOVER
from autolfads_operator.controller.ledger import Attempt, Ledger, place_of
from autolfads_trainer.records import Order, WorkerStatus

MOST_TOLD = 64  # members of which each is told alone: every one makes series


@dataclass
class Waits:
    """A histogram."""

    bounds: tuple[float, ...] = HANDOVER.buckets
    counts: list[int] = field(init=False)  # of each bucket alone; the last has no bound
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Note one."""
        self.counts[bisect.bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound, how many up to it), as Prometheus has them."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, itertools.accumulate(self.counts)), strict=True))


@dataclass
class Tally:
    """One run's sums.

    Attributes:
        exploits: members that became a copy of another.
        retries: attempts at training beyond the first.
        interruptions: attempts that did not finish, by how they ended.
        epochs_lost: what those had trained and not saved.
        steps: of the optimizer.
        worker_seconds: for which workers' pods ran.
        handovers: how long the last worker of a generation waited for its next task.
        bps: each member's newest bits per spike.
        scores: each member's newest score.
        spread: least, median and greatest value of each hyperparameter in the newest orders.
        lineage: of each member the newest order; none in a population too large to be told.
        improving: whether the rule that ends a run early does not hold.
    """

    exploits: int = 0
    retries: int = 0
    interruptions: dict[str, int] = field(
        default_factory=lambda: {"saved": 0, "abandoned": 0, "failed": 0}
    )
    epochs_lost: float = 0.0
    steps: int = 0
    worker_seconds: float = 0.0
    handovers: Waits = field(default_factory=Waits)
    bps: dict[int, float] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    spread: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    lineage: tuple[Order, ...] = ()
    improving: bool = True
    _last: float | None = None  # when the last turn was taken in
    _open: dict[str, Attempt] = field(default_factory=dict)
    _reached: dict[str, float] = field(default_factory=dict)  # epochs, by the attempt's folder
    _steps: dict[str, int] = field(default_factory=dict)  # by life
    _tasks: dict[str, str | None] = field(default_factory=dict)  # by life
    _generations: dict[str, int] = field(default_factory=dict)  # of each life's last training
    _waits: dict[int, float] = field(default_factory=dict)  # the least, by generation
    _changes: int = -1  # of the ledger

    def note(
        self, ledger: Ledger, statuses: Mapping[str, WorkerStatus], running: int, now: float
    ) -> None:
        """Take what a turn has seen; `running` workers' pods; `now` on a monotonic clock."""
        first = self._last is None
        if self._last is not None:
            self.worker_seconds += running * (now - self._last)
        self._last = now
        self._note_attempts(ledger, first=first)
        # Made anew and put in the old ones' place: a page may be made of them just now.
        self.bps, self.scores = dict(self.bps), dict(self.scores)
        for life, status in statuses.items():
            before = self._steps.get(life, status.steps if first else 0)
            self.steps += max(0, status.steps - before)
            if (attempt := self._open.get(status.task or "")) is None:
                continue
            if attempt.task.kind == "train":
                self._note_member(attempt.task.folder, status)
                if status.task != self._tasks.get(life):
                    self._note_wait(ledger, life, attempt.task.folder, status)
        self._steps = {life: status.steps for life, status in statuses.items()}
        self._tasks = {life: status.task for life, status in statuses.items()}
        if ledger.changes != self._changes:
            self._changes = ledger.changes
            self.improving = ledger.board.stopped_at is None
            orders = tuple(leg.order for leg in ledger.newest_legs())
            self.spread = _spread([order.hyperparameters for order in orders])
            self.lineage = orders if len(orders) <= MOST_TOLD else ()
        over = ledger.end is not None or ledger.export
        for generation in [each for each in self._waits if over or each < ledger.generation]:
            self.handovers.observe(self._waits.pop(generation))

    def _note_attempts(self, ledger: Ledger, *, first: bool) -> None:
        """Compare the attempts that are open with those that were."""
        now_open = {each.task.folder: each for each in ledger.open_attempts()}
        for folder, attempt in now_open.items():
            if folder in self._open or first or attempt.task.kind != "train":
                continue
            if attempt.task.attempt > 1:
                self.retries += 1
            elif (leg := ledger.legs.get(place_of(folder))) is not None and leg.order.copied:
                self.exploits += 1
        for folder, attempt in self._open.items():
            if folder not in now_open:
                self._note_end(ledger, attempt)
        self._open = now_open

    def _note_end(self, ledger: Ledger, attempt: Attempt) -> None:
        outcome, folder = attempt.outcome, attempt.task.folder
        reached = self._reached.pop(folder, None)
        if outcome is None or attempt.task.kind != "train":
            return
        if outcome.outcome == "finished":
            if outcome.score is not None:
                self.scores[place_of(folder)[0]] = outcome.score
            return
        self.interruptions[outcome.outcome] += 1
        leg = ledger.legs.get(place_of(folder))
        if reached is not None and leg is not None:
            began = float(leg.order.start_epoch)
            self.epochs_lost += max(0.0, reached - float(outcome.epoch or began))

    def _note_member(self, folder: str, status: WorkerStatus) -> None:
        member, _ = place_of(folder)
        if status.epoch is not None:
            self._reached[folder] = status.epoch
        if status.bps is not None:
            self.bps[member] = status.bps
        if status.score is not None:
            self.scores[member] = status.score

    def _note_wait(self, ledger: Ledger, life: str, folder: str, status: WorkerStatus) -> None:
        """A worker has begun to train: how long had it nothing to do?"""
        _, generation = place_of(folder)
        before = self._generations.get(life)
        self._generations[life] = generation
        if before is None or status.waited is None:
            return
        if ledger.run is not None and ledger.run.pbt.mode == "asynchronous":
            self.handovers.observe(status.waited)
        elif generation > before:  # and not another member of the same
            least = min(status.waited, self._waits.get(generation, status.waited))
            self._waits[generation] = least


def _spread(values: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float, float]]:
    names = values[0] if values else {}
    found = {name: sorted(each[name] for each in values if name in each) for name in names}
    return {name: (of[0], statistics.median(of), of[-1]) for name, of in found.items()}
