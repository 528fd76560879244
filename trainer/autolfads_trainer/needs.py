"""What a run will need here, measured before it begins: time and memory of a member's epoch."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autolfads_trainer.data.memory import usable_memory
from autolfads_trainer.disk_use import in_units
from autolfads_trainer.userinput import InputError

if TYPE_CHECKING:
    from autolfads_trainer.data.dataset import Dataset

LONGEST = 30.0  # seconds that the measurement goes on, but for what one step takes
_COPIES = 12  # numbers that a step keeps for each unit and channel of a trial's bin, about
_LIBRARIES = 600_000_000  # bytes of a process that has loaded torch


@dataclass(frozen=True)
class Needs:
    """Of one member on one worker of this machine."""

    step: float  # seconds of a training step
    epoch: float  # seconds of an epoch, with its validation
    memory: int  # bytes of the worker's process, at most

    def told(self, members: int, epochs: int, workers: int) -> list[str]:
        """Return what that means for a run, in words."""
        whole = self.epoch * epochs * members / max(1, min(workers, members))
        each = f"{self.epoch * 1000:.0f} ms" if self.epoch < 1 else f"{self.epoch:.1f} s"
        return [
            f"time on this machine: an epoch of a member takes {each} (a step"
            f" {self.step * 1000:.0f} ms); training all of them takes at most {in_words(whole)}"
            f" with {min(workers, members)} worker{'s' * (min(workers, members) != 1)}, besides"
            " starting and writing the results",
            f"memory: {in_units(self.memory)} for each worker; {in_units(usable_memory())} can be"
            " used here",
        ]


def in_words(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = seconds / 60
    if minutes < 100:
        return f"{minutes:.0f} minutes"
    hours = minutes / 60
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def refuse_what_cannot_fit(model: Mapping[str, Any], batch_size: int) -> None:
    """Raise `InputError` where a step alone takes more memory than there is, by a rough count."""
    from autolfads_trainer.model.sizes import Sizes  # noqa: PLC0415  (it needs users' own classes)

    sizes = Sizes.of(model)
    units = sizes.gen_dim + sizes.con_dim + sizes.fac_dim + sizes.ic_enc_dim + sizes.ci_enc_dim
    widest = max(session.recon_data_dim for session in sizes.sessions)
    need = 4 * batch_size * sizes.recon_seq_len * (_COPIES * units + 3 * widest) + _LIBRARIES
    there = usable_memory()
    if need > there:
        raise InputError(
            f"datamodule.batch_size: {batch_size} trials of {sizes.recon_seq_len} bins take about "
            f"{in_units(need)} of memory in a step, and {in_units(there)} can be used here; "
            "expected a smaller batch or model, or a machine with more"
        )


def measured(configuration: Mapping[str, Any], data: Dataset) -> Needs:
    """Train a member of a run for a few steps, validate it once, and say what that took."""
    from autolfads_trainer.training.member import Leg, Member  # noqa: PLC0415  (it loads torch)

    metric = configuration["pbt"]["metric"]
    member = Member(configuration, data, Leg(0, 1, 0, 10**6), 0, metric)
    began, steps, spent = time.monotonic(), 0, 0.0
    while True:
        start = time.monotonic()
        member.before_step()
        member.take_step()
        float(member.sums[0])  # what was asked of a GPU is done
        if steps or time.monotonic() - began > LONGEST / 2:  # the first one makes ready
            spent += time.monotonic() - start
        steps += 1
        if steps >= 6 or time.monotonic() - began > LONGEST:
            break
    step = spent / max(1, steps - 1) if steps > 1 else spent
    start = time.monotonic()
    member.validated()
    epoch = step * member.drawer.steps_per_epoch + time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Needs(step, epoch, peak * (1024 if os.uname().sysname == "Linux" else 1))
