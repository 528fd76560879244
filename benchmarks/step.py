"""Seconds of a training step, by engine and reference, beside the floor: step.py --members N

A full step: drawing, augmentation, forward, loss, backward, clipping, AdamW.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any
from unittest import mock

import products
import torch
import yardstick
from torch.profiler import ProfilerActivity, profile

from autolfads_trainer.engine.loops import STEPWISE
from autolfads_trainer.training.group import Group

MOST = 10  # kernels that are shown


def show_kernels(step: Callable[[], None], device: torch.device) -> None:
    """Print what takes most of a step, from a trace of it."""
    on_gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as trace:
        step()
        if on_gpu:
            torch.cuda.synchronize(device)

    def share(entry: torch.autograd.profiler_util.FunctionEventAvg) -> float:
        return float(entry.self_device_time_total if on_gpu else entry.self_cpu_time_total)

    found = sorted(trace.key_averages(), key=share, reverse=True)
    for entry in found[:MOST]:
        print(f"{share(entry) / 1000:8.3f} ms {entry.count:6d} × {entry.key[:90]}")
    print(f"{sum(map(share, found)) / 1000:8.3f} ms in all, with what tracing itself takes")


def main() -> None:
    """Measure, print, and write."""
    parser = yardstick.options(__doc__)
    yardstick.add_counts(
        parser,
        {
            "--members": (1, "of a population; on a GPU side by side, on a CPU one after another"),
            "--repeats": (5, "steps that are timed"),
        },
    )
    parser.add_argument("--kernels", action="store_true", help="show what takes most of a step")
    parser.add_argument("--stepwise", action="store_true", help="no kernels for whole sequences")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.stepwise:
        mock.patch("autolfads_trainer.engine.forward.loops_for", lambda _: STEPWISE).start()
    device = torch.device(arguments.device)
    data = yardstick.dataset(device)
    members = [yardstick.member(data, number) for number in range(arguments.members)]
    reference = yardstick.member(data, engine="reference")

    if device.type == "cuda":
        population = Group.of(members).step  # side by side
    else:

        def population() -> None:
            for member in members:
                member.take_step()

    floor_s, gflops = products.floor(device)
    step_s = yardstick.seconds(population, arguments.repeats, device)
    reference_s = yardstick.seconds(reference.take_step, arguments.repeats, device)
    found: dict[str, Any] = {
        "device": yardstick.name_of(device),
        "members": arguments.members,
        "batch": products.BATCH,
        "threads": arguments.threads,
        "step_s": statistics.median(step_s),
        "step_s_range": [min(step_s), max(step_s)],
        "reference_s": arguments.members * statistics.median(reference_s),
        "floor_s": arguments.members * floor_s,
        "gemm_gflops": gflops,
    }
    # All seconds are those of all members; these need no such care.
    found["step_per_floor"] = found["step_s"] / found["floor_s"]
    found["reference_per_step"] = found["reference_s"] / found["step_s"]
    yardstick.tell(found, arguments.json)
    if arguments.kernels:
        show_kernels(population, device)


if __name__ == "__main__":
    main()
