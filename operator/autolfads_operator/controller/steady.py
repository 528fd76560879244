"""Turns that a bad disk cannot stop: one that fails is taken again, and none blocks the loop."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autolfads_trainer.disk_errors import LATE, NotVisibleYetError, in_words, may_pass

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds between turns that fail
STALLED = 20.0  # seconds after which a turn that has not come back is told
STALL = "the volume does not answer"
MOST_TOLD = 20  # troubles that are kept in mind: who writes new words each time fills no memory
CALM = 6.0  # seconds without trouble after which it is over: workers look again every 5 s


@dataclass
class SteadyTurns:
    """Takes turns in a thread of its own, so that a hung mount blocks that thread and not a loop.

    Attributes:
        turn: takes one turn, returns whether the run is over; taken again after an `OSError` that
            can pass.
        say: told a trouble in plain words, once, and None when it has been over for a while or
            the run ends.
        heard: returns the trouble that workers tell of, who may meet one that a turn does not.
        done: called in the turns' own thread when a turn has come back, for who waits elsewhere.
    """

    turn: Callable[[], bool]
    say: Callable[[str | None], None]
    heard: Callable[[], str | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    done: Callable[[], None] = lambda: None
    _told: set[str] = field(default_factory=set)  # in the trouble that is not over
    _calm_since: float | None = None
    _asked: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    _answers: queue.SimpleQueue[bool | Exception] = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None
    _since: float | None = None  # when the turn in progress began
    _next: float = 0.0
    _wait: float = FIRST_WAIT
    _late_since: float | None = None

    def step(self, seconds: float) -> bool | None:
        """Wait at most `seconds` for a turn; return whether the run is over.

        None: no turn has ended: it hangs, or failed and is taken again later. Other errors than
        those of a disk that can pass are raised.
        """
        if self._since is None:
            if (wait := self._next - self.clock()) > 0:
                time.sleep(min(seconds, wait))
                return None
            self._begin()
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._tell_stall()
            return None
        self._since = None
        if isinstance(answer, OSError) and may_pass(answer):
            self._put_off(answer)
            return None
        if isinstance(answer, Exception):
            raise answer
        self._wait, self._late_since = FIRST_WAIT, None
        if not answer and (words := self.heard()) is not None:
            self._tell(words)
        else:
            self._tell_calm(CALM if not answer else 0.0)
        return answer

    def end(self) -> None:
        """Let the thread end, when the turn that it takes has come back. No step after this."""
        self._asked.put(False)

    @property
    def in_progress(self) -> bool:
        """Whether a turn is being taken: then what it changes is not to be read."""
        return self._since is not None

    @property
    def is_stalled(self) -> bool:
        """Whether the turn that is being taken has not come back for long."""
        return self._since is not None and self.clock() - self._since >= STALLED

    @property
    def in_trouble(self) -> bool:
        """Whether a trouble was told and not its end."""
        return bool(self._told)

    def _begin(self) -> None:
        if self._thread is None:
            # A daemon: a process must be able to end although a mount never answers.
            self._thread = threading.Thread(target=self._take_turns, daemon=True, name="turns")
            self._thread.start()
        self._since = self.clock()
        self._asked.put(True)

    def _take_turns(self) -> None:
        while self._asked.get():
            try:
                self._answers.put(self.turn())
            except Exception as error:
                self._answers.put(error)
            self.done()

    def _tell_stall(self) -> None:
        if self.is_stalled:
            self._tell(STALL)

    def _put_off(self, error: OSError) -> None:
        now = self.clock()
        self._next = now + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        if isinstance(error, NotVisibleYetError):  # what shared volumes do every day
            self._late_since = self._late_since if self._late_since is not None else now
            if now - self._late_since < LATE:
                return
        self._tell(in_words(error))

    def _tell(self, words: str) -> None:
        self._calm_since = None
        if words not in self._told:
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            self._told.add(words)
            self.say(words)

    def _tell_calm(self, enough: float) -> None:
        now = self.clock()
        self._calm_since = self._calm_since if self._calm_since is not None else now
        if self._told and now - self._calm_since >= enough:
            self._told.clear()
            self.say(None)
