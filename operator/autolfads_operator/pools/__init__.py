"""Where workers run: processes on this machine, or pods."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Pool(Protocol):
    """Workers, each one life of one process, named by its life."""

    def want(self, count: int) -> None:
        """Ask for `count` workers; the pool may give fewer. Called in every turn."""

    def drop(self, life: str) -> None:
        """End a life that shows no sign of itself. Does not wait for it."""

    def lives(self) -> list[str]:
        """Return the lives that run now, oldest first. One that is missing will never come back."""

    def vouches_for(self, life: str) -> bool:
        """Whether this pool would list `life` if it lived.

        A worker of another pool (of a controller before this one, or beside it) may live although
        it is not listed: then its signs decide.
        """

    def leaving(self) -> Collection[str]:
        """Return those of the lives that were told to leave: they get nothing new to do."""
