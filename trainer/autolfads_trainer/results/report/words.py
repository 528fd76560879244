"""Values as a reader wants to see them, escaped for the page."""

from __future__ import annotations

import math
from html import escape

LONGEST = 600  # characters of any one text that is not ours


def text(value: object) -> str:
    """Return a value of unknown kind as escaped text, shortened where it is long."""
    words = str(value)
    return escape(words if len(words) <= LONGEST else words[: LONGEST - 1] + "…")


def number(value: object) -> str:
    """Return a value of the summary: four digits for a fraction, a dash for nothing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return escape(f"{value:.4g}")
    return text(value)


def duration(value: object) -> str:
    """Return seconds as a person says them: `48 s`, `5 min 30 s`, `2 h 05 min`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return number(value)
    seconds = round(value)
    if seconds < 60:
        return f"{value:.2g} s" if value < 10 else f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
