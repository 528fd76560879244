"""Seconds per training step of the reference, and per validation pass: `training_step.py`

The sizes are those of the yardstick "mc_maze": batch 256, 137 held-in channels of 182, 35 of 45
time steps, encoders and controller 64, generator 200, factors 100, co_dim 4, initial condition 64.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import torch
from products import BATCH as TRIALS
from products import CHANNELS, HELD_IN, OBSERVED, STEPS

from autolfads_trainer.config import DataSizes, resolve
from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.draws import StepDrawer
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.optimizer import AdamW
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import training_step


def sizes() -> DataSizes:
    """The yardstick's data."""
    return DataSizes(
        path="yardstick",
        encod_dim=HELD_IN,
        encod_steps=OBSERVED,
        recon_dim=CHANNELS,
        recon_steps=STEPS,
        ext_input_dim=0,
        train_trials=TRIALS,
        valid_trials=TRIALS,
        keys=frozenset(),
    )


def measure(device: torch.device, repeats: int) -> list[float]:
    """Return the seconds of `repeats` full steps, drawing included, after two to warm up."""
    model_settings = resolve({}, config_file=None, sizes=sizes()).configuration["model"]
    model = LFADS(model_settings).to(device)
    hp = Hyperparameters(model_settings, device)
    optimizer = AdamW(dict(model.named_parameters()), (0.9, 0.999), 1e-8)
    rates = torch.full((TRIALS, STEPS, CHANNELS), 0.2)
    recon = torch.poisson(rates, generator=torch.Generator().manual_seed(0)).to(device)
    encod = recon[:, :OBSERVED, :HELD_IN].contiguous()
    data = Split(encod, recon, torch.zeros(TRIALS, OBSERVED, 0, device=device), None)
    drawer = StepDrawer(model.sizes, TRIALS, TRIALS, 0, device)
    scores = Scores(model.sizes, device)
    seconds = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        training_step(model, optimizer, data, drawer.draw(), hp, clip=200.0, scores=scores)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return seconds[2:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    seconds = sorted(measure(torch.device(arguments.device), arguments.repeats))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"training step on {arguments.device}, {arguments.threads} thread(s), one member: "
        f"median {statistics.median(seconds):.3f} s, {seconds[0]:.3f} to {seconds[-1]:.3f} s "
        f"({len(seconds)} steps); peak memory of the process {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
