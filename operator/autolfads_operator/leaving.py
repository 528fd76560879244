"""Stopping cleanly: signals are noted, workers save and leave, and what they saved is seen."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from autolfads_operator.controller.ledger import place_of
from autolfads_operator.pools.local import LocalPool
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import UNSAVED, Task
from autolfads_trainer.store import RunFolder

LEAVE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 100.0  # seconds for workers to save and leave
READ_WITHIN = 2.0  # seconds, of what they saved, on a volume that answers


@contextmanager
def signals_noted() -> Iterator[list[int]]:
    """Collect SIGINT, SIGTERM and SIGHUP instead of being ended by them in the midst of a turn."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    before = {number: signal.signal(number, note) for number in LEAVE}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(pool: LocalPool, signals: list[int], *, patience: float, told: bool) -> None:
    """Let the workers leave; a second Ctrl-C kills them (their next start loses minutes)."""
    if told:
        pool.tell_to_leave()
    until = time.monotonic() + patience
    heard = len(signals)
    while pool.lives() and time.monotonic() < until and len(signals) == heard:
        time.sleep(0.02)
    pool.kill()


def not_saved(folder: RunFolder, tasks: Sequence[Task]) -> list[int]:
    """Return the members whose training was begun and does not say that it is saved.

    Where the volume does not answer that is all of them.
    """
    left = {task.folder for task in tasks}

    def look() -> None:
        for task in tasks:
            try:
                outcome = folder.outcome(task.folder)
                status = folder.status(task.worker)
            except (OSError, StoreError):
                continue
            if outcome is not None and outcome.reason != UNSAVED:
                left.discard(task.folder)
            elif outcome is None and (status is None or status.task != task.folder):
                left.discard(task.folder)  # its worker left before it came to it

    # A daemon: a process must be able to end although a mount never answers.
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(READ_WITHIN)
    return sorted(place_of(attempt)[0] for attempt in list(left))
