"""Matrix products that may have a leading axis, of members: each has weights of its own.

Without that axis they are plain products. On a CPU that is the faster way for one member, and
members are taken one after another there: side by side their states leave the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear


def product(left: Tensor, right: Tensor, *, out: Tensor) -> Tensor:
    """Write `left ([M,] rows, inner) @ right ([M,] inner, columns)` into `out`, and return it."""
    return (torch.mm if left.dim() == 2 else torch.bmm)(left, right, out=out)


def add_product(into: Tensor, left: Tensor, right: Tensor, *, scale: float = 1) -> Tensor:
    """Add `left @ right` to `into`, multiply the sum by `scale`, and return it."""
    add = into.addmm_ if left.dim() == 2 else into.baddbmm_
    return add(left, right, beta=scale, alpha=scale)


def affine(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Take `inputs ([M,] …, in)` to `([M,] …, out)`, by `weight ([M,] out, in)` and its bias."""
    if weight.dim() == 2:
        return linear(inputs, weight, bias)
    rows = inputs.flatten(1, -2)
    if bias is None:
        outputs = torch.bmm(rows, weight.mT)
    else:
        outputs = torch.baddbmm(bias.unsqueeze(1), rows, weight.mT)
    return outputs.view(*inputs.shape[:-1], -1)


def over_all_steps(values: Tensor) -> Tensor:
    """Return `values ([M,] T, B, …)` as the rows of one matrix `([M,] T · B, …)`."""
    return values.flatten(-3, -2)
