"""Each kind of disk fault in each kind of file, in real runs: `python tests/soak/disks.py`.

Prints what was tried, what was met and what it cost; exits with 1 where a generation was lost or a
decision was different. About half an hour on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "faults"), str(TESTS / "unit")]

from disk_kinds import FAULTS, FEW_TIMES, FILES, HANGS, rules_for, unmet  # noqa: E402
from disk_runs import a_run, troubles  # noqa: E402
from mounts import Volume, mounted  # noqa: E402

STALLED = {"autolfads_operator.controller.steady.STALLED": 0.4}


LATE = 3.0  # seconds after which one mount sees the other's names


@dataclass
class Line:
    """A line of the table: one kind of fault, for one kind of file."""

    fault: str
    file: str
    tried: int = 0
    met: int = 0
    lost: int = 0
    different: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether the fault was met, and did no harm."""
        return not (self.lost or self.different or self.problems)

    def __str__(self) -> str:
        numbers = f"{self.tried:6d} {self.met:6d} {self.lost:6d} {self.different:10d}"
        return f"{self.fault:34s} {self.file:18s} {numbers}"


HEAD = f"{'fault':34s} {'file':18s} {'tried':>6s} {'met':>6s} {'lost':>6s} {'different':>10s}"


def combinations(only: str) -> Iterator[Line]:
    """Give a line for each fault that can be in each kind of file."""
    for fault in FAULTS:
        for file in FILES:
            if only in f"{fault}: {file}" and rules_for(fault, file):
                yield Line(fault, file)


def try_it(line: Line, volume: Volume, name: str, scratch: Path) -> None:
    """Run once with the fault, and note what came of it."""
    rules = rules_for(line.fault, line.file, FEW_TIMES.get(line.file))
    volume.faults(rules)
    constants = STALLED if line.fault == HANGS else {}
    line.tried += 1
    try:
        with a_run(scratch / name, volume.source / name, volume.path / name) as run:
            came = run.came(run.finish(save_every=0.3, constants=constants))
        line.met += sum(volume.hits())
        line.problems += [f"never met: {rule}" for rule in unmet(volume, rules)]
        words = FAULTS[line.fault].words
        told = [text for text in troubles(came.said) if text.startswith("waiting")]
        line.problems += [f"said: {text}" for text in told if words is None or words not in text]
        line.lost += len(came.lost)
        line.different += len(came.different)
        if not came.well:
            line.problems.append(f"{came.different} {came.lost}\n{came.said}")
    except AssertionError as error:
        line.different += 1
        line.problems.append(str(error))
    finally:
        volume.clear()


def try_late_names(line: Line, place: Path) -> None:
    """Run once through two mounts, of which one or both see names late: there are no rules."""
    late = {"commands": (LATE, 0.0), "workers": (0.0, LATE), "both": (LATE, LATE)}[line.file]
    source = place / "source"
    source.mkdir(parents=True)
    line.tried += 1
    with (
        mounted(source, place / "a", see_late=late[0]) as one,
        mounted(source, place / "b", see_late=late[1]) as other,
        a_run(place / "run", source / "run", one.path / "run") as run,
    ):
        try:
            came = run.came(run.finish(worker_roots=[str(other.path / "run")]))
        except AssertionError as error:
            line.different += 1
            line.problems.append(str(error))
        else:
            line.lost, line.different = line.lost + len(came.lost), len(came.different)
            line.problems += [] if came.well else [f"{came.different} {came.lost}\n{came.said}"]


def show(line: Line) -> None:
    """Print a line, and what was wrong."""
    print(line, flush=True)
    for problem in line.problems:
        print(f"    {problem}", flush=True)


def main() -> None:
    """Try all, some rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="", help='a part of "fault: file"')
    given = parser.parse_args()

    lines = list(combinations(given.only))
    began = time.monotonic()
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="autolfads-disks-") as name:
        scratch = Path(name)
        (scratch / "source").mkdir()
        with mounted(scratch / "source", scratch / "volume") as volume:
            for number, line in enumerate(list(lines)):
                for again in range(given.rounds):
                    try_it(line, volume, f"run-{number}-{again}", scratch)
                show(line)
        for place in ("commands", "workers", "both"):
            line = Line(f"names are seen {LATE:.0f} s late by", place)
            if given.only in f"{line.fault}: {line.file}":
                lines.append(line)
                try_late_names(line, scratch / place)
                show(line)
    tried, met = sum(line.tried for line in lines), sum(line.met for line in lines)
    lost, different = sum(line.lost for line in lines), sum(line.different for line in lines)
    print(
        f"{len(lines)} kinds of fault in a file: {tried} runs, {met} calls failed, {lost} lost "
        f"generations, {different} different decisions, {time.monotonic() - began:.0f} s"
    )
    sys.exit(0 if lines and all(line.well for line in lines) else 1)


if __name__ == "__main__":
    main()
