"""Deaths by the hundred: at every point of every process, and at random moments.

.venv/bin/python tests/soak/kills.py --kills 500 --rounds 2
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "faults")]

from deaths import came_of, death_at, every_point, ways  # noqa: E402
from house import (  # noqa: E402
    ASYNCHRONOUS,
    PATIENCE_SECONDS,
    SYNCHRONOUS,
    House,
    a_house,
    calm,
    forge,
)
from results import Table  # noqa: E402

ASYNCHRONOUS_EACH = 4  # one in so many runs with random kills
VICTIMS = ("controller", "worker", "everything")
KILLS_IN_A_RUN = 8  # ten workers lost in a row with nothing saved would end the run, as it should


def at_every_point(
    table: Table, place: Path, rounds: int, chance: random.Random, mode: str
) -> None:
    """Die at each point: first when it is reached first, then another time and in another way."""
    counts = calm(mode=mode)[1]
    for number, point in enumerate(every_point(mode)):
        for way in range(min(rounds, len(ways(point)))):
            # Less often than in the calm run, since nobody comes as often to it in each run.
            nth = 1 if way == 0 else chance.randint(1, max(1, counts[point] // 3))
            words = f"{point} time {nth}, way {(number + way) % len(ways(point))}"
            fault = f"{point.role} dies at one of its points, {mode}"
            try:
                came = death_at(
                    point, place / f"{number}-{way}", way=number + way, nth=nth, mode=mode
                )
            except (AssertionError, OSError) as error:
                table.note_error(fault, f"{words}: {error}")
                continue
            table.note(
                fault, struck=came.struck, lost=came.lost, different=came.different, words=words
            )


def at_random_moments(table: Table, place: Path, kills: int, chance: random.Random) -> None:
    """Kill a controller, a worker, or all of them, again and again."""
    done = number = 0
    while done < kills:
        number += 1
        mode = ASYNCHRONOUS if number % ASYNCHRONOUS_EACH == 0 else SYNCHRONOUS
        with a_house(place / f"run-{number}", mode=mode) as house:
            killed = _disturbed(house, chance)
            came = came_of(house)
        done += len(killed)
        for index, victim in enumerate(killed):
            table.note(
                f"SIGKILL of {victim} at a random moment, {mode}",
                struck=True,
                lost=came.lost if index == 0 else 0,
                different=came.different if index == 0 else [],
                words=f"run {number}, killed: {killed}",
            )


def _disturbed(house: House, chance: random.Random) -> list[str]:
    """Run to the end in spite of kills; return who was killed."""
    killed: list[str] = []
    controller = _start(house, chance)
    until = time.monotonic() + PATIENCE_SECONDS
    while (code := forge().ask(code_of=controller)) != 0:
        assert code in (None, -signal.SIGKILL), house.said()
        assert time.monotonic() < until, f"the run hangs: {house.said()}"
        if code is not None:
            controller = _start(house, chance)
        time.sleep(chance.uniform(0.0, 0.4))
        if len(killed) < KILLS_IN_A_RUN and (victim := _kill(house, controller, chance)):
            killed.append(victim)
    return killed


def _start(house: House, chance: random.Random) -> int:
    return house.start(save_every=0.0, leaves_with_parent=chance.random() < 0.5)


def _kill(house: House, controller: int, chance: random.Random) -> str | None:
    victim = chance.choice(VICTIMS)
    workers = [process for process in house.living() if process != controller]
    chosen = {
        "controller": [controller],
        "worker": workers and [chance.choice(workers)],
        "everything": [controller, *workers],
    }[victim]
    alive = [process for process in chosen if process in house.living()]
    for process in alive:
        os.kill(process, signal.SIGKILL)
    return victim if alive else None


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="at random moments")
    parser.add_argument("--rounds", type=int, default=2, help="at each point; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    table = Table()
    with tempfile.TemporaryDirectory(prefix="autolfads-kills-") as folder:
        for mode in (SYNCHRONOUS, ASYNCHRONOUS):
            at_every_point(table, Path(folder) / mode, given.rounds, chance, mode)
        at_random_moments(table, Path(folder) / "random", given.kills, chance)
    table.show()


if __name__ == "__main__":
    main()
