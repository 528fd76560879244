"""The status of a worker speaks of saves of its current task alone."""

from __future__ import annotations

from pathlib import Path

from ledger_examples import claimed

from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.tasks.context import Said
from autolfads_trainer.worker.lane import Worker
from autolfads_trainer.worker.process import Process


def test_a_new_task_does_not_inherit_the_saves_of_the_last_one(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    (tmp_path / "workers").mkdir()
    worker = Worker(folder, "w", device="cpu", save_every=300.0, process=Process())
    seen = []

    def attempt(task: Task) -> Outcome:
        seen.append(folder.status("w"))
        worker._say(Said("training", epoch=1.5, saved_epoch=1, saved_steps=3))
        return Outcome(outcome="finished")

    worker._attempt = attempt
    for number in (1, 2):
        name = f"prepare/attempt-{number}"
        folder.report("w", worker.status)
        folder.give_task(Task(kind="prepare", folder=name, worker="w", attempt=number))
        worker._do(name)
    assert [(status.task, status.saved_epoch, status.saved_steps) for status in seen] == [
        ("prepare/attempt-1", None, 0),
        ("prepare/attempt-2", None, 0),
    ]
