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
        self.steps += 1
        for (name, parameter), gradient in zip(self.parameters.items(), gradients, strict=True):
            adamw(
                parameter,
                self.means[name],
                self.squares[name],
                gradient,
                lr=lr,
                weight_decay=weight_decay,
                steps=self.steps,
                betas=self.betas,
                epsilon=self.epsilon,
            )

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


def adamw(
    parameter: Tensor,
    mean: Tensor,
    square: Tensor,
    gradient: Tensor,
    *,
    lr: Tensor,
    weight_decay: Tensor,
    steps: Tensor,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Move `parameter` and its moments, in place, in the step that is number `steps`.

    `lr`, `weight_decay` and `steps` are tensors that are combined with the parameter's shape.
    """
    beta1, beta2 = betas
    step_size = (lr / (1 - beta1**steps)).to(lr.dtype)
    correction = torch.sqrt(1 - beta2**steps).to(lr.dtype)
    parameter.mul_(1 - lr * weight_decay)
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    parameter.sub_(step_size * mean / (square.sqrt() / correction + epsilon))


def clip_factor(norm: Tensor, limit: float) -> Tensor:
    """Return what gradients of this norm are scaled with to have at most `limit`; 0: no limit."""
    if limit <= 0:
        return torch.ones_like(norm)
    return torch.clamp(limit / (norm + 1e-6), max=1.0)


def clipped(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Scale all `gradients` by one factor so that their common norm is at most `limit`.

    A limit of 0 leaves them as they are.
    """
    if limit <= 0:
        return list(gradients)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    factor = clip_factor(norm, limit)
    return [gradient * factor for gradient in gradients]
