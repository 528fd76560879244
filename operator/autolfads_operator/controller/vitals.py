"""Who is alive: judged by a counter that moves, and by this controller's own clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from autolfads_trainer.records import WorkerStatus

SILENT = 300.0  # seconds; a worker speaks after every step, and while it waits
STRANGER_SILENT = 10.0  # seconds; of a worker that this controller's pool does not know, at first
FIRST_LOOK, SLOWEST_LOOK = 0.03, 1.0  # seconds between looks for a name that is not there yet


@dataclass
class _Sign:
    counter: int | None
    at: float


@dataclass
class Vitals:
    """When each life was last heard of. Nothing here enters a plan."""

    silent_after: float = SILENT
    stranger_silent_after: float = STRANGER_SILENT
    _signs: dict[str, _Sign] = field(default_factory=dict)
    _next_look: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_be_read(self, lives: Collection[str], now: float) -> list[str]:
        """Return the lives whose status is to be read now: one without any is asked for slowly."""
        return [
            life for life in lives if life not in self._next_look or self._next_look[life][0] <= now
        ]

    def hear(
        self, asked: Collection[str], statuses: Mapping[str, WorkerStatus], now: float
    ) -> None:
        """Note what was read from the lives that were asked."""
        for life in asked:
            status = statuses.get(life)
            sign = self._signs.setdefault(life, _Sign(None, now))
            if status is None:
                if sign.counter is None:  # it has never been seen
                    wait = self._next_look.get(life, (0.0, FIRST_LOOK))[1]
                    self._next_look[life] = (now + wait, min(1.5 * wait, SLOWEST_LOOK))
                continue
            self._next_look.pop(life, None)
            if sign.counter != status.counter:
                self._signs[life] = _Sign(status.counter, now)

    def silent(self, lives: Collection[str], now: float) -> list[str]:
        """Return those of our `lives` that have shown no sign for too long."""
        return self.quiet(lives, now, self.silent_after)

    def quiet(self, lives: Collection[str], now: float, seconds: float) -> list[str]:
        """Return those of our `lives` that have shown no sign for as long as that."""
        return [life for life in lives if self._silence(life, now) > seconds]

    def is_gone(self, stranger: str, now: float, before: int) -> bool:
        """Return whether somebody else's worker is taken for dead, as `before` others at its task.

        Each time waits twice as long as the time before, up to what our own are given: a step that
        takes longer than we wait is done in the end, and not begun for ever.
        """
        enough = min(self.stranger_silent_after * 2.0 ** min(before, 30), self.silent_after)
        return self._silence(stranger, now) > enough

    def _silence(self, life: str, now: float) -> float:
        return now - self._signs[life].at if life in self._signs else 0.0

    def hold(self, seconds: float) -> None:
        """Give everybody this much more time: nobody could be heard in it."""
        for sign in self._signs.values():
            sign.at += seconds

    def forget(self, lives: Collection[str]) -> None:
        """Forget lives that are over."""
        for life in lives:
            self._signs.pop(life, None)
            self._next_look.pop(life, None)
