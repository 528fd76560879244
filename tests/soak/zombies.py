"""Workers that come back from the dead, two controllers at once, damage: each in all of its forms.

.venv/bin/python tests/soak/zombies.py --returns 200
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "faults")]

from damage import PLACES, WAYS, damaged  # noqa: E402
from deaths import Came, came_of, every_point  # noqa: E402
from house import a_house, calm  # noqa: E402
from results import Table  # noqa: E402
from returns import comes_back  # noqa: E402
from rivals import links, two_at_once  # noqa: E402

GIVEN, WHEN = ("gone", "gone", "gone", "silent"), ("given up", "after the end")
IN_A_TASK = ("outcome of ", "checkpoint", "metrics", "results/", "training", "folder results")


def returns(table: Table, place: Path, number: int, chance: random.Random) -> None:
    """Let workers come back: at each exclusive creation and save, and in the midst of training."""
    counts = calm()[1]
    points = [
        point
        for point in every_point()
        if point.role == "worker" and point.kind.startswith(IN_A_TASK)
    ]
    for index in range(number):
        point = points[index % len(points)]
        # Two workers share these calls, and each counts its own.
        nth = chance.randint(1, max(1, counts[point] // 3))
        given, when = chance.choice(GIVEN), chance.choice(WHEN)
        _try(
            table,
            f"worker comes back after it was given up ({given})",
            f"{point} time {nth}, {given}, back {when}",
            lambda p=point, i=index, n=nth, g=given, w=when: comes_back(  # type: ignore[misc]
                place / f"{i}",
                {"call": p.call, "kind": p.kind, "moment": p.moment},
                nth=n,
                given=g,
                when=w,
            ),
        )


def rivals(table: Table, place: Path) -> None:
    """Stop a controller before each exclusive creation while another goes on."""
    for nth, to_the_end in product(range(1, links() + 1), (True, False)):
        back = "at the end" if to_the_end else "a generation later"
        _try(
            table,
            f"controller sleeps before an exclusive creation, back {back}",
            f"creation {nth}, back {back}",
            lambda n=nth, e=to_the_end: two_at_once(  # type: ignore[misc]
                place / f"{n}-{e}", n, until_the_end=e
            ),
        )


def damages(table: Table, place: Path) -> None:
    """Damage each checkpoint that a run needs in each way."""
    for what, way in product(PLACES, WAYS):
        _try(
            table,
            f"checkpoint is {way}",
            f"{what} is {way}",
            lambda t=what, w=way: damaged(place / f"{t}-{w}", t, w)[0],  # type: ignore[misc]
        )


def leaves(table: Table, place: Path, number: int, chance: random.Random) -> None:
    """Tell a worker to leave after a random step."""
    for index in range(number):
        with a_house(place / str(index)) as house:

            def leave(nth: int = chance.randint(1, 13)) -> Came:
                at = {"role": "worker", "call": "step", "moment": "before"}
                house.finish(at=at, nth=nth, then="leave")
                return came_of(house, struck=house.struck is not None)

            _try(table, "worker is told to leave after a random step", f"leave {index}", leave)


def _try(table: Table, fault: str, words: str, do: Callable[[], Came]) -> None:
    try:
        came = do()
    except (AssertionError, OSError, ValueError) as error:
        table.note_error(fault, f"{words}: {error}")
        return
    table.note(fault, struck=came.struck, lost=came.lost, different=came.different, words=words)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--returns", type=int, default=200)
    parser.add_argument("--leaves", type=int, default=50)
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--no-damage", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    table = Table()
    with tempfile.TemporaryDirectory(prefix="autolfads-zombies-") as folder:
        place = Path(folder)
        returns(table, place / "returns", given.returns, chance)
        if not given.no_rivals:
            rivals(table, place / "rivals")
        if not given.no_damage:
            damages(table, place / "damage")
        leaves(table, place / "leaves", given.leaves, chance)
    table.show()


if __name__ == "__main__":
    main()
