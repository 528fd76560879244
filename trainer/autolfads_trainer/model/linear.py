"""Linear layers as LFADS starts and normalises them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from autolfads_trainer.model.initial import normal


class FanInLinear(nn.Module):
    """A linear layer: weight `(out, in)` from N(0, 1 / in), bias `(out,)` zero.

    With `uniform` both are from U(−1/√in, 1/√in), as those of `torch.nn.Linear` are.
    """

    from_pcr: bool = False  # whether it is to begin with what the data file says

    def __init__(
        self, inputs: int, outputs: int, generator: torch.Generator, *, uniform: bool = False
    ) -> None:
        super().__init__()
        if uniform:
            self.weight, self.bias = (
                nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(inputs))
                for shape in ((outputs, inputs), (outputs,))
            )
            return
        self.weight = nn.Parameter(normal(outputs, inputs, scale=inputs, generator=generator))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Take `inputs (..., in)` to `(..., out)`."""
        return nn.functional.linear(inputs, self.weight, self.bias)


class NormalizedLinear(nn.Module):
    """A linear layer without bias whose rows `(F, G)` are used at unit length.

    So the factors' scale cannot grow to escape the penalties on the generator.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, scale=inputs, generator=generator))

    def forward(self, inputs: Tensor) -> Tensor:
        """Take `inputs (..., G)` to `(..., F)`."""
        return nn.functional.linear(inputs, nn.functional.normalize(self.weight, dim=1))
