"""What a number may be."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """What a number may be; `None` is no bound."""

    lowest: float | None = None
    highest: float | None = None
    lowest_included: bool = True
    highest_included: bool = True

    def hold(self, value: float) -> bool:
        """Return whether `value` lies within; NaN never does."""
        if not math.isfinite(value):
            return False
        if self.lowest is not None and (
            value < self.lowest or (value == self.lowest and not self.lowest_included)
        ):
            return False
        return self.highest is None or (
            value < self.highest or (value == self.highest and self.highest_included)
        )

    def __str__(self) -> str:
        words = []
        if self.lowest is not None:
            words.append(
                ("of at least " if self.lowest_included else "above ") + _plain(self.lowest)
            )
        if self.highest is not None:
            words.append(("at most " if self.highest_included else "below ") + _plain(self.highest))
        return " and ".join(words)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


ANY = Bounds()
RATE = Bounds(0.0, 1.0, highest_included=False)
SCALE = Bounds(0.0)
POSITIVE = Bounds(0.0, lowest_included=False)
