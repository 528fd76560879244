"""How many workers this machine can carry, found without torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from autolfads_trainer.cgroups import CGROUPS, PROC, groups_of

PER_GPU = 2


def default_workers(device: str, gpu_share: float = 0.5) -> int:
    """Return how many workers to run: as many as share the GPUs, or one for each usable core.

    `gpu_share` is the share of a GPU that one worker takes: two workers at 0.5.
    """
    gpus = 0 if device == "cpu" else gpu_count()
    return per_gpu(gpu_share) * gpus if gpus else usable_cores()


def per_gpu(gpu_share: float) -> int:
    """Return how many workers share a GPU; a share of 0, which says nothing, means two."""
    return max(1, int(1 / gpu_share)) if gpu_share > 0 else PER_GPU


def gpu_count() -> int:
    """Return the number of NVIDIA GPUs that can be used, 0 where there is no driver."""
    return len(gpus())


def gpus() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES knows the GPUs that can be used."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return [name for name in names if name not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(  # noqa: S603
            [program, "--list-gpus"], capture_output=True, text=True, check=False, timeout=20
        )
    except (subprocess.TimeoutExpired, OSError):  # a driver that hangs offers nothing
        return []
    if answer.returncode != 0:
        return []
    # Below a GPU that is divided (MIG) its parts have lines of their own.
    found = [line for line in answer.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index, _ in enumerate(found)]


def usable_cores(cgroups: Path = CGROUPS, proc: Path = PROC) -> int:
    """Return the cores this process may use: its affinity, and its control groups' limits."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    limits = [limit for group in groups_of("cpu", proc, cgroups) for limit in _limits(group)]
    return max(1, int(min([cores, *limits])))


def _limits(group: Path) -> Iterator[float]:
    """Yield the cores that a group may use at a time, where that is limited (v2, v1)."""
    with suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text().split()
        yield int(quota) / int(period)  # ValueError: "max", no limit at all
    with suppress(OSError, ValueError):
        quota = (group / "cpu.cfs_quota_us").read_text()
        if int(quota) >= 0:
            yield int(quota) / int((group / "cpu.cfs_period_us").read_text())


def worker_arguments(
    threads: int,
    device: str,
    save_every: float,
    allow_import: Sequence[str],
    data: str | None = None,
    room_at: Path | None = None,
    measure: int = 0,
) -> tuple[str, ...]:
    """Return the worker program's arguments.

    `data` is where the data lie now, `room_at` the folder whose disk must have room for the run;
    `measure`: say what a run with so many workers takes, 0: do not.
    """
    allowed = [word for module in allow_import for word in ("--allow-import", module)]
    settings = ("--threads", str(threads), "--device", device, "--save-every", str(save_every))
    places = [
        *(("--data", data) if data else ()),
        *(("--room-at", str(room_at)) if room_at else ()),
        *(("--measure", str(measure)) if measure else ()),
    ]
    return (*settings, *allowed, *places)
