"""What is left of workers that are over, and of controllers that were killed before this one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from autolfads_operator.controller.observe import last_words
from autolfads_operator.controller.removals import Removals
from autolfads_trainer.lanes import leads
from autolfads_trainer.places import is_temporary
from autolfads_trainer.store import RunFolder

LOGS_KEPT = 8  # of workers that are over, the newest


@dataclass
class _Stranger:
    """A worker of a controller before this one, as it was when it was first looked at."""

    life: str
    words: int
    at: float


@dataclass
class Leavings:
    """Removes the files of workers that are over, a few in each turn; the last logs are kept.

    Attributes:
        silent_after: seconds without a sign after which a worker of an earlier controller is over,
            and nobody finishes what is half-made.
    """

    folder: RunFolder
    removals: Removals
    ours: Callable[[str], bool]
    silent_after: float
    _begun: float | None = None
    _half_made: list[str] = field(default_factory=list)  # in the run's own folder
    _unread: deque[str] = field(default_factory=deque)
    _strangers: deque[_Stranger] = field(default_factory=deque)
    _over: list[str] = field(default_factory=list)
    _files: deque[str] = field(default_factory=deque)  # of those that are over
    _gone: deque[str] = field(default_factory=deque)  # of whom the log is left

    def over(self, lives: list[str]) -> None:
        """Note lives that are over: what they left behind can go."""
        self._over.extend(lives)

    def tidy(self, in_use: set[str], now: float, until: float) -> bool:
        """Go on removing; return whether all that can go now is gone.

        Takes one step at least, and the next until `until` (on `time.perf_counter`).
        """
        if self._begun is None and not self._look_around(now):
            return False
        while self._step(in_use, now):
            if time.perf_counter() > until:
                return False
        return True

    def _look_around(self, now: float) -> bool:
        """Note once what was there when this controller began."""
        workers, own = self.removals.contents("workers"), self.removals.contents()
        if workers is None or own is None:
            return False
        lives = {name.split(".", 1)[0] for name in workers} - {""}
        self._unread.extend(sorted(life for life in lives if not self.ours(life)))
        self._half_made = [name for name in own if is_temporary(name)]
        self._begun = now
        return True

    def _step(self, in_use: set[str], now: float) -> bool:
        """Do one thing; return whether there may be another."""
        if self._unread:
            life = self._unread[0]
            self._strangers.append(_Stranger(life, self._words(life), now))
            self._unread.popleft()
        elif self._strangers and now - self._strangers[0].at > self.silent_after:
            stranger = self._strangers[0]
            silent = self._words(stranger.life) == stranger.words
            self._strangers.popleft()
            if silent and stranger.life not in in_use:
                self._over.append(stranger.life)
        elif self._files:
            self.removals.remove(self._files.popleft())
        elif self._over:
            return self._list_what_is_left()
        elif self._half_made and self._begun is not None and now - self._begun > self.silent_after:
            self.removals.remove(self._half_made.pop())
        else:
            return False
        return True

    def _words(self, life: str) -> int:
        """Return a number for what a worker says: there can be thousands, and each says a lot."""
        return hash(repr(last_words(self.folder, life)))

    def _list_what_is_left(self) -> bool:
        """Look once for the files of all that are over; return whether that could be done."""
        names = self.removals.contents("workers")
        if names is None:
            return False
        half_made = [name for name in names if is_temporary(name)]
        for life in self._over:
            of_it = [name for name in half_made if life in name]
            files = (f"{life}.json", f"{life}.status.json", *of_it)
            self._files.extend(f"workers/{name}" for name in files)
            if leads(life):  # its lanes write into one log
                self._gone.append(life)
            if len(self._gone) > LOGS_KEPT:
                self._files.append(f"workers/{self._gone.popleft()}.log")
        self._over.clear()
        return True
