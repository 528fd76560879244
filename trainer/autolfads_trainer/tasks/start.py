"""The checkpoint that a task starts from: there, and as it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from autolfads_trainer.disk import opened_plain
from autolfads_trainer.disk_errors import NO_PLAIN_FILE
from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.tasks.bad_sector import BadSectors, Unreadable
from autolfads_trainer.tasks.context import Context
from autolfads_trainer.userinput import InputError

T = TypeVar("T")


class Damaged(Exception):  # noqa: N818  (an outcome: the controller has it made again)
    """A checkpoint is cut, changed, gone or unreadable. Nothing was trained from it."""

    def __init__(self, checkpoint: str, reason: str) -> None:
        super().__init__(reason)
        self.checkpoint = checkpoint

    @property
    def outcome(self) -> Outcome:
        """What the attempt comes to: no fault of the member's, and not held against it."""
        return Outcome(outcome="failed", reason=str(self), damaged=self.checkpoint)


def start_of(context: Context, task: Task) -> Path:
    """Return the path of the task's checkpoint, whole. Raises `Damaged`."""
    assert task.start_from is not None  # noqa: S101  (asked by those who have one)
    path = context.folder.path(task.start_from)
    # A bad sector under it is damage, a disk that fails as a whole is not.
    bad = BadSectors(context.patience.clock)
    read = bad.reading(path, context.telling(_fingerprint))
    try:
        found = context.patience.announced(read)
    except Unreadable as error:
        raise Damaged(task.start_from, f"the checkpoint is damaged: {error}") from None
    if found is None:
        raise Damaged(task.start_from, f"{path}: the checkpoint is gone")
    if task.start_sha256 is not None and found != task.start_sha256:
        raise Damaged(
            task.start_from,
            f"{path}: the checkpoint is damaged: its sha256 is {found[:12]}…; "
            f"expected {task.start_sha256[:12]}…, as when it was written",
        )
    return path


def loaded(context: Context, task: Task, load: Callable[[Path], T]) -> T:
    """Return `load` of the task's checkpoint. Raises `Damaged`.

    A disk can fail between two reads: what was whole and cannot be read is looked at once more.
    """
    try:
        return load(start_of(context, task))
    except InputError:
        pass
    try:
        return load(start_of(context, task))
    except InputError as error:  # written before checksums were, or by something else
        assert task.start_from is not None  # noqa: S101
        raise Damaged(task.start_from, str(error)) from error


def _fingerprint(path: Path) -> str:
    try:
        return _sha256(path)
    except OSError as error:
        if error.errno in NO_PLAIN_FILE:
            raise Unreadable(f"{path}: is no plain file") from None
        raise


def _sha256(path: Path) -> str:
    with opened_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
