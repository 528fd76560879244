"""How long a run will still take, from how fast it went while it was watched."""

from __future__ import annotations

from dataclasses import dataclass, field

from autolfads_operator.view.picture import Picture

SHORTEST = 3.0  # seconds of training before a guess is worth showing


@dataclass
class Pace:
    """Watches the epochs go by."""

    _first: tuple[float, float] | None = field(default=None)

    def seconds_left(self, now: float, picture: Picture) -> float | None:
        """Return the seconds until the last epoch, or None while that cannot be told.

        It is the most it can take: a run that stops improving ends earlier.
        """
        if picture.state != "training":
            return None
        if self._first is None:
            self._first = (now, picture.epochs_done)
        since, before = self._first
        gone, done = now - since, picture.epochs_done - before
        if gone < SHORTEST or done <= 0:
            return None
        return gone / done * (picture.epochs_in_all - picture.epochs_done)


def duration(seconds: float) -> str:
    """Return a duration as people say it: `42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
