"""Removing from a disk that refuses: one file that cannot be removed keeps no other from going."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from autolfads_trainer.disk_errors import in_words, may_pass
from autolfads_trainer.records import MOST_REFUSED
from autolfads_trainer.store import RunFolder

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds between tries

T = TypeVar("T")


@dataclass
class _Refusal:
    call: Callable[[], object]
    trouble: str
    wait: float
    next: float


@dataclass
class Removals:
    """Removes and lists, remembers what the disk refused, and comes back to it.

    Errors of a disk that cannot pass are raised.
    """

    folder: RunFolder
    clock: Callable[[], float] = time.monotonic
    _refused: dict[str, _Refusal] = field(default_factory=dict)

    @property
    def refused(self) -> list[str]:
        """What the disk refuses to remove or to list, as paths below the run directory."""
        return sorted(self._refused)

    @property
    def trouble(self) -> str | None:
        """What the disk says, in plain words; None: it refuses nothing."""
        return next((refusal.trouble for refusal in self._refused.values()), None)

    @property
    def too_many(self) -> bool:
        """Whether more is left than the run's disk use has room for, so that nothing may be added.

        It has room for a few checkpoints; not for the results of an export that failed, nor for
        what is in a folder that cannot be listed.
        """
        large = any(name.startswith("export/") or name.endswith("/") for name in self._refused)
        return large or len(self._refused) > MOST_REFUSED

    def remove(self, relative: str) -> bool:
        """Remove a file or a folder; return whether it is gone, or goes when the disk lets it.

        It is not (False) when somebody still writes into it.
        """
        return self._asked(relative, lambda: self.folder.remove(relative), otherwise=True)

    def contents(self, relative: str | None = None) -> list[str] | None:
        """Return the names in a folder; None: the disk refuses, and is to be asked again later."""
        place = "./" if relative is None else f"{relative}/"
        return self._asked(place, lambda: self.folder.contents(relative), otherwise=None)

    def try_again(self) -> None:
        """Ask again for what was refused, if it is time to."""
        for place, refusal in list(self._refused.items()):
            if self._asked(place, refusal.call, otherwise=None) is False:
                self._refused[place] = refusal  # somebody writes into what was said to be gone

    def _asked(self, place: str, call: Callable[[], T], otherwise: T) -> T:
        before = self._refused.get(place)
        if before is not None and self.clock() < before.next:
            return otherwise
        try:
            answer = call()
        except OSError as error:
            if not may_pass(error):
                raise
            wait = FIRST_WAIT if before is None else min(2 * before.wait, LONGEST_WAIT)
            self._refused[place] = _Refusal(call, in_words(error), wait, self.clock() + wait)
            return otherwise
        self._refused.pop(place, None)
        return answer
