"""Waiting for a disk that fails for a while: nothing finished is lost for want of a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from autolfads_trainer.disk_errors import LATE, NotVisibleYetError, in_words, may_pass

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds
SEEN_WITHIN = 90.0  # seconds; NFS and EFS remember a missing name for up to a minute

T = TypeVar("T")
U = TypeVar("U")


class _NotYet:
    """The disk did not let it be done."""


@dataclass
class Patience:
    """Calls again and again what a disk refuses.

    Attributes:
        say: told the trouble in plain words, once, and None when it is over.
        stop: called while waiting; raises to end it.
    """

    say: Callable[[str | None], None]
    stop: Callable[[], None]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    trouble: str | None = None
    _late_since: float | None = None
    _refused: int = 0  # how often the disk did not let something be done

    def __call__(self, call: Callable[[], T]) -> T:
        """Return `call()`, as soon as the disk lets it. Other errors are raised."""
        wait = FIRST_WAIT
        while isinstance(result := self.once(call, _NotYet()), _NotYet):
            self._wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        return result

    def once(self, call: Callable[[], T], otherwise: U) -> T | U:
        """Return `call()`, or `otherwise` where the disk does not let it: the caller comes again.

        Other errors are raised.
        """
        try:
            result = call()
        except OSError as error:
            if not may_pass(error):
                raise
            self.note(error)
            return otherwise
        self.over()
        return result

    def announced(self, call: Callable[[], T | None]) -> T | None:
        """Return `call()` of a name that another file has announced.

        It may be seen late, so a missing one is looked for again, slowly, for a minute and a half
        in which the disk works. Returns None if it is still missing then.
        """
        until = self.clock() + SEEN_WITHIN
        wait = FIRST_WAIT
        while True:
            refused = self._refused
            try:
                result = self(call)
            except FileNotFoundError:
                result = None
            if self._refused != refused:
                until = self.clock() + SEEN_WITHIN
            if result is not None or self.clock() >= until:
                return result
            self._wait(wait)
            wait = min(2 * wait, 1.0)

    def note(self, error: OSError) -> None:
        """Tell of a trouble, unless it was told last, or is a name that is merely seen late."""
        if isinstance(error, NotVisibleYetError):
            now = self.clock()
            self._late_since = now if self._late_since is None else self._late_since
            if now - self._late_since < LATE:
                return
        else:
            self._refused += 1
        words = in_words(error)
        if words != self.trouble:
            self.trouble = words
            self.say(words)

    def over(self) -> None:
        """Tell that the disk works again, if it did not."""
        self._late_since = None
        if self.trouble is not None:
            self.trouble = None
            self.say(None)

    def _wait(self, seconds: float) -> None:
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0:
            self.stop()
            self.sleep(min(left, 0.1))
        self.stop()
