"""Dropout as masks of zeros and ones: what keeps the mean goes into the weights that follow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autolfads_trainer.model.noise import Noise, level


@dataclass(frozen=True)
class Dropping:
    """Dropout of one pass, or none. `rate` is `()`, or `(M,)` for members on a leading axis."""

    noise: Noise | None
    rate: Tensor | None

    def mask(self, name: str, kind: Tensor) -> Tensor | None:
        """Return 1 where an element of the place that `Noise` calls so stays, else 0.

        It has the type of `kind`. None: nothing is dropped.
        """
        if self.noise is None or self.rate is None:
            return None
        return mask(getattr(self.noise, name), self.rate, kind)

    def scaled(self, values: Tensor) -> Tensor:
        """Raise weights whose inputs were dropped, or those inputs, so that the mean is kept."""
        if self.noise is None or self.rate is None:
            return values
        return values / (1 - spread(self.rate, values))


def mask(uniform: Tensor, rate: Tensor, kind: Tensor) -> Tensor:
    """Return 1 where `uniform` is at least `rate`, else 0, in the type of `kind`."""
    out = torch.empty(uniform.shape, dtype=kind.dtype, device=uniform.device)
    return torch.ge(uniform, level(spread(rate, uniform)), out=out)


def spread(values: Tensor, over: Tensor) -> Tensor:
    """Return one value a member, `()` or `(M,)`, as it is combined with a tensor of members."""
    return values[..., *[None] * (over.dim() - values.dim())]
