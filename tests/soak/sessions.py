"""Two recordings of one dynamical system: do they help each other, and does the PCR start help?

The Lorenz problem, recorded by 29 and by 40 channels of their own: the same trajectories, other
read-outs, other spikes. Trained for equally many epochs with equally many trials of each session in
a step: the smaller session alone, both together from random read-ins that train, and both together
from principal components regression. Fails unless together is better than alone on the smaller one,
and the PCR start better than the random one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.data.sessions import sizes_of
from autolfads_trainer.freed_memory import keep_freed_memory
from autolfads_trainer.training.member import Leg, Member

COMPONENTS = 8
MODEL = {
    **{"gen_dim": 64, "fac_dim": COMPONENTS, "ic_enc_dim": 32, "ci_enc_dim": 32, "con_dim": 32},
    **{"co_dim": 1, "ic_dim": 32, "dropout_rate": 0.05, "kl_ic_scale": 1e-5, "kl_co_scale": 1e-5},
    **{"kl_increase_epoch": 20, "l2_increase_epoch": 20},
}


def autolfads(*arguments: str) -> None:
    """Run a command as users do."""
    subprocess.run([Path(sys.executable).with_name("autolfads"), *arguments], check=True)


def trained(paths: list[Path], epochs: int, batch: int, *, pcr: bool, seed: int) -> dict[str, Any]:
    """Train one member; return its last row, with the seconds that it took."""
    recordings = [read_recording(path) for path in paths]
    if not pcr:
        recordings = [replace(recording, pcr=None) for recording in recordings]
    given = {"model": MODEL, "datamodule": {"batch_size": batch * len(paths)}}
    resolved = resolve({"config": given}, config_file=None, sizes=sizes_of(recordings))
    data = Dataset.of(recordings, torch.device("cpu"))
    leg = Leg(0, generation=1, start_epoch=0, epochs=epochs)
    member = Member(resolved.configuration, data, leg, seed=seed, metric="valid/recon_smth")
    began, told = time.monotonic(), 0

    def tell(of: Member) -> bool:
        nonlocal told
        if of.progress.epoch >= told + 10:
            told = of.progress.epoch
            print(f"  epoch {told}: {time.monotonic() - began:.0f} s", flush=True)
        return False

    member.train(tell)
    return {**member.progress.rows[-1], "seconds": time.monotonic() - began}


def main() -> None:
    """Train the three, and say how near the rates of the smaller session come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--conditions", type=int, default=30)
    parser.add_argument("--trials", type=int, default=10, help="of each condition")
    parser.add_argument("--batch", type=int, default=60, help="trials of each session in a step")
    parser.add_argument(
        "--seeds", type=int, default=2, help="start values, of which the mean counts"
    )
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    r2: dict[str, list[float]] = {"alone": [], "together": [], "together from PCR": []}
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"day{number}.h5" for number in range(2)]
        for number, channels in enumerate((29, 40)):
            size = f"--conditions {arguments.conditions} --trials {arguments.trials}".split()
            session = ["--session", str(number), "--channels", str(channels)]
            autolfads("generate", "lorenz", str(paths[number]), *session, *size)
        autolfads("pcr", *map(str, paths), "--in-place", "--components", str(COMPONENTS))
        for seed in range(arguments.seeds):
            for name, files, pcr in (
                ("alone", paths[:1], False),
                ("together", paths, False),
                ("together from PCR", paths, True),
            ):
                row = trained(files, arguments.epochs, arguments.batch, pcr=pcr, seed=seed)
                found = row["valid/r2/sess0" if len(files) > 1 else "valid/r2"]
                r2[name].append(found)
                print(f"{name}, seed {seed}: R² {found:.4f}, {row['seconds']:.0f} s", flush=True)
    means = {name: sum(values) / len(values) for name, values in r2.items()}
    print(json.dumps({"epochs": arguments.epochs, "r2": r2, "means": means}))
    assert means["together"] > means["alone"], means
    assert means["together from PCR"] > means["together"], means


if __name__ == "__main__":
    main()
