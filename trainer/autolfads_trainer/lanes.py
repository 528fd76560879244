"""The lanes of a worker: one process that trains several members at once counts as several.

Each lane has a name, an assignment and a status of its own. To a controller it is one worker more;
only where processes are begun, counted or ended does it matter that lanes share one. The first lane
has the name of the process.
"""

from __future__ import annotations

import math
import re

MOST_AT_ONCE = 32  # members that a worker trains side by side without being told to

_LANE = re.compile(r"-lane([1-9][0-9]{0,3})\Z")


def lane_of(process: str, number: int) -> str:
    """Return the name of a lane, counted from 0."""
    return f"{process}-lane{number}" if number else process


def process_of(life: str) -> str:
    """Return the process that a lane is of."""
    return _LANE.sub("", life)


def leads(life: str) -> bool:
    """Whether a lane is the first of its process, and does what is done once for all of them."""
    return number_of(life) == 0


def share_of(population: int, workers: int) -> int:
    """Return how many members each of the `workers` is to train side by side."""
    return max(1, min(MOST_AT_ONCE, math.ceil(population / workers)))


def number_of(life: str) -> int:
    """Return which of its process's lanes it is, counted from 0."""
    found = _LANE.search(life)
    return int(found.group(1)) if found else 0
