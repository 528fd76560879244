"""The yardstick "mc_maze": data and members of its sizes, and how seconds are taken.

Batch 256, 137 held-in channels of 182, 35 of 45 time steps, encoders and controller 64, generator
200, factors 100, co_dim 4, initial condition 64. Needs torch and numpy alone.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import products
import torch

from autolfads_trainer.config.defaults import DataSizes, default_configuration
from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.freed_memory import keep_freed_memory
from autolfads_trainer.training.member import Leg, Member

CLIP = 200.0


def configuration(trials: int = products.BATCH, engine: str = "auto") -> dict[str, Any]:
    """Return what a run on so many trials would resolve, `engine` being `trainer.engine`."""
    sizes = DataSizes(
        path="yardstick",
        encod_dim=products.HELD_IN,
        encod_steps=products.OBSERVED,
        recon_dim=products.CHANNELS,
        recon_steps=products.STEPS,
        ext_input_dim=0,
        train_trials=trials,
        valid_trials=trials,
        keys=frozenset(),
    )
    found = default_configuration(sizes)
    found["model"]["readout"]["modules"][0]["out_features"] = products.CHANNELS
    found["model"]["train_aug_stack"]["transforms"][0]["ic_enc_seq_len"] = 0
    found["model"]["infer_aug_stack"] |= {"transforms": [], "batch_order": [], "loss_order": []}
    found["trainer"]["engine"] = engine
    return found


def spikes(trials: int, device: torch.device, seed: int = 0) -> Split:
    """Return trials of the yardstick's size, without true rates."""
    rates = torch.full((trials, products.STEPS, products.CHANNELS), 0.2)
    recon = torch.poisson(rates, generator=torch.Generator().manual_seed(seed)).to(device)
    encod = recon[:, : products.OBSERVED, : products.HELD_IN].contiguous()
    return Split(encod, recon, torch.zeros(trials, products.OBSERVED, 0, device=device), None)


def dataset(device: torch.device, train: int = products.BATCH, valid: int = 0) -> Dataset:
    """Return so many trials to train with, and to validate with: as many, if 0."""
    return Dataset.alone(spikes(train, device), spikes(valid or train, device, seed=1))


def member(data: Dataset, number: int = 0, engine: str = "auto") -> Member:
    """Return a member in training."""
    leg = Leg(number, generation=1, start_epoch=0, epochs=1)
    settings = configuration(data.train.trials, engine)
    return Member(settings, data, leg, seed=0, metric="valid/recon_smth")


def wait(device: torch.device) -> None:
    """Wait until the device has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(call: Callable[[], object], repeats: int, device: torch.device) -> list[float]:
    """Return what each of some calls takes, after two to warm up."""
    found = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        call()
        wait(device)
        found.append(time.perf_counter() - began)
    return found[2:]


def name_of(device: torch.device) -> str:
    """Return what the device is called."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def processor() -> str:
    """Return what the processor is called, as far as the system says."""
    with suppress(OSError):
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return which commit this is, or "unknown"."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def tell(found: dict[str, Any], to: Path | None) -> None:
    """Print what was found, with what it was found of, and write it where `--json` says."""
    of = {"git": commit(), "torch": torch.__version__, "processor": processor()}
    of["date"] = datetime.date.today().isoformat()
    text = json.dumps({**found, **of}, indent=1)
    print(text)
    if to is not None:
        to.write_text(text + "\n")


# Values of options. What they raise, argparse tells as the option's error.
def count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"found {text}; expected a whole number of at least 1")
    return int(text)


def add_counts(parser: argparse.ArgumentParser, options: dict[str, tuple[int, str]]) -> None:
    """Add options that take whole numbers: for each its default and its help."""
    for name, (usual, words) in options.items():
        parser.add_argument(name, type=count, default=usual, help=words)


def there(text: str) -> str:
    """Return a device that there is."""
    kind, _, number = text.partition(":")
    gpus = torch.cuda.device_count()
    known = kind in ("cpu", "cuda") and (not number or number.isdecimal())
    if not known or (kind == "cuda" and int(number or 0) >= gpus):
        raise argparse.ArgumentTypeError(
            f"found {text}; expected cpu, or cuda:N of the {gpus} GPUs that torch sees"
        )
    return text


def writable(text: str) -> Path:
    """Return a file in a folder that is there: it is written when all is measured."""
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"found {text}; expected a file in a folder that is there")
    return path


def options(description: str | None) -> argparse.ArgumentParser:
    """Return the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--threads", type=count, default=1, help="threads of torch on a CPU")
    usual = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=there, default=usual, help="cpu, cuda or cuda:N")
    parser.add_argument("--json", type=writable, help="also write what is found into this file")
    keep_freed_memory()  # as a worker does
    return parser
