"""What is done for all steps at once: the inputs' part of the gates, and the weights' gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from autolfads_trainer.engine.products import over_all_steps


def projected(inputs: Tensor, weight: Tensor) -> Tensor:
    """Take `inputs (M, T, B, in)` to the gates' `(M, T, B, 3H)`, by `weight (M, 3H, in)`."""
    return torch.bmm(inputs.flatten(1, 2), weight.mT).view(*inputs.shape[:3], -1)


def of_inputs(gates: Tensor, inputs: Tensor) -> Tensor:
    """Return the gradient `(M, 3H, in)` of the weights of `inputs`, from that of the gates."""
    return torch.bmm(over_all_steps(gates).mT, over_all_steps(inputs))


def of_kernels(
    gates: Tensor, resets: Tensor, states: Tensor, start: Tensor, *, back: bool = False
) -> Tensor:
    """Return the gradient `(M, 3H, H)` of a cell's kernels, from that of its gates.

    `gates (M, T, B, 3H)`, `resets`, `states (M, T, B, H)`, `start (M, B, H)`; with `back` time ran
    from the end.
    """
    units, steps = states.shape[-1], states.shape[1]
    first, later, earlier = 0, slice(1, None), slice(None, -1)
    if back:
        first, later, earlier = steps - 1, slice(None, -1), slice(1, None)
    zr = gates[..., : 2 * units]
    found = torch.bmm(zr[:, first].mT, start)
    if steps > 1:
        found.baddbmm_(over_all_steps(zr[:, later]).mT, over_all_steps(states[:, earlier]))
    candidate = torch.bmm(over_all_steps(gates[..., 2 * units :]).mT, over_all_steps(resets))
    return torch.cat([found, candidate], dim=1)
