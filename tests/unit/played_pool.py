"""Workers that really keep the run directory's rules, and only play the training.

What a member learns is a digest of where it started, its hyperparameters and every epoch: two
runs that end with the same digests have trained the same weights with the same settings.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from ledger_examples import METRIC, Mini, WatchedFolder, claimed

from autolfads_operator.controller.loop import Controller
from autolfads_trainer.disk import make_folder, write_bytes
from autolfads_trainer.lanes import lane_of
from autolfads_trainer.records import End, Order, Outcome, Task, WorkerStatus
from autolfads_trainer.store import RunFolder


@dataclass(frozen=True)
class Fails:
    """The attempt ends with an error, and may leave a checkpoint behind."""

    reason: str = "RuntimeError: out of luck"
    input_error: bool = False
    leaves_file: bool = False


@dataclass(frozen=True)
class Dies:
    """The worker vanishes, after a save this many epochs into the generation, or without any.

    It may have had no time to say that it saved.
    """

    saved: int | None = None
    said: bool = True


@dataclass(frozen=True)
class Leaves:
    """The worker is told to leave, and saves this many epochs into the generation."""

    after: int = 1


Play = float | Fails | Dies | Leaves
Plays = Callable[[int, int, int], Play]  # (member, generation, attempt)
Ending = Generator[None, None, Outcome | None]  # None: dead


def always(score: float) -> Callable[..., Play]:
    """All members end with the same score; prepare and export succeed."""
    return lambda *_: score


class PlayedPool:
    """Up to `most` workers, in this process. Each `step` lets each of them go on a little.

    With `luck`, some of them dawdle in each step, so that they end in any order.
    """

    _numbers = itertools.count()

    def __init__(
        self,
        root: Path,
        mini: Mini | None = None,
        most: int = 2,
        plays: Plays | None = None,
        *,
        prepare: Callable[[int], Play] | None = None,
        export: Callable[[int], Play] | None = None,
        luck: random.Random | None = None,
        lanes: int = 1,
    ) -> None:
        self.folder = RunFolder(root)
        self.mini = mini or Mini()
        self.most = most
        self.plays = plays or always(0.5)
        self.prepare = prepare or always(0.0)
        self.export = export or always(0.0)
        self.luck = luck
        self.lanes = lanes  # of each worker
        self.workers: dict[str, Generator[None, None, None]] = {}
        self.begun: list[str] = []  # attempts in the order in which work on them began
        self.saves: set[str] = set()  # checkpoints that were ever written
        self.wanted = 0
        self.stuck: set[str] = set()  # lives that hang: there, but without a sign
        self.told_to_leave: set[str] = set()  # lives that are there, and soon are not
        self.ours: set[str] = set()  # all lives there ever were

    def want(self, count: int) -> None:
        self.wanted = count
        while len(self.workers) < min(count, self.most):
            life = f"worker-{next(self._numbers)}"
            self.ours.add(life)
            self.workers[life] = _process(self, life)

    def leaving(self) -> set[str]:
        return self.told_to_leave

    def vouches_for(self, life: str) -> bool:
        return life in self.ours

    def lives(self) -> list[str]:
        return list(self.workers)

    def drop(self, life: str) -> None:
        self.workers.pop(life, None)
        self.stuck.discard(life)

    def show_life(self, lives: Iterable[str]) -> None:
        """Move the counters of workers that are at work and get nowhere."""
        for life in lives:
            status = self.folder.status(life)
            if status is not None:
                alive = status.model_copy(update={"counter": status.counter + 1})
                self.folder.report(life, alive)

    def step(self) -> None:
        """Let the workers go on."""
        for life, worker in list(self.workers.items()):
            if life in self.stuck:
                continue
            if self.luck is not None and self.luck.random() < 0.3:
                continue
            try:
                next(worker)
            except StopIteration:
                del self.workers[life]

    def kill(self, life: str | None = None) -> None:
        """Kill one worker, or all of them."""
        for name in [life] if life else list(self.workers):
            del self.workers[name]


def _process(pool: PlayedPool, life: str) -> Generator[None, None, None]:
    """Let the lanes of a process go on side by side. One that ends takes the others with it."""
    lanes = [_Worker(pool, lane_of(life, number)).live() for number in range(pool.lanes)]
    while True:
        for lane in lanes:
            try:
                next(lane)
            except StopIteration:
                return
        yield


class _Worker:
    def __init__(self, pool: PlayedPool, life: str) -> None:
        self.pool = pool
        self.folder = pool.folder
        self.life = life
        self.status = WorkerStatus(counter=0, doing="starting", lanes=pool.lanes)

    def live(self) -> Generator[None, None, None]:
        make_folder(self.folder.root / "workers")
        self.say(doing="idle")
        done = None
        while True:
            yield
            assignment = self.folder.assignment(self.life)
            if assignment is not None and assignment.leave:
                return
            if assignment is None or assignment.task in (None, done):
                continue
            done = assignment.task
            task = self.folder.task(done)
            assert task is not None
            if task.worker != self.life or self.folder.outcome(done) is not None:
                return  # another life has it, or had it
            assert done not in self.pool.begun, f"{done} is done twice"
            self.pool.begun.append(done)
            self.say(
                doing=f"starting to {task.kind}",
                task=done,
                ended=None,
                saved=None,
                saved_epoch=None,
            )
            play, order = self.play_for(task)
            outcome = yield from self.attempt(task, order, play)
            if outcome is None or self.folder.settle(done, outcome) != outcome:
                return  # dead; or given up by a controller, so that it leaves
            self.say(doing="idle", task=None, ended=done, epoch=None, score=None)
            if outcome.outcome == "saved":
                return

    def play_for(self, task: Task) -> tuple[Play, Order | None]:
        if task.kind == "prepare":
            return self.pool.prepare(task.attempt), None
        if task.kind == "export":
            return self.pool.export(task.attempt), None
        assert task.order is not None
        order = self.folder.order_at(task.order)
        return self.pool.plays(order.member, order.generation, task.attempt), order

    def attempt(self, task: Task, order: Order | None, play: Play) -> Ending:
        yield
        if order is not None:
            return (yield from self.train(task, order, play))
        if isinstance(play, Dies):
            return None
        if isinstance(play, Leaves):
            return Outcome(outcome="saved", reason="told to leave")
        if isinstance(play, Fails):
            return Outcome(outcome="failed", reason=play.reason, input_error=play.input_error)
        if task.kind == "prepare":
            return Outcome(outcome="finished", result=self.pool.mini.answer())
        content = self.whole(task)
        if isinstance(content, Outcome):
            return content
        results = self.folder.path(task.folder) / "results"
        make_folder(results)
        best = json.loads(content)
        (results / "best.json").write_text(json.dumps({"best": task.best, **best}))
        return Outcome(outcome="finished")

    def train(self, task: Task, order: Order, play: Play) -> Ending:
        checkpoint = self.folder.checkpoint_in(task.folder, 1)
        started = self.start(task, order)
        if isinstance(started, Outcome):
            return started
        epoch, learnt = started
        stop = order.start_epoch + order.epochs
        if isinstance(play, Dies):  # one that resumed behind this point dies at once
            stop = order.start_epoch + (play.saved or 0)
        elif isinstance(play, Leaves):
            stop = order.start_epoch + play.after
        while epoch < stop:
            learnt = digest(learnt, order.hyperparameters, order.member, epoch)
            epoch += 1
            yield
        match play:
            case Fails(leaves_file=False) | Dies(saved=None):
                pass
            case _:
                sha256 = self.save(checkpoint, order, epoch, learnt)
        if isinstance(play, Fails):
            return Outcome(outcome="failed", reason=play.reason, input_error=play.input_error)
        if isinstance(play, Dies):
            if play.saved is not None and play.said:
                self.say(doing="training", saved=checkpoint, saved_sha256=sha256, saved_epoch=epoch)
            return None
        finished = not isinstance(play, Leaves)
        finite = isinstance(play, int | float) and math.isfinite(play)
        return Outcome(
            outcome="finished" if finished else "saved",
            reason="told to leave" if not finished else None if finite else "became nan",
            epoch=epoch,
            checkpoint=checkpoint,
            sha256=sha256,
            score=play if finite else None,
            result={"learnt": learnt, "last": {METRIC: float(play)} if finite else {}},
        )

    def whole(self, task: Task) -> str | Outcome:
        """Return the checkpoint that the task starts from, if it is as it was written."""
        assert task.start_from is not None
        path = self.folder.path(task.start_from)
        content = path.read_text() if path.exists() else "gone"
        if hashlib.sha256(content.encode()).hexdigest() == task.start_sha256:
            return content
        return Outcome(outcome="failed", reason=f"{path}: is damaged", damaged=task.start_from)

    def start(self, task: Task, order: Order) -> tuple[int, str] | Outcome:
        """Return the epoch and what is learnt so far, having seen that it is the right start."""
        if task.start_from is None:
            assert order.parent is None
            return order.start_epoch, "nothing"
        content = self.whole(task)
        if isinstance(content, Outcome):
            return content
        start = json.loads(content)
        if task.resume:
            assert start["place"] == [order.member, order.generation]
            assert order.start_epoch <= start["epoch"] <= order.start_epoch + order.epochs
        else:
            assert order.parent is not None
            assert start["place"] == list(order.parent)
            assert start["epoch"] == order.start_epoch
        return start["epoch"], start["learnt"]

    def save(self, checkpoint: str, order: Order, epoch: int, learnt: str) -> str:
        place = [order.member, order.generation]
        content = json.dumps({"place": place, "epoch": epoch, "learnt": learnt})
        write_bytes(self.folder.path(checkpoint), content.encode())
        self.pool.saves.add(checkpoint)
        return hashlib.sha256(content.encode()).hexdigest()

    def say(self, **changes: object) -> None:
        moved = {**changes, "counter": self.status.counter + 1}
        self.status = self.status.model_copy(update=moved)
        self.folder.report(self.life, self.status)


def digest(*things: object) -> str:
    """Return a name for all these things together."""
    return hashlib.sha256(repr(things).encode()).hexdigest()[:16]


class Ticking:
    """A clock that goes on a little with each look at it: turns here take no time of their own."""

    def __init__(self, seconds: float = 0.04) -> None:
        self.seconds = seconds
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


def controller_for(root: Path, pool: PlayedPool, folder: RunFolder | None = None) -> Controller:
    """Start a controller on a folder that it, or an earlier one, has claimed."""
    claimed(root, pool.mini.mode)
    owner = WatchedFolder(root).owner()
    assert owner is not None
    return Controller(folder or WatchedFolder(root), owner, pool, Ticking())


MOST_TURNS = 1000  # more than any run here takes: one that takes them is stuck


def to_the_end(controller: Controller, pool: PlayedPool) -> End:
    """Turn and step until the run is over."""
    for _ in range(MOST_TURNS):
        if controller.turn():
            assert controller.ledger.end is not None
            return controller.ledger.end
        pool.step()
    raise AssertionError(f"the run is stuck: {controller.ledger.open_attempts()}")


def played(root: Path, mini: Mini, plays: Plays | None = None, most: int = 2) -> End:
    """Play a whole run that nothing disturbs."""
    pool = PlayedPool(root, mini, most, plays)
    return to_the_end(controller_for(root, pool), pool)
