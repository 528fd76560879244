"""What was decided so far: a copy in memory of records that never change.

Only what a plan can still need is kept: of old generations the scores alone (`Scoreboard`), so that
the thousandth generation costs a controller no more than the second.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from pathlib import PurePath

from autolfads_operator.controller.attempts import last_reason, score_should_be, used_up
from autolfads_operator.controller.scoreboard import Scoreboard
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import End, Order, Outcome, Owner, Place, Record, Run, Task

AN_OBJECT = 100  # bytes that Python needs for a value and its name, besides the text


@dataclass
class Attempt:
    """A task, and its outcome when it has one."""

    task: Task
    outcome: Outcome | None = None
    files: set[str] | None = None  # what there is to tidy up; None: nobody has looked yet

    @property
    def open(self) -> bool:
        """Whether somebody is, or may be, at work on it."""
        return self.outcome is None

    def was_removed(self, path: str) -> bool:
        """Return whether a file of this attempt is known to be removed."""
        return self.files is not None and path.rsplit("/", 1)[-1] not in self.files

    @property
    def has_finished(self) -> bool:
        """Whether it ended as it was meant to."""
        return self.outcome is not None and self.outcome.outcome == "finished"


@dataclass
class Leg:
    """One member in one generation: the order, and the attempts at it."""

    order: Order
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """(member, generation)."""
        return self.order.member, self.order.generation

    @property
    def finished(self) -> Attempt | None:
        """The first attempt that finished: its score counts, whatever is made again later."""
        return next((attempt for attempt in self.attempts if attempt.has_finished), None)

    @property
    def score(self) -> float | None:
        """The score; None: lost, or not there yet."""
        finished = self.finished
        return finished.outcome.score if finished and finished.outcome else None

    @property
    def settled(self) -> bool:
        """Whether this member is through with its generation: finished, or lost."""
        return self.finished is not None or used_up([a.outcome for a in self.attempts])

    @property
    def waits(self) -> bool:
        """Whether it needs an attempt that nobody is at work on."""
        return not self.settled and not (self.attempts and self.attempts[-1].open)


@dataclass
class Ledger:
    """A run's decisions. `newest` is the newest generation of each member that has an order."""

    owner: Owner
    run: Run | None = None
    root: PurePath = field(default_factory=PurePath)  # the run's folder, to name files by
    prepare: list[Attempt] = field(default_factory=list)
    legs: dict[Place, Leg] = field(default_factory=dict)
    export: list[Attempt] = field(default_factory=list)
    end: End | None = None
    newest: dict[int, int] = field(default_factory=dict)
    board: Scoreboard = field(default_factory=Scoreboard)
    damaged: set[str] = field(default_factory=set)  # checkpoints that nobody must start from
    refused: str | None = None  # what the user must mend, as a worker of this time said
    # Attempts at `prepare` and `export` made before this controller began: a user who starts a
    # failed run again has mended something, so these are not held against it.
    forgiven: dict[str, int] = field(default_factory=dict)
    # Over when this controller began, and not in `legs`: what lies there is still to be looked at.
    old: deque[Leg] = field(default_factory=deque)
    changes: int = 0  # grows with each thing noted
    # How many bytes of JSON the disk may make this process keep in mind. A worker can write what it
    # likes into its run's folder, and other runs share this process.
    most_held: float = math.inf
    held: int = 0
    doubts: bool = True  # whether scores are held against metrics here; a replay does so itself
    _open: dict[str, Attempt] = field(default_factory=dict)

    @property
    def generation(self) -> int:
        """The newest generation with an order, 0 before the first."""
        return max(self.newest.values(), default=0)

    def freeze(self, run: Run) -> None:
        """Note what was frozen. Raises `ValueError` for settings that no run can have."""
        for name, value in (
            ("patience", run.pbt.patience),
            ("generationEpochs", run.pbt.generation_epochs),
            ("maxEpochs", run.pbt.max_epochs),
        ):
            if value < 1:
                raise ValueError(f"pbt.{name} is {value}; expected at least 1")
        self.run = run
        self.board = Scoreboard(run.population, run.pbt.patience, run.pbt.min_improvement_ratio)
        self.changes += 1

    def add_order(self, order: Order) -> None:
        """Note an order that was given."""
        place = (order.member, order.generation)
        if place in self.legs or order.generation <= self.newest.get(order.member, 0):
            return
        self.legs[place] = Leg(order)
        self.newest[order.member] = order.generation
        self.changes += 1

    def weigh(self, record: Record) -> None:
        """Note that a record was read and will be kept. Raises `StoreError` if that is too much."""
        self.held += _weight(record)
        if self.held > self.most_held:
            raise StoreError(
                f"{self.root}: has more than {self.most_held / 1e6:g} MB of orders, tasks and "
                "outcomes that are not over; expected what a run makes of them: see which of the "
                "folders members, prepare and export has so many"
            )

    def forget(self, place: Place) -> Leg:
        """Let a leg go that is over, and return it."""
        leg = self.legs.pop(place)
        records = [leg.order, *(each.task for each in leg.attempts)]
        records += [each.outcome for each in leg.attempts if each.outcome is not None]
        self.held = max(0, self.held - sum(map(_weight, records)))
        return leg

    def recall(self, order: Order) -> Leg:
        """Note an order again that was over and forgotten, and return its leg, without attempts."""
        leg = self.legs[order.member, order.generation] = Leg(order)
        self.changes += 1
        return leg

    def attempts_in(self, folder: str) -> list[Attempt]:
        """Return the list that the attempt in `folder` belongs to.

        Raises `KeyError` or `ValueError` if there is none.
        """
        kind = folder.split("/", 1)[0]
        if kind == "prepare":
            return self.prepare
        if kind == "export":
            return self.export
        return self.legs[place_of(folder)].attempts

    def knows(self, folder: str) -> bool:
        """Return whether the attempt in `folder` was noted, or is of a time that is over."""
        try:
            if folder.startswith("members/"):
                member, generation = place_of(folder)
                if (
                    generation < self.newest.get(member, 0)
                    and (member, generation) not in self.legs
                ):
                    return True
            return any(attempt.task.folder == folder for attempt in self.attempts_in(folder))
        except (KeyError, ValueError):
            return False

    def add_task(self, task: Task) -> Attempt:
        """Note a task that was given, and return its attempt."""
        attempts = self.attempts_in(task.folder)
        if len(attempts) < task.attempt:
            attempts.append(Attempt(task))
            self._open[task.folder] = attempts[-1]
            self.changes += 1
        return attempts[task.attempt - 1]

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Note how an attempt ended. Raises `StoreError` for an outcome that cannot be."""
        if not attempt.open:
            return
        task = attempt.task
        file = self.root / task.folder / "outcome.json"
        checkpoint = outcome.checkpoint
        if checkpoint is not None and not checkpoint.startswith(f"{task.folder}/checkpoint"):
            raise StoreError(
                f"{file}: names the checkpoint '{checkpoint}'; expected one of its own attempt"
            )
        if self.doubts and task.kind == "train" and self.run is not None:
            expected = score_should_be(outcome, self.run.pbt.metric)
            if expected is not None:
                raise StoreError(
                    f"{file}: was changed: its score is {outcome.score}; expected {expected}"
                )
        if outcome.damaged is not None:
            self.damaged.add(outcome.damaged)
        if outcome.input_error:
            self.refused = outcome.reason or "input that cannot be used"
        if task.kind == "train":  # metrics decide nothing, and add up
            outcome = outcome.model_copy(update={"result": {}})
        attempt.outcome = outcome
        self._open.pop(task.folder, None)
        self.changes += 1
        if task.kind == "train":
            leg = self.legs.get(place_of(task.folder))
            if leg is not None and leg.settled:  # None: made again, and forgotten meanwhile
                error = None if leg.finished else last_reason([a.outcome for a in leg.attempts])
                self.board.settle(leg.place, leg.score, error)

    def legs_of(self, generation: int) -> list[Leg]:
        """Return the legs of a generation that have an order, by member."""
        members = range(self.run.population if self.run and generation else 0)
        found = (self.legs.get((member, generation)) for member in members)
        return [leg for leg in found if leg is not None]

    def newest_legs(self) -> list[Leg]:
        """Return each member's newest leg, by member."""
        return [self.legs[member, self.newest[member]] for member in sorted(self.newest)]

    def open_attempts(self) -> list[Attempt]:
        """Return the attempts that have no outcome."""
        return list(self._open.values())

    def given_up(self, attempt: Attempt) -> int:
        """Return how many attempts beside this one had silent workers that nobody knew."""
        beside = self.attempts_in(attempt.task.folder)
        return sum(other.outcome.stranger for other in beside if other.outcome is not None)

    def best_leg(self) -> Leg:
        """Return the leg whose end is the run's result so far. Raises `LookupError`: none is."""
        best = self.board.best
        if best is None:
            raise LookupError("no member has a score yet")
        return self.legs[best]


def _weight(record: Record) -> int:
    """Return about how many bytes a record takes in memory: each value is an object there."""
    text = record.model_dump_json()
    return len(text) + AN_OBJECT * text.count(",")


def place_of(folder: str) -> Place:
    """Return (member, generation) of a leg's or its attempt's folder. Raises `ValueError`."""
    parts = folder.split("/")
    if len(parts) not in (3, 4) or parts[0] != "members" or not parts[2].startswith("gen-"):
        raise ValueError(f"'{folder}' is no member's folder")
    return int(parts[1]), int(parts[2].removeprefix("gen-"))
