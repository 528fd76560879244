"""Where the time of a whole run goes: run.py

A real run on this machine, on the Lorenz problem. From its records: how long workers were at work
on members, and how long they waited for one another, for orders, and for start and end. And what
they did while at work, from one member with the same settings in this process: steps, validation,
saving. The rest of that time is reading the data and making the member.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import yardstick
from handover import handovers

from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.training.member import Leg, Member

MANIFEST = """
apiVersion: autolfads.io/v1alpha1
kind: AutoLFADSRun
metadata: {{name: run}}
spec:
  data: {{generate: {{problem: lorenz, seed: 0, conditions: {conditions}, trials: 20}}}}
  population: {population}
  seed: 0
  pbt: {{burnInEpochs: {epochs}, generationEpochs: {epochs}, maxEpochs: {most}, patience: 1000}}
"""


def run(arguments: Any, root: Path) -> float:
    """Make the run; return its seconds."""
    manifest = root / "run.yaml"
    manifest.write_text(
        MANIFEST.format(
            conditions=arguments.conditions,
            population=arguments.population,
            epochs=arguments.epochs,
            most=arguments.epochs * arguments.generations,
        )
    )
    command = [sys.executable, "-m", "autolfads_operator.cli", "run", str(manifest)]
    command += ["--out", str(root / "out"), "--workers", str(arguments.workers)]
    command += ["--threads", str(arguments.threads), "--device", arguments.device]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def at_work(root: Path) -> float:
    """Return the seconds that workers were at work on members, all together."""
    outcomes = root.glob("members/*/gen-*/attempt-*/outcome.json")
    return sum(json.loads(path.read_text())["seconds"] for path in outcomes)


def parts(root: Path, arguments: Any) -> dict[str, float]:
    """Return the seconds of a member's generation by what it does, measured in this process."""
    record = json.loads((root / "run.json").read_text())
    device = torch.device(arguments.device)
    path = next(path for path in root.rglob("*.h5") if path.parent.name != "results")
    data = Dataset.of([read_recording(path)], device)
    leg = Leg(0, generation=1, start_epoch=0, epochs=1)
    member = Member(record["configuration"], data, leg, 0, "valid/recon_smth")
    member.train(lambda _: False)  # warms up
    spent = dict.fromkeys(("steps", "validation", "saving"), 0.0)

    def timed(name: str, call: Any) -> None:
        began = time.perf_counter()
        call()
        yardstick.wait(device)
        spent[name] += time.perf_counter() - began

    for _ in range(member.drawer.steps_per_epoch):
        timed("steps", member.take_step)
    timed("validation", lambda: member.end_epoch(member.trained(), member.validated()))
    spent = {name: seconds * arguments.epochs for name, seconds in spent.items()}
    timed("saving", lambda: member.save(root.parent / "member.ckpt"))
    return spent


def main() -> None:
    """Measure, print, and write."""
    parser = yardstick.options(__doc__)
    yardstick.add_counts(
        parser,
        {
            "--population": (4, "members"),
            "--generations": (3, "of the run"),
            "--epochs": (5, "of a generation"),
            "--conditions": (16, "of the problem; 16 of 20 trials of each train"),
            "--workers": (2, "that train them"),
        },
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        run_s = run(arguments, root)
        work_s = at_work(root / "out")
        hand_over_s = sum(handovers(root / "out", arguments.generations, arguments.workers))
        legs = arguments.population * arguments.generations
        spent = {name: legs * each for name, each in parts(root / "out", arguments).items()}
    found = {
        "device": yardstick.name_of(torch.device(arguments.device)),
        "population": arguments.population,
        "workers": arguments.workers,
        "run_s": run_s,
        "workers_s": arguments.workers * run_s,
        "at_work_s": work_s,
        **{f"{name}_s": seconds for name, seconds in spent.items()},
        "rest_of_work_s": work_s - sum(spent.values()),
        "not_at_work_s": arguments.workers * run_s - work_s,
        "of_it_hand_over_s": arguments.workers * hand_over_s,
    }
    yardstick.tell(found, arguments.json)


if __name__ == "__main__":
    main()
