"""Train one member for one generation."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import Literal

from autolfads_trainer.config.changes import with_hyperparameters
from autolfads_trainer.disk import write_bytes
from autolfads_trainer.disk_errors import StoreError, may_pass
from autolfads_trainer.records import UNSAVED, Outcome, Task
from autolfads_trainer.results.fitlog import rows_text
from autolfads_trainer.tasks.context import Context, MustLeave, Said, TaskGone
from autolfads_trainer.tasks.start import Damaged, loaded
from autolfads_trainer.training.member import Leg, Member
from autolfads_trainer.training.precision import use_precision
from autolfads_trainer.userinput import InputError

LOOK_EVERY = 5.0  # seconds between looks at whether the task is still ours
TRY_AGAIN = 30.0  # seconds at most until a save that the disk refused is tried again


def train(context: Context, task: Task) -> Outcome:
    """Train, save and score. The outcome is `finished`, or `saved` when told to leave."""
    with context.shared.coming():
        return _train(context, task)


def _train(context: Context, task: Task) -> Outcome:
    started = time.monotonic()
    run = context.run()
    if task.order is None:
        raise StoreError(f"{task.folder}/task.json: has no order")
    name = task.order
    order = context.patience.announced(lambda: context.folder.order_at(name))
    if order is None:
        raise StoreError(f"{context.folder.path(name)}: is missing although a task names it")
    if not task.is_for(order):
        raise InputError(
            f"{context.folder.path(name)}: was changed since it was given; expected it as it was: "
            "restore it, or begin the run again in another folder"
        )
    context.say(Said("reading the data"))
    _, data = context.data(run)
    use_precision(run.configuration["trainer"].get("precision", "auto"), context.torch_device())
    configuration = with_hyperparameters(run.configuration, order.hyperparameters)
    leg = Leg(order.member, order.generation, order.start_epoch, order.epochs)
    said = configuration.get("start")
    # Later generations have it in what they start from.
    begins = said is not None and task.start_from is None
    start = context.folder.path(said["checkpoint"]) if said is not None and begins else None
    member = Member(configuration, data, leg, run.seed, run.pbt.metric, start)
    try:
        _start(context, task, member)
    except Damaged as damage:
        return damage.outcome

    attempt = _Attempt(context, task, member)
    at_end = context.train(member, attempt.after_step)
    if not attempt.save_at_last(wait=at_end):
        return attempt.outcome("saved", UNSAVED)
    if not at_end:
        return attempt.outcome("saved", "told to leave")
    score = None if member.lost else member.score
    progress = member.progress
    reason = None
    if score is None:
        reason = f"{run.pbt.metric} became {member.score} in epoch {progress.epoch - 1}"
    return attempt.outcome("finished", reason).model_copy(
        update={
            "score": score,
            "seconds": time.monotonic() - started,
            "result": {"last": progress.rows[-1] if progress.rows else {}},
        }
    )


def _start(context: Context, task: Task, member: Member) -> None:
    if task.start_from is None:
        return
    load = member.resume if task.resume else member.start_from_parent
    loaded(context, task, load)


@dataclass(frozen=True)
class _Save:
    """The newest checkpoint of this attempt, and how far it is."""

    checkpoint: str
    sha256: str
    epoch: int
    steps: int
    metrics_sha256: str


class _Attempt:
    """What happens between the steps of an attempt: telling, saving, and leaving when told to."""

    def __init__(self, context: Context, task: Task, member: Member) -> None:
        self.context = context
        self.task = task
        self.member = member
        self.started = time.monotonic()
        self.saves = 0
        self.saved: _Save | None = None
        self.announced = True  # whether the controller was told of `saved`
        self.next_save = time.monotonic() + context.save_every
        self.next_look = time.monotonic() + LOOK_EVERY
        self.doing = f"training member {member.leg.member}, generation {member.leg.generation}"

    def after_step(self, member: Member) -> bool:
        """Say how far it is; save when it is time; return whether to stop here."""
        self.context.steps += 1
        self.context.say(self._said(self.doing))
        now = time.monotonic()
        if now >= self.next_look:
            self.next_look = now + LOOK_EVERY
            self._check_still_ours()
        if self.context.must_leave():
            return True
        if now >= self.next_save:
            self.next_save = time.monotonic() + self._save_if_the_disk_lets()
        return False

    def _save_if_the_disk_lets(self) -> float:
        """Save; return the seconds until the next one. A disk in trouble does not stop training."""

        def save() -> float:
            self.save()
            return self.context.save_every

        return self.context.patience.once(save, min(self.context.save_every, TRY_AGAIN))

    def save_at_last(self, *, wait: bool) -> bool:
        """Save what was trained; with `wait`, as soon as the disk lets it. Return whether it is.

        Who must leave and cannot save leaves what it saved before.
        """
        try:
            if wait:
                self.context.patience(self.save)
            else:
                self.save()
        except MustLeave:
            return False
        except OSError as error:
            if not may_pass(error):
                raise
            return False
        return True

    def outcome(self, word: Literal["finished", "saved"], reason: str | None) -> Outcome:
        """Return how the attempt ended, with its newest save."""
        save = self.saved
        return Outcome(
            outcome=word,
            reason=reason,
            epoch=save.epoch if save else None,
            steps=save.steps if save else 0,
            checkpoint=save.checkpoint if save else None,
            sha256=save.sha256 if save else None,
            metrics_sha256=save.metrics_sha256 if save and word == "finished" else None,
            seconds=time.monotonic() - self.started,
        )

    def _said(self, doing: str) -> Said:
        score = self.member.score
        return Said(
            doing,
            epoch=self.member.position,
            score=score if math.isfinite(score) else None,
            saved=self.saved.checkpoint if self.saved else None,
            saved_sha256=self.saved.sha256 if self.saved else None,
            saved_epoch=self.saved.epoch if self.saved else None,
            saved_steps=self.saved.steps if self.saved else 0,
            bps=self._bits_per_spike(),
        )

    def _bits_per_spike(self) -> float | None:
        rows = self.member.progress.rows
        found = rows[-1].get("valid/bps") if rows else None
        return found if found is not None and math.isfinite(found) else None

    def save(self) -> None:
        """Write metrics and checkpoint into the attempt's folder, and tell the controller.

        None is written before the one before was told of: it would take the place of the last one
        that was, the only one that anybody could go on from.
        """
        self._check_still_ours()
        if not self.announced:
            self._announce()
            if self._is_newest(self.saved):
                return
        folder = self.context.folder.path(self.task.folder)
        metrics = rows_text(self.member.progress.rows).encode()
        write_bytes(folder / "metrics.csv", metrics)
        name = self.context.folder.checkpoint_in(self.task.folder, self.saves + 1)
        sha256 = self.member.save(self.context.folder.path(name))
        self.saves += 1
        self.saved = _Save(
            name,
            sha256,
            self.member.progress.epoch,
            self.member.drawer.step,
            hashlib.sha256(metrics).hexdigest(),
        )
        self.announced = False
        self._announce()

    def _announce(self) -> None:
        self.context.announce(self._said("saved; " + self.doing))
        self.announced = True

    def _is_newest(self, save: _Save | None) -> bool:
        now = (self.member.progress.epoch, self.member.drawer.step)
        return save is not None and (save.epoch, save.steps) == now

    def _check_still_ours(self) -> None:
        # Its own assignment is a name that is always there: volumes remember missing ones.
        try:
            assignment = self.context.folder.assignment(self.task.worker)
            # Given up by a controller that did not come to say so: its word is the outcome.
            outcome = self.context.folder.outcome(self.task.folder)
        except OSError as error:
            if not may_pass(error):
                raise
            return  # what it writes next shows it again
        # Of a worker that was given up the assignment is removed in the end.
        ours = assignment is not None and assignment.task == self.task.folder
        if not ours or outcome is not None:
            raise TaskGone(self.task.folder)
