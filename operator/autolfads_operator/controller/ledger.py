"""What was decided so far: a copy in memory of records that never change."""

from __future__ import annotations

from dataclasses import dataclass, field

from autolfads_trainer.records import End, Order, Outcome, Owner, Place, Run, Task
from autolfads_trainer.store import RunFolder


@dataclass
class Attempt:
    """A task, and its outcome when it has one."""

    task: Task
    outcome: Outcome | None = None

    @property
    def open(self) -> bool:
        """Whether somebody is, or may be, at work on it."""
        return self.outcome is None


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
        """The attempt that finished it, if one did."""
        last = self.attempts[-1] if self.attempts else None
        done = last is not None and last.outcome is not None and last.outcome.outcome == "finished"
        return last if done else None


def noted(task: Task, outcome: Outcome | None) -> Attempt:
    """Return the attempt as it is kept: metrics of training decide nothing, and add up."""
    if outcome is not None and task.kind == "train":
        outcome = outcome.model_copy(update={"result": {}})
    return Attempt(task, outcome)


@dataclass
class Ledger:
    """A run's decisions. `generation` is the newest one with an order, 0 before the first."""

    owner: Owner
    run: Run | None = None
    prepare: list[Attempt] = field(default_factory=list)
    legs: dict[Place, Leg] = field(default_factory=dict)
    export: list[Attempt] = field(default_factory=list)
    end: End | None = None
    generation: int = 0
    # Attempts at `prepare` and `export` made before this controller began: a user who starts a
    # failed run again has mended something, so these are not held against it.
    forgiven: dict[str, int] = field(default_factory=dict)

    def add_order(self, order: Order) -> None:
        """Note an order that was given."""
        self.legs.setdefault((order.member, order.generation), Leg(order))
        self.generation = max(self.generation, order.generation)

    def attempts_in(self, folder: str) -> list[Attempt]:
        """Return the list that the attempt in `folder` belongs to."""
        kind = folder.split("/", 1)[0]
        if kind == "prepare":
            return self.prepare
        if kind == "export":
            return self.export
        _, member, generation, _ = folder.split("/")
        return self.legs[int(member), int(generation.removeprefix("gen-"))].attempts

    def knows(self, folder: str) -> bool:
        """Return whether the attempt in `folder` was noted."""
        try:
            return any(attempt.task.folder == folder for attempt in self.attempts_in(folder))
        except (KeyError, ValueError):
            return False

    def add_task(self, task: Task) -> None:
        """Note a task that was given."""
        attempts = self.attempts_in(task.folder)
        if len(attempts) < task.attempt:
            attempts.append(Attempt(task))

    def legs_of(self, generation: int) -> list[Leg]:
        """Return the legs of a generation that have an order, by member."""
        members = range(self.run.population if self.run and generation else 0)
        return [
            self.legs[member, generation] for member in members if (member, generation) in self.legs
        ]

    def open_attempts(self) -> list[Attempt]:
        """Return the attempts that have no outcome. Only the newest ones can be open."""
        legs = self.legs_of(self.generation)
        lists = [self.prepare, self.export, *(leg.attempts for leg in legs)]
        return [attempts[-1] for attempts in lists if attempts and attempts[-1].open]


def read_ledger(folder: RunFolder, owner: Owner) -> Ledger:
    """Read all that was decided, once, at a controller's start."""
    ledger = Ledger(owner, run=folder.run(), end=folder.end())
    ledger.prepare = [Attempt(task, outcome) for task, outcome in folder.attempts("prepare")]
    if ledger.run is not None:
        generation = 1
        while orders := [
            order
            for member in range(ledger.run.population)
            if (order := folder.order(member, generation)) is not None
        ]:
            for order in orders:
                ledger.add_order(order)
            generation += 1
        # Orders first: what an order was derived from is there by the time it is read, also when
        # another controller is still at work.
        for leg in ledger.legs.values():
            leg.attempts = [
                noted(task, outcome)
                for task, outcome in folder.attempts(folder.leg_folder(*leg.place))
            ]
    ledger.export = [Attempt(task, outcome) for task, outcome in folder.attempts("export")]
    ledger.forgiven = {"prepare": len(ledger.prepare), "export": len(ledger.export)}
    return ledger
