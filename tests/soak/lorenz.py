"""One member on the whole Lorenz problem: how long it takes, and how near the rates come.

300 epochs in batches of 256 on one core, with sizes and settings of the usual configuration of this
field ("mc_maze"). Writes each epoch's row into `--rows`. Fails below R² = 0.96 after 300 epochs.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.data.problems import generate
from autolfads_trainer.freed_memory import keep_freed_memory
from autolfads_trainer.training.member import Leg, Member

LEAST, EPOCHS = 0.96, 300


def dataset(conditions: int | None = None) -> Dataset:
    """Return the problem's trials, with true rates per bin; all conditions, or so many."""
    arrays = generate("lorenz", 0, conditions=conditions)

    def split(name: str) -> Split:
        encod, recon = (
            torch.as_tensor(np.asarray(arrays[f"{name}_{kind}_data"], dtype=np.float32))
            for kind in ("encod", "recon")
        )
        truth = arrays[f"{name}_truth"] / arrays["conversion_factor"]
        ext_input = torch.zeros(*encod.shape[:2], 0)
        return Split(encod, recon, ext_input, torch.as_tensor(truth, dtype=torch.float32))

    return Dataset.alone(split("train"), split("valid"))


def main() -> None:
    """Train, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--conditions", type=int, help="a smaller problem")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--rows", type=Path)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    data = dataset(arguments.conditions)
    _, steps, channels = data.train.recon.shape
    sizes = DataSizes(
        path="lorenz",
        encod_dim=data.train.encod.shape[2],
        encod_steps=data.train.encod.shape[1],
        recon_dim=channels,
        recon_steps=steps,
        ext_input_dim=0,
        train_trials=data.train.trials,
        valid_trials=data.valid.trials,
        keys=frozenset(),
    )
    said = {"config": {"trainer": {"engine": arguments.engine}}}
    configuration = resolve(said, config_file=None, sizes=sizes).configuration
    leg = Leg(0, generation=1, start_epoch=0, epochs=arguments.epochs)
    member = Member(configuration, data, leg, seed=0, metric="valid/recon_smth")
    began = time.monotonic()
    told = 0

    def tell(of: Member) -> bool:
        nonlocal told
        if of.progress.epoch >= told + 10:
            told = of.progress.epoch
            spent = time.monotonic() - began
            r2 = of.progress.rows[-1]["valid/r2"]
            print(f"epoch {told} of {arguments.epochs}: {spent:.0f} s, R² {r2:.4f}", flush=True)
        return False

    member.train(tell)
    seconds, row = time.monotonic() - began, member.progress.rows[-1]
    print(
        f"{data.train.trials} trials, {arguments.epochs} epochs by the engine "
        f"'{arguments.engine}': {seconds:.0f} s, validation's R² {row['valid/r2']:.4f}"
    )
    if arguments.rows is not None:
        arguments.rows.write_text(json.dumps({"seconds": seconds, "rows": member.progress.rows}))
    assert math.isfinite(row["valid/r2"])
    whole = arguments.epochs >= EPOCHS and arguments.conditions is None
    assert row["valid/r2"] >= LEAST or not whole, row["valid/r2"]


if __name__ == "__main__":
    main()
