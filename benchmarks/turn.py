"""Milliseconds of a controller's turn after a thousand generations: `turn.py`

A real controller on a real folder; the training is played: the workers live in this process, keep
the run directory's rules, and end each generation at once. Measured are the turns alone, those that
give out a generation and those that only look, at the beginning of the run and at its end.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))

from ledger_examples import Mini, without_syncing
from played_pool import Play, PlayedPool, controller_for


def score(member: int, generation: int, _attempt: int) -> Play:
    """Scores that go on improving, and leave every member a chance."""
    return 1 / generation + 0.001 * ((member * 7 + generation) % 11)


def main() -> None:
    """Play a run and print what its turns take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--population", type=int, default=32)
    parser.add_argument("--generations", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--mode", default="synchronous", choices=["synchronous", "asynchronous"])
    arguments = parser.parse_args()
    mini = Mini(
        population=arguments.population,
        generations=arguments.generations,
        burn_in=1,
        interval=1,
        mode=arguments.mode,
    )
    times: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        pool = PlayedPool(Path(scratch), mini, arguments.workers, score)
        controller = controller_for(Path(scratch), pool)
        over = False
        while not over:
            began = time.perf_counter()
            over = controller.turn()
            seconds = time.perf_counter() - began
            times.setdefault(controller.ledger.generation, []).append(1000 * seconds)
            with without_syncing():  # what the workers write is not measured
                pool.step()
        began = time.perf_counter()
        controller_for(Path(scratch), pool)
        start = time.perf_counter() - began
    print(f"{mini.population} members, {arguments.workers} workers, {arguments.mode}")
    last = max(times)
    for name, first, end in (("first", 2, 52), ("last", last - 50, last)):
        some = [t for generation in range(first, end) for t in times.get(generation, [])]
        print(
            f"turns of the {name} 50 generations: median {statistics.median(some):.1f} ms, "
            f"worst {max(some):.1f} ms ({len(some)} turns)"
        )
    every = [t for found in times.values() for t in found]
    over_50 = sum(t > 50 for t in every)
    print(
        f"all turns: median {statistics.median(every):.1f} ms, worst {max(every):.1f} ms, "
        f"{over_50} of {len(every)} above 50 ms"
    )
    print(f"a new controller reads all of it in {start:.1f} s")


if __name__ == "__main__":
    main()
