"""Played runs on a disk that fails: the real controller, and workers that wait as the real do."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import played_pool
import pytest
from ledger_examples import OWNER, Mini, WatchedFolder
from played_pool import MOST_TURNS, PlayedPool, Plays, Ticking

from autolfads_operator.controller import removals, steady
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.steady import SteadyTurns
from autolfads_operator.controller.vitals import Vitals
from autolfads_trainer import disk_errors, patience
from autolfads_trainer.disk import make_folder, write_bytes
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.patience import Patience
from autolfads_trainer.records import Assignment, Order, Outcome, Task, WorkerStatus
from autolfads_trainer.store import RunFolder

T = TypeVar("T")
SMALL = Mini(population=2, generations=3)  # in the last, the first one's checkpoints go


@contextmanager
def in_a_hurry(stalled: float = 5.0) -> Iterator[None]:
    """Wait for a disk thousandths of a second, and not up to five seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (steady, patience, removals):
            patch.setattr(module, "FIRST_WAIT", 0.001)
            patch.setattr(module, "LONGEST_WAIT", 0.002)
        patch.setattr(steady, "STALLED", stalled)
        patch.setattr(disk_errors.time, "sleep", _short(disk_errors.time.sleep))
        yield


def _short(sleep: Callable[[float], None]) -> Callable[[float], None]:
    return lambda seconds: sleep(min(seconds, 0.001))


class PatientFolder(RunFolder):
    """The run's folder as a real worker uses it: it waits for the disk, and for late names."""

    def __init__(self, root: Path, waits: Patience) -> None:
        super().__init__(root)
        self.waits = waits
        self.unsaid: WorkerStatus | None = None

    def assignment(self, life: str) -> Assignment | None:
        if self.unsaid is not None:  # the real one speaks every second
            self.report(life, self.unsaid)
        return self.waits.once(lambda: super(PatientFolder, self).assignment(life), None)

    def task(self, folder: str) -> Task | None:
        return self.waits.announced(lambda: super(PatientFolder, self).task(folder))

    def outcome(self, folder: str) -> Outcome | None:
        return self.waits(lambda: super(PatientFolder, self).outcome(folder))

    def order_at(self, relative: str) -> Order:
        found = self.waits.announced(lambda: super(PatientFolder, self).order_at(relative))
        assert found is not None
        return found

    def settle(self, folder: str, outcome: Outcome) -> Outcome:
        return self.waits(lambda: super(PatientFolder, self).settle(folder, outcome))

    def report(self, life: str, status: WorkerStatus) -> None:
        self.unsaid = None
        try:
            super().report(life, status)
        except OSError as error:
            if not may_pass(error):
                raise
            self.unsaid = status


class _PatientWorker(played_pool._Worker):
    """Writes metrics, too, and waits for each file until the disk lets it."""

    folder: PatientFolder

    def __init__(self, pool: DiskPool, life: str) -> None:
        super().__init__(pool, life)
        self.waits = Patience(say=self._tell_trouble, stop=lambda: None)
        self.folder = PatientFolder(pool.folder.root, self.waits)

    def _tell_trouble(self, trouble: str | None) -> None:
        self.pool.said.append(trouble)  # type: ignore[attr-defined]

    def live(self) -> Iterator[None]:  # type: ignore[override]
        self.waits(lambda: make_folder(self.folder.root / "workers"))
        return super().live()

    def whole(self, task: Task) -> str | Outcome:
        assert task.start_from is not None
        path = self.waits(lambda: self.folder.path(task.start_from or ""))
        content = self.waits.announced(path.read_text) or "gone"
        if hashlib.sha256(content.encode()).hexdigest() == task.start_sha256:
            return content
        return Outcome(outcome="failed", reason=f"{path}: is damaged", damaged=task.start_from)

    def save(self, checkpoint: str, order: Order, epoch: int, learnt: str) -> str:
        def save() -> str:
            metrics = self.folder.path(checkpoint).with_name("metrics.csv")
            write_bytes(metrics, learnt.encode())
            return super(_PatientWorker, self).save(checkpoint, order, epoch, learnt)

        return self.waits(save)

    def attempt(self, task: Task, order: Order | None, play: Any) -> Any:
        if task.kind != "export":
            return (yield from super().attempt(task, order, play))
        yield
        content = self.whole(task)
        if isinstance(content, Outcome):
            return content
        for member, generation in itertools.product(*map(range, (len(task.reached), 2))):
            leg = RunFolder.leg_folder(member, generation + 1)
            metrics = self.waits(lambda leg=leg: self.folder.path(f"{leg}/attempt-1/metrics.csv"))
            assert self.waits.announced(metrics.read_text)
        results = self.folder.path(task.folder) / "results"
        best = json.dumps({"best": task.best, **json.loads(content)}).encode()
        self.waits(lambda: make_folder(results))
        self.waits(lambda: write_bytes(results / "best.json", best))
        return Outcome(outcome="finished")


class DiskPool(PlayedPool):
    """Workers that wait for their disk, which may be another mount than the controller's."""

    said: list[str | None]

    def __init__(self, root: Path, mini: Mini, most: int = 2, plays: Plays | None = None) -> None:
        super().__init__(root, mini, most, plays)
        self.said = []

    def want(self, count: int) -> None:
        while len(self.workers) < min(count, self.most):
            life = f"worker-{next(self._numbers)}"
            self.ours.add(life)
            self.workers[life] = _PatientWorker(self, life).live()  # type: ignore[assignment]


def claimed_somehow(root: Path) -> None:
    """Claim the folder as often as it takes: so does a user whose command says to try again."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            RunFolder(root).claim(OWNER.model_copy(update={"spec": {"pbt": {}}}))
            return
    raise AssertionError(f"{root} cannot be claimed")


def played_on(
    root: Path, pool: DiskPool, vitals: Vitals | None = None, folder: RunFolder | None = None
) -> list[str | None]:
    """Play a run to its end, whatever its disk does; return what the controller said of it."""
    claimed_somehow(root)
    said: list[str | None] = []
    controller = _begun(root, pool, vitals, folder)
    turns = SteadyTurns(controller.turn, said.append, _wait=0.001)
    for _ in range(3 * MOST_TURNS):
        if turns.step(0.05):
            assert controller.ledger.end is not None
            return said
        if not turns.in_progress:
            pool.step()
    raise AssertionError(f"the run is stuck: {controller.ledger.open_attempts()}")


def _begun(
    root: Path, pool: DiskPool, vitals: Vitals | None, folder: RunFolder | None
) -> Controller:
    for _ in range(100):
        with contextlib.suppress(OSError):
            owner = RunFolder(root).owner()
            assert owner is not None
            here = folder or WatchedFolder(root)
            return Controller(here, owner, pool, Ticking(), vitals or Vitals())
    raise AssertionError(f"no controller can begin in {root}")
