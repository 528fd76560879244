"""Seconds of a training step, by engine and reference, beside the floor: step.py --members N

A full step: drawing, augmentation, forward, loss, backward, clipping, AdamW.
"""

from __future__ import annotations

import statistics

import products
import torch
import yardstick

from autolfads_trainer.training.group import Group


def main() -> None:
    """Measure, print, and write."""
    parser = yardstick.options(__doc__)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
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
    found = {
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
    yardstick.tell(found, arguments.json)


if __name__ == "__main__":
    main()
