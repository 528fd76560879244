"""A run folder in which the controller dies at a chosen write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autolfads_trainer.store import RunFolder

WRITES = ("freeze", "give_order", "give_task", "settle", "assign", "publish", "finish", "remove")
READS = ("owner", "run", "end", "order", "task", "outcome", "status", "assignment")


class Killed(BaseException):
    """The controller is no more: no `except` of its own can hear this."""


class CountingFolder(RunFolder):
    """Notes every read and write that a controller asks for, from whichever thread."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: list[str] = []
        self.writes = 0
        self._one_by_one = threading.RLock()
        for name in (*READS, *WRITES):
            setattr(self, name, self._noted(name, getattr(self, name)))

    def _noted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            with self._one_by_one:
                self.before()
                self.calls.append(name)
                self.writes += name in WRITES
                result = call(*arguments)
                self.after(name)
            return result

        return noted

    def before(self) -> None:
        """Called before each of them."""

    def after(self, name: str) -> None:
        """Called after each of them, when it has been counted."""


class BreakingFolder(CountingFolder):
    """Raises `Killed` once the n-th write is done: on disk that is also "before the next one"."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self.at = at
        self.dead = False

    def before(self) -> None:
        """Let no other thread do anything once one has died."""
        if self.dead:
            raise Killed

    def after(self, name: str) -> None:
        """Die after the write."""
        if name in WRITES and self.writes == self.at:
            self.dead = True
            raise Killed
