"""Records as a run writes them, and a disk whose calls are written down and can be made to fail."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autolfads_trainer.records import (
    Assignment,
    Data,
    End,
    Order,
    Outcome,
    Owner,
    Pbt,
    Record,
    Run,
    Task,
    WorkerStatus,
)

KILLED = 9


def order(member: int = 3, generation: int = 2, **changes: Any) -> Order:
    """Return the order of a member that becomes a copy of another."""
    given = {
        "parent": (5, generation - 1),
        "copied": True,
        "hyperparameters": {"model.lr_init": 2.5e-3, "model.dropout_rate": 0.25},
        "start_epoch": 40,
        "epochs": 15,
        "why": "member 5 was better: 0.31 against 0.36",
    }
    return Order(member=member, generation=generation, **(given | changes))


def task(folder: str = "members/003/gen-002/attempt-1", **changes: Any) -> Task:
    """Return the task of that order."""
    given = {"kind": "train", "worker": "w1", "attempt": 1, "order": "members/003/gen-002"}
    return Task(folder=folder, **(given | changes))


def run(**changes: Any) -> Run:
    """Return what a run is frozen as."""
    pbt = Pbt(
        metric="valid/recon_smth",
        burn_in_epochs=10,
        generation_epochs=15,
        max_epochs=100,
        patience=4,
        min_improvement_ratio=5e-4,
    )
    given = {
        "name": "reach",
        "seed": 11,
        "population": 6,
        "pbt": pbt,
        "search_space": {"model.lr_init": {"min": 1e-5, "max": 5e-3}},
        "configuration": {"model": {"gen_dim": 20}},
        "data": Data(path="/recordings/reach.h5", sha256="ab" * 32, session="sess0"),
    }
    return Run(**(given | changes))


EVERY_KIND: tuple[Record, ...] = (
    Owner(name="reach", spec={"data": {"path": "reach.h5"}}, spec_hash="12"),
    run(),
    order(),
    order(generation=1, parent=None, copied=False),
    task(),
    task("export/attempt-2", kind="export", legs=((0, 1, None), (3, 2, "a")), best=(3, 2)),
    Outcome(outcome="finished", epoch=55, score=0.25, result={"last": {"valid/recon": 0.25}}),
    Outcome(outcome="abandoned", reason="its worker was silent"),
    End(state="succeeded", reason="all epochs are done", best=(3, 2), score=0.25),
    Assignment(task="members/003/gen-002/attempt-1"),
    WorkerStatus(counter=7, doing="training", epoch=41.5, device="cpu"),
)


class Disk:
    """Every call that writes, names or syncs, in order; `at[i]` is done instead of the i-th one.

    Kept are the call and the file it was about: its inode for fsync, link and rename, so that
    the file that was synced can be told to be the one that got the name.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, int]] = []
        self.at: dict[int, Callable[[], None]] = {}
        self.before: Callable[[], object] = lambda: None
        self.real = {name: getattr(os, name) for name in ("fsync", "link", "replace", "rename")}
        for name, call in self.real.items():
            monkeypatch.setattr(os, name, self._recorded(name, call))
        self.really_write = os.write
        monkeypatch.setattr(os, "write", self._half_written)

    def _note(self, name: str, inode: int) -> None:
        self.before()
        self.calls.append((name, inode))
        self.at.get(len(self.calls) - 1, lambda: None)()

    def _recorded(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(first: Any, *others: Any, **options: Any) -> Any:
            inside = options.get("src_dir_fd")
            status = os.fstat(first) if isinstance(first, int) else os.stat(first, dir_fd=inside)
            folder = name == "fsync" and stat.S_ISDIR(status.st_mode)
            self._note("fsync folder" if folder else name, status.st_ino)
            return call(first, *others, **options)

        return recorded

    def _half_written(self, handle: int, content: memoryview) -> int:
        half = self.really_write(handle, content[: len(content) // 2])
        self._note("write", os.fstat(handle).st_ino)  # fails, or is killed, with half of it written
        return half + self.really_write(handle, content[half:])

    @property
    def names(self) -> list[str]:
        """The calls without their files."""
        return [name for name, _ in self.calls]


def failing(number: int) -> Callable[[], None]:
    """Return a call that fails as the operating system does."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def listing(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def in_child(work: Callable[[], object]) -> int:
    """Start `work` in another process, in which errors are printed; return the process's id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return child


def end_of(child: int) -> int:
    """Wait for a process; return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die() -> None:
    """End the process as SIGKILL does: nothing more is done, no file is closed in order."""
    os._exit(KILLED)


TRANSIENT = (errno.ESTALE, errno.EIO, errno.EINTR, errno.EAGAIN)
