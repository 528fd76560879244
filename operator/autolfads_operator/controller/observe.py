"""Reading what workers say: one small file per worker and turn, and outcomes once announced."""

from __future__ import annotations

from collections.abc import Iterable

from autolfads_operator.controller.ledger import Attempt, Ledger, noted
from autolfads_trainer.records import Assignment, Outcome, WorkerStatus
from autolfads_trainer.store import RunFolder


def read_statuses(folder: RunFolder, lives: Iterable[str]) -> dict[str, WorkerStatus]:
    """Return what each of the `lives` says; one that has not said anything yet is left out."""
    found = ((life, folder.status(life)) for life in lives)
    return {life: status for life, status in found if status is not None}


def note_outcomes(
    folder: RunFolder, ledger: Ledger, statuses: dict[str, WorkerStatus]
) -> list[tuple[Attempt, Outcome]]:
    """Read the outcomes that workers announce into the ledger; return the new ones."""
    announced = {status.ended for status in statuses.values()}
    new = []
    for attempt in ledger.open_attempts():
        if attempt.task.folder not in announced:
            continue
        outcome = folder.outcome(attempt.task.folder)
        if outcome is not None:
            attempt.outcome = noted(attempt.task, outcome).outcome
            new.append((attempt, outcome))
    return new


def abandon(folder: RunFolder, attempt: Attempt, reason: str) -> Outcome:
    """Give an attempt up, unless it has an outcome, and return the outcome that counts.

    What its worker said of its newest checkpoint goes into the outcome, so that the next attempt
    can go on from there.
    """
    task = attempt.task
    checkpoint = folder.checkpoint_in(task.folder)
    status = folder.status(task.worker)
    saved = status is not None and status.task == task.folder and status.saved_epoch is not None
    # Announced, and yet it may be gone with a power cut: an outcome names what is there.
    saved = saved and folder.path(checkpoint).exists()
    outcome = folder.settle(
        task.folder,
        Outcome(
            outcome="abandoned",
            reason=reason,
            epoch=status.saved_epoch if saved and status else None,
            steps=status.saved_steps if saved and status else 0,
            checkpoint=checkpoint if saved else None,
        ),
    )
    attempt.outcome = outcome
    # Should it still live, it finds its task gone, and leaves.
    folder.assign(task.worker, Assignment(task=None))
    return outcome
