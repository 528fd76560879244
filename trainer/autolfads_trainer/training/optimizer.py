"""AdamW with its learning rate and weight decay as tensors, so that they can change at any step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class AdamW:
    """AdamW (Loshchilov & Hutter 2019), step for step `torch.optim.AdamW`.

    Its own because torch's takes the weight decay as a number of the host, and one learning rate
    for all: neither could be captured in a graph, nor have a value for each member.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], betas: tuple[float, float], epsilon: float
    ) -> None:
        self.parameters = {name: p for name, p in parameters.items() if p.requires_grad}
        self.betas = betas
        self.epsilon = epsilon
        first = next(iter(self.parameters.values()))
        self.steps = torch.zeros((), dtype=torch.float64, device=first.device)
        self.means = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.squares = {name: torch.zeros_like(p) for name, p in self.parameters.items()}

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], lr: Tensor, weight_decay: Tensor) -> None:
        """Move the parameters; `lr` and `weight_decay` are tensors of one element."""
        beta1, beta2 = self.betas
        self.steps += 1
        step_size = (lr / (1 - beta1**self.steps)).to(lr.dtype)
        correction = torch.sqrt(1 - beta2**self.steps).to(lr.dtype)
        for (name, parameter), gradient in zip(self.parameters.items(), gradients, strict=True):
            mean, square = self.means[name], self.squares[name]
            parameter.mul_(1 - lr * weight_decay)
            mean.lerp_(gradient, 1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            parameter.sub_(step_size * mean / (square.sqrt() / correction + self.epsilon))

    def state(self) -> dict[str, Any]:
        """Return the moments and the number of steps."""
        return {"steps": self.steps, "means": self.means, "squares": self.squares}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned, of this member or of another."""
        self.steps.copy_(state["steps"])
        for name in self.parameters:
            self.means[name].copy_(state["means"][name])
            self.squares[name].copy_(state["squares"][name])


def clipped(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Scale all `gradients` by one factor so that their common norm is at most `limit`.

    A limit of 0 leaves them as they are.
    """
    if limit <= 0:
        return list(gradients)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    factor = torch.clamp(limit / (norm + 1e-6), max=1.0)
    return [gradient * factor for gradient in gradients]
