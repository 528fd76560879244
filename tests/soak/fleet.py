"""A hundred runs at once: fleet.py [--runs 100] [--workers 16] [--generations 6]

Prints what the operator costs on a cluster that is pretended (see pretended.py): memory, processor,
requests to the API, and the time from the last outcome of a generation to the first task of the
next. Fails where memory or that time is beyond its bound.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from pretended import (
    NAMESPACE,
    PODS_OF_A_NODE,
    TICK,
    Mini,
    Stage,
    requests,
    run_named,
    staged,
    start_operator,
)

MOST_MEMORY = 250  # MiB
LONGEST_HAND_OVER = 2.0  # seconds, of 95 %


def memory(pid: int) -> tuple[float, float]:
    """Return a process's resident memory now and at its most, in MiB."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return tuple(int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def cpu(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def handovers(volume: Path) -> list[float]:
    """Return the seconds from each generation's last outcome to the first task of the next."""
    found = []
    for run in (volume / "runs" / NAMESPACE).iterdir():
        ends: dict[int, float] = {}
        begins: dict[int, float] = {}
        for path in run.glob("members/*/gen-*/attempt-*/*.json"):
            generation = int(path.parts[-3].removeprefix("gen-"))
            at = path.stat().st_mtime
            if path.name == "outcome.json":
                ends[generation] = max(ends.get(generation, 0.0), at)
            elif path.name == "task.json":
                begins[generation] = min(begins.get(generation, at), at)
        found += [begins[n + 1] - ends[n] for n in ends if n + 1 in begins]
    return sorted(found)


def measured(given: argparse.Namespace, stage: Stage, operator: subprocess.Popen[bytes]) -> int:
    """Let the runs go on to their end; print the table, and return 0 if all is within bounds."""
    plane, fleet = stage.plane, stage.fleet
    time.sleep(5)
    idle = memory(operator.pid)[0]
    began = time.monotonic()
    plane.apply(*[run_named(f"run-{number:03d}", given.workers) for number in range(given.runs)])
    over = 0
    next_look = 0.0
    while over < given.runs and time.monotonic() - began < 60 * given.minutes:
        tick = time.monotonic()
        fleet.take_news()
        fleet.step()
        if operator.poll() is not None:
            print((stage.folder / "operator.log").read_text()[-3000:])
            return 1
        if time.monotonic() > next_look:
            next_look = time.monotonic() + 10
            words = ("get", "alr", "-n", NAMESPACE, "--no-headers")
            states = [line.split()[1] for line in plane.kubectl(*words).splitlines()
                      if len(line.split()) > 1]  # fmt: skip
            over = states.count("Succeeded") + states.count("Failed")
            at = f"{time.monotonic() - began:5.0f} s"
            counts = {state: states.count(state) for state in sorted(set(states))}
            played = sum(len(run.workers) for run in fleet.runs.values())
            print(at, counts, f"{memory(operator.pid)[0]:.0f} MiB, {played} played", flush=True)
        time.sleep(max(0.0, TICK - (time.monotonic() - tick)))
    took = time.monotonic() - began
    times = handovers(stage.volume)
    calls = requests(plane)
    generations = given.runs * given.generations
    print(f"\n{given.runs} runs of {given.workers} workers, {given.generations} generations")
    print(f"runs over          {over} of {given.runs} in {took:.0f} s")
    print(f"memory             {memory(operator.pid)[1]:.0f} MiB at most ({idle:.0f} idle)")
    print(f"processor          {cpu(operator.pid) / took:.0%} of a core")
    if times:
        print(
            f"hand-over          median {times[len(times) // 2]:.2f} s, 95 % below "
            f"{times[int(0.95 * (len(times) - 1))]:.2f} s, worst {times[-1]:.2f} s "
            f"({len(times)})"
        )
    print(f"requests           {calls:.0f}: {calls / generations:.1f} per run and generation")
    good = over == given.runs and memory(operator.pid)[1] < MOST_MEMORY and bool(times)
    return 0 if good and times[int(0.95 * (len(times) - 1))] < LONGEST_HAND_OVER else 1


def main() -> int:
    """Run the fleet, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--generations", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=40, help="steps of a generation")
    parser.add_argument("--minutes", type=float, default=40, help="at most")
    given = parser.parse_args()
    nodes = -(-given.runs * (given.workers + 1) // PODS_OF_A_NODE) + 1
    mini = Mini(
        population=given.workers,
        generations=given.generations,
        burn_in=given.epochs,
        interval=given.epochs,
    )
    with staged(mini, nodes) as stage:
        operator = start_operator(stage)
        try:
            return measured(given, stage, operator)
        finally:
            operator.kill()


if __name__ == "__main__":
    sys.exit(main())
