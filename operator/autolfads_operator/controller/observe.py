"""Reading what workers say: one small file per worker and turn, and outcomes once announced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autolfads_operator.controller.ledger import Attempt, Ledger
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.records import Assignment, Outcome, WorkerStatus
from autolfads_trainer.store import RunFolder

LONGEST_TROUBLE = 500  # characters: a worker writes it, and it is shown


def last_words(folder: RunFolder, life: str) -> WorkerStatus | None:
    """Return what a worker says; None where it has not said anything, or cannot be read.

    It decides nothing: one on a bad sector must not hold up everybody else.
    """
    try:
        return folder.status(life)
    except OSError as error:
        if not may_pass(error):
            raise
        return None


def read_statuses(folder: RunFolder, lives: Iterable[str]) -> dict[str, WorkerStatus]:
    """Return what each of the `lives` says; one of which nothing can be read is left out."""
    found = ((life, last_words(folder, life)) for life in lives)
    return {life: status for life, status in found if status is not None}


def trouble_in(statuses: Mapping[str, WorkerStatus]) -> str | None:
    """Return the trouble with a disk that a worker tells of, the same one each time; None: none."""
    told = (statuses[life].trouble for life in sorted(statuses))
    return next((trouble[:LONGEST_TROUBLE] for trouble in told if trouble), None)


def note_outcomes(
    folder: RunFolder, ledger: Ledger, statuses: Mapping[str, WorkerStatus], also: Iterable[str]
) -> None:
    """Read the outcomes that workers announce into the ledger, and those of the attempts `also`."""
    announced = {status.ended for status in statuses.values()} | set(also)
    for attempt in ledger.open_attempts():
        if attempt.task.folder in announced:
            outcome = folder.outcome(attempt.task.folder)
            if outcome is not None:
                ledger.settle(attempt, outcome)


def abandon(
    folder: RunFolder,
    attempt: Attempt,
    reason: str,
    status: WorkerStatus | None,
    *,
    stranger: bool = False,
) -> Outcome:
    """Give an attempt up, unless it has an outcome, and return the outcome that counts.

    What its worker said of its newest checkpoint (`status`, its last one) goes into the outcome, so
    that the next attempt can go on from there.
    """
    task = attempt.task
    name = _saved(status, task.folder) if status is not None else None
    # Not looked for: it may be seen late. Who starts from it waits, and tells if it is gone.
    saved = status if name is not None else None
    outcome = folder.settle(
        task.folder,
        Outcome(
            outcome="abandoned",
            reason=reason,
            stranger=stranger,
            epoch=saved.saved_epoch if saved else None,
            steps=saved.saved_steps if saved else 0,
            checkpoint=name if saved else None,
            sha256=saved.saved_sha256 if saved else None,
        ),
    )
    # Should it still live, it finds its task gone, and leaves.
    folder.assign(task.worker, Assignment(task=None))
    return outcome


def _saved(status: WorkerStatus, folder: str) -> str | None:
    if status.task != folder or status.saved_epoch is None:
        return None
    if status.saved is None:  # of the first format, which had one name for all saves
        return f"{folder}/checkpoint.ckpt"
    ours = {RunFolder.checkpoint_in(folder, number) for number in (1, 2)}
    return status.saved if status.saved in ours else None
