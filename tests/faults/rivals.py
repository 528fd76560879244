"""Two controllers on one folder, of which one stops before it creates something: real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from deaths import Came, came_of
from house import House, a_house, calm, forge, wait_for

FAST, SLOW = (3.0, 1e6), (0.8, 0.0)  # clocks: (rate, offset in seconds)
# Workers that wait speak every second, and one that begins says nothing for a while: all the time
# somebody's worker is taken for dead, and that must not decide anything.
HASTY = {"stranger_silent_after": 0.3}
LINK = {"role": "controller", "call": "link", "moment": "before"}


def links() -> int:
    """Return how many exclusive creations a controller makes in a calm run."""
    counts = calm()[1]
    return sum(n for point, n in counts.items() if LINK.items() <= point._asdict().items())


def two_at_once(place: Path, nth: int, *, until_the_end: bool) -> Came:
    """Stop a controller before its `nth` exclusive creation, and let another one go on.

    The first comes back when the other is at the end, or has made one more generation. Both must
    end by themselves.
    """
    with a_house(place) as house:
        first = house.start(at=LINK, nth=nth, then="stop", clock=FAST, vitals=HASTY)
        if house.wait_until_struck(first) is None:
            return came_of(house, struck=False)
        ahead = _orders(house) + 3
        second = house.start(clock=SLOW, vitals=HASTY)
        if until_the_end:
            assert house.wait(second) == 0, house.said()
        else:
            wait_for(
                lambda: _orders(house) >= ahead or forge().ask(code_of=second) is not None,
                f"the other controller does not get on: {house.said()}",
            )
        os.kill(first, signal.SIGCONT)
        for controller in (first, second):
            assert house.wait(controller) == 0, house.said()
        return came_of(house)


def _orders(house: House) -> int:
    return len(list(house.root.glob("members/*/gen-*/order.json")))
