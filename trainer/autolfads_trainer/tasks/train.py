"""Train one member for one generation."""

from __future__ import annotations

import math
import time

from autolfads_trainer.config import with_hyperparameters
from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.results.fitlog import rows_text
from autolfads_trainer.store import StoreError, write_bytes
from autolfads_trainer.tasks.context import Context, Said, TaskGone
from autolfads_trainer.training.member import Leg, Member
from autolfads_trainer.userinput import InputError

LOOK_EVERY = 5.0  # seconds between looks at whether the task is still ours


def train(context: Context, task: Task) -> Outcome:
    """Train, save and score. The outcome is `finished`, or `saved` when told to leave."""
    started = time.monotonic()
    run = context.run()
    if task.order is None:
        raise StoreError(f"{task.folder}/task.json: has no order")
    order = context.folder.order_at(task.order)
    context.say(Said("reading the data"))
    _, data = context.data(run)
    configuration = with_hyperparameters(run.configuration, order.hyperparameters)
    leg = Leg(order.member, order.generation, order.start_epoch, order.epochs)
    member = Member(configuration, data, leg, run.seed, run.pbt.metric)
    if task.start_from is not None:
        start = context.folder.path(task.start_from)
        try:
            if task.resume:
                member.resume(start)
            else:
                member.start_from_parent(start)
        except InputError as error:  # of the run itself: nothing that the user has written
            raise StoreError(str(error)) from error

    attempt = _Attempt(context, task, member)
    at_end = member.train(attempt.after_step)
    attempt.save()
    score = member.score if at_end and not member.lost else None
    progress = member.progress
    reason = None
    if at_end and score is None:
        reason = f"{run.pbt.metric} became {member.score} in epoch {progress.epoch - 1}"
    return Outcome(
        outcome="finished" if at_end else "saved",
        reason=reason if at_end else "told to leave",
        epoch=progress.epoch,
        steps=member.drawer.step,
        checkpoint=attempt.checkpoint,
        score=score,
        seconds=time.monotonic() - started,
        result={"last": progress.rows[-1] if progress.rows else {}},
    )


class _Attempt:
    """What happens between the steps of an attempt: telling, saving, and leaving when told to."""

    def __init__(self, context: Context, task: Task, member: Member) -> None:
        self.context = context
        self.task = task
        self.member = member
        self.checkpoint = context.folder.checkpoint_in(task.folder)
        self.saved: tuple[int, int] | None = None
        self.next_save = time.monotonic() + context.save_every
        self.next_look = time.monotonic() + LOOK_EVERY
        self.doing = f"training member {member.leg.member}, generation {member.leg.generation}"

    def after_step(self, member: Member) -> bool:
        """Say how far it is; save when it is time; return whether to stop here."""
        self.context.say(self._said(self.doing))
        now = time.monotonic()
        if now >= self.next_look:
            self.next_look = now + LOOK_EVERY
            self._check_still_ours()
        if self.context.must_leave():
            return True
        if now >= self.next_save:
            self.save()
            self.next_save = time.monotonic() + self.context.save_every
        return False

    def _said(self, doing: str) -> Said:
        score = self.member.score
        return Said(
            doing,
            epoch=self.member.position,
            score=score if math.isfinite(score) else None,
            saved_epoch=self.saved[0] if self.saved else None,
            saved_steps=self.saved[1] if self.saved else 0,
        )

    def save(self) -> None:
        """Write metrics and checkpoint into the attempt's folder."""
        self._check_still_ours()
        folder = self.context.folder.path(self.task.folder)
        write_bytes(folder / "metrics.csv", rows_text(self.member.progress.rows).encode())
        self.member.save(self.context.folder.path(self.checkpoint))
        self.saved = (self.member.progress.epoch, self.member.drawer.step)
        self.context.say(self._said("saved; " + self.doing))  # at once: what was saved is known

    def _check_still_ours(self) -> None:
        # Its own assignment is a name that is always there: volumes remember missing ones.
        assignment = self.context.folder.assignment(self.task.worker)
        if assignment is not None and assignment.task != self.task.folder:
            raise TaskGone(self.task.folder)
