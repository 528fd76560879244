"""A run folder in which the controller dies at a chosen write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autolfads_trainer.store import RunFolder

WRITES = ("freeze", "give_order", "give_task", "settle", "assign", "publish", "finish", "remove")
READS = ("owner", "run", "end", "order", "task", "outcome", "status", "assignment")


class Killed(BaseException):
    """The controller is no more: no `except` of its own can hear this."""


class CountingFolder(RunFolder):
    """Notes every read and write that a controller asks for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: list[str] = []
        for name in (*READS, *WRITES):
            setattr(self, name, self._noted(name, getattr(self, name)))

    def _noted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            self.calls.append(name)
            result = call(*arguments)
            self.after(name)
            return result

        return noted

    def after(self, name: str) -> None:
        """Called after each of them."""

    @property
    def reads(self) -> int:
        """Return the number of reads so far."""
        return sum(name in READS for name in self.calls)

    @property
    def writes(self) -> int:
        """Return the number of writes so far."""
        return sum(name in WRITES for name in self.calls)


class BreakingFolder(CountingFolder):
    """Raises `Killed` once the n-th write is done: on disk that is also "before the next one"."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self.at = at

    def after(self, name: str) -> None:
        """Die after the write."""
        if name in WRITES and self.writes == self.at:
            raise Killed(name)
