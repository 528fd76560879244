"""Seconds of a training step, by engine and reference, beside the floor: step.py --members N

The sizes are those of the yardstick "mc_maze": batch 256, 137 held-in channels of 182, 35 of 45
time steps, encoders and controller 64, generator 200, factors 100, co_dim 4, initial condition 64.
A full step: drawing, augmentation, forward, loss, backward, clipping, AdamW. Needs torch alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import products
import torch
from training_step import sizes

from autolfads_trainer.config import resolve
from autolfads_trainer.data.dataset import Split
from autolfads_trainer.engine.series import Series
from autolfads_trainer.engine.step import training_loss as engine_loss
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.draws import StepDrawer
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.optimizer import AdamW
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import descend, training_loss

TRIALS, CLIP = products.BATCH, 200.0


def data(device: torch.device) -> Split:
    """Return spikes of the yardstick's size."""
    rates = torch.full((TRIALS, products.STEPS, products.CHANNELS), 0.2)
    recon = torch.poisson(rates, generator=torch.Generator().manual_seed(0)).to(device)
    encod = recon[:, : products.OBSERVED, : products.HELD_IN].contiguous()
    return Split(encod, recon, torch.zeros(TRIALS, products.OBSERVED, 0, device=device), None)


def settings() -> dict[str, Any]:
    """Return the yardstick's model, as a run resolves it."""
    return dict(resolve({}, config_file=None, sizes=sizes()).configuration["model"])


class Member:
    """A member in training, by either way of computing its loss."""

    def __init__(self, number: int, given: Split, series: Series) -> None:
        device = given.encod.device
        self.given, self.series = given, series
        self.model = LFADS(settings(), seed=number).to(device)
        self.hp = Hyperparameters(settings(), device)
        self.optimizer = AdamW(dict(self.model.named_parameters()), (0.9, 0.999), 1e-8)
        self.drawer = StepDrawer(self.model.sizes, TRIALS, TRIALS, number, device)
        self.scores = Scores(self.model.sizes, device)

    def step(self, *, engine: bool) -> None:
        """Take one step."""
        draws = self.drawer.draw()
        if engine:
            loss = engine_loss(self.model, self.series, draws, self.hp, self.scores)
        else:
            loss = training_loss(self.model, self.given, draws, self.hp, self.scores)
        descend(loss, self.optimizer, self.hp, clip=CLIP)


def seconds(call: Callable[[], None], repeats: int, device: torch.device) -> list[float]:
    """Return what each of some calls takes, after two to warm up."""
    found = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return found[2:]


def commit() -> str:
    """Return which commit this is, or "unknown"."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    given = data(device)
    series = Series.of(given)
    members = [Member(number, given, series) for number in range(arguments.members)]

    def population(*, engine: bool) -> None:
        for member in members:
            member.step(engine=engine)

    floor_s, gflops = products.floor(device)
    step_s = seconds(lambda: population(engine=True), arguments.repeats, device)
    reference_s = seconds(lambda: members[0].step(engine=False), arguments.repeats, device)
    found = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "members": arguments.members,
        "batch": TRIALS,
        "threads": arguments.threads,
        "step_s": statistics.median(step_s),
        "step_s_range": [min(step_s), max(step_s)],
        "reference_s": arguments.members * statistics.median(reference_s),
        "floor_s": arguments.members * floor_s,
        "gemm_gflops": gflops,
        "git": commit(),
        "torch": torch.__version__,
    }
    print(json.dumps(found, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
