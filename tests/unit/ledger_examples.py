"""Runs in miniature: what they are asked for, what they decided, and a folder that watches."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autolfads_operator.pbt import Hyperparameter, last_generation
from autolfads_trainer.records import Order, Owner, Task
from autolfads_trainer.store import RunFolder

METRIC = "valid/recon_smth"
OWNER = Owner(name="mini", spec={}, spec_hash="")
LEARNING_RATE = Hyperparameter(
    minimum=1e-5,
    maximum=5e-3,
    init=None,
    sample="logUniform",
    explore_weight=0.3,
    enforce_limits=True,
    lowest=0.0,
    highest=None,
    highest_included=False,
)


@dataclass(frozen=True)
class Mini:
    """A run that nobody really trains. By default the improvement rule never ends it."""

    population: int = 4
    generations: int = 4
    seed: int = 7
    burn_in: int = 3
    interval: int = 2
    patience: int = 1000
    min_improvement_ratio: float = 0.0
    max_epochs: int | None = None  # None: the last generation is a whole one
    mode: str = "synchronous"

    @property
    def epochs(self) -> int:
        """All epochs of one member."""
        whole = (self.burn_in or self.interval) + (self.generations - 1) * self.interval
        return whole if self.max_epochs is None else self.max_epochs

    @property
    def last(self) -> int:
        """The last generation, unless the improvement rule ends the run."""
        return last_generation(burn_in=self.burn_in, interval=self.interval, max_epochs=self.epochs)

    def answer(self) -> dict[str, Any]:
        """What a worker answers that has prepared this run."""
        return {
            "configuration": {
                "seed": self.seed,
                "trainer": {"max_epochs": self.epochs},
                "pbt": {
                    "metric": METRIC,
                    "num_samples": self.population,
                    "burn_in_period": self.burn_in,
                    "perturbation_interval": self.interval,
                    "patience": self.patience,
                    "min_improvement_ratio": self.min_improvement_ratio,
                },
            },
            "searchSpace": {"model.lr_init": LEARNING_RATE.to_json()},
            "notes": ["a note on the data"],
            "data": {"path": "/data/mini.h5", "sha256": "0" * 64, "session": "sess0"},
        }


TAKEN_AWAY: set[Path] = set()  # by a test; the controller did not remove these


class WatchedFolder(RunFolder):
    """A run folder that sees to it that tasks can be done, at the moment they are given."""

    def give_task(self, task: Task) -> Task:
        if self.task(task.folder) is None:  # no other controller has given it long ago
            known = self.status(task.worker) is not None or task.worker == "nobody"
            assert known, f"{task.worker} has not shown life"
            if task.start_from is not None:
                start = self.path(task.start_from)
                assert start.exists() or start in TAKEN_AWAY, f"{start} was removed"
        return super().give_task(task)

    def give_order(self, order: Order) -> Order:
        if order.parent is not None:
            assert finished_attempt(self, *order.parent) is not None, f"{order.parent}: no parent"
        return super().give_order(order)


def claimed(root: Path, mode: str = "synchronous") -> RunFolder:
    """Make `root` a run's folder."""
    folder = WatchedFolder(root)
    folder.claim(OWNER.model_copy(update={"spec": {"pbt": {"mode": mode}}}))
    return folder


def finished_attempt(folder: RunFolder, member: int, generation: int) -> Task | None:
    """Return the attempt that finished a leg."""
    for task, outcome in folder.attempts(folder.leg_folder(member, generation)):
        if outcome is not None and outcome.outcome == "finished":
            return task
    return None


def history(root: Path) -> dict[str, Any]:
    """Return all that a run decided, and what each member had learnt, by place.

    Equal for two runs that are the same run, whatever became of their workers and controllers.
    """
    found: dict[str, Any] = {}
    for path in sorted(root.glob("members/*/gen-*/order.json")):
        leg = str(path.parent.relative_to(root))
        found[leg] = path.read_text()
        for outcome in path.parent.glob("attempt-*/outcome.json"):
            record = json.loads(outcome.read_text())
            if record["outcome"] == "finished":
                found[f"{leg}: learnt"] = record["result"]["learnt"], record["score"]
    for name in ("end.json", "results/best.json"):
        if (root / name).exists():
            found[name] = (root / name).read_text()
    return found


def orders(root: Path) -> list[Order]:
    """Return all orders of a run, by generation and member."""
    paths = root.glob("members/*/gen-*/order.json")
    found = [Order.model_validate_json(path.read_text()) for path in paths]
    return sorted(found, key=lambda order: (order.generation, order.member))


def scores(root: Path) -> dict[tuple[int, int], float]:
    """Return the finite scores of a run, by (generation, member)."""
    found = {}
    for order in orders(root):
        folder = RunFolder(root)
        task = finished_attempt(folder, order.member, order.generation)
        outcome = folder.outcome(task.folder) if task else None
        if outcome is not None and outcome.score is not None and math.isfinite(outcome.score):
            found[order.generation, order.member] = outcome.score
    return found


def attempts(root: Path, member: int, generation: int) -> list[str]:
    """Return how each attempt at a leg ended; `open` if it has not."""
    folder = RunFolder(root)
    found = folder.attempts(folder.leg_folder(member, generation))
    return [outcome.outcome if outcome else "open" for _, outcome in found]


@contextmanager
def without_syncing() -> Iterator[None]:
    """Make fsync cost nothing: only a power cut can tell, and hundreds of runs are to be played."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _handle: None)
        yield
