"""Pointing idle workers to the tasks that are theirs: who gave them may be gone before he did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from autolfads_operator.controller.ledger import Attempt
from autolfads_trainer.records import Assignment, WorkerStatus
from autolfads_trainer.store import RunFolder


@dataclass
class Reminder:
    """Points each idle worker to its oldest open task, unless it is pointed to that already.

    Attributes:
        patience: seconds that another controller has to do so for its own workers. One that has
            stopped for good would be waited for without end: its worker lives, and does nothing.
    """

    folder: RunFolder
    patience: float
    _since: dict[str, float] = field(default_factory=dict)  # when tasks were first seen untaken

    def remind(
        self,
        attempts: Iterable[Attempt],
        statuses: Mapping[str, WorkerStatus],
        ours: Callable[[str], bool],
        now: float,
    ) -> None:
        """Point the workers of open `attempts`, at once where they are `ours`."""
        since, reminded = self._since, set()
        self._since = {}
        for attempt in attempts:
            task = attempt.task
            status = statuses.get(task.worker)
            if status is None or status.task is not None or task.worker in reminded:
                continue
            reminded.add(task.worker)
            if status.ended == task.folder:
                continue
            self._since[task.folder] = since.get(task.folder, now)
            if ours(task.worker) or now - self._since[task.folder] > self.patience:
                self._point(attempt, sure=ours(task.worker))

    def _point(self, attempt: Attempt, *, sure: bool) -> None:
        task = attempt.task
        wanted = Assignment(task=task.folder)
        if self.folder.assignment(task.worker) == wanted:
            return
        # A stranger may have done it, and more, without our hearing of it: then it is not its task.
        if sure or self.folder.outcome(task.folder) is None:
            self.folder.assign(task.worker, wanted)
