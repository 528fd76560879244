"""One step of the GRU of LFADS, forward and backward, on memory that was made for the sequence.

The equations are those of `model.recurrent.ClippedGRUCell`. A step's input projection stands in the
gates' memory already, so that the recurrent product is added to it; what the backward pass needs is
what is left there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


@dataclass(frozen=True)
class Kernels:
    """The recurrent weights `weight_hh (3H, H)` of a cell: of the gates z, r and of the rest."""

    gates: Tensor  # (2H, H)
    candidate: Tensor  # (H, H)

    @classmethod
    def of(cls, weight: Tensor) -> Kernels:
        """Take a cell's `weight_hh` apart, without a copy."""
        units = weight.shape[1]
        return cls(weight[: 2 * units], weight[2 * units :])


class Tape:
    """All steps of one GRU: what the forward pass leaves for the backward pass.

    `gates (T, B, 2H)` and `candidates (T, B, H)` hold the projected inputs before the pass, and the
    gates z, r and the candidate n after it.
    """

    def __init__(self, gates: Tensor, candidates: Tensor, clip: float) -> None:
        steps, self.units = gates.shape[0], candidates.shape[-1]
        self.gates, self.candidates = gates, candidates
        self.reset = torch.empty_like(candidates)  # r ∘ h, of the step before
        self.states = torch.empty_like(candidates)
        self.clip = clip
        # |h'| ≤ max(|h|, 1): with a limit of 1 or more only a start state can be above it.
        self._clipped_steps = steps if clip < 1 else 1
        self._inside: dict[int, Tensor] = {}
        z, r = gates.chunk(2, dim=-1)
        parts = (gates, z, r, candidates, self.reset, self.states)
        self._steps: list[tuple[Tensor, ...]] = _by_step(parts)

    def forward(self, at: int, state: Tensor, kernels: Kernels, number: int) -> Tensor:
        """Take step `at`, the pass's `number`-th, from `state (B, H)`; return the next state."""
        gates, z, r, candidate, reset, following = self._steps[at]
        gates.addmm_(state, kernels.gates.t()).sigmoid_()
        torch.mul(r, state, out=reset)
        candidate.addmm_(reset, kernels.candidate.t()).tanh_()
        torch.lerp(candidate, state, z, out=following)
        if number < self._clipped_steps:
            self._inside[at] = following.abs() <= self.clip
            following.clamp_(-self.clip, self.clip)
        return following

    def backward(
        self,
        at: int,
        gradient: Tensor,
        state: Tensor,
        kernels: Kernels,
        into: tuple[Tensor, ...],
        scratch: Tensor,
    ) -> Tensor:
        """Take step `at` back: from the gradient of its new state to that of `state`, its old one.

        `into` are the places for the gradients of what the gates z, r (both together first) and the
        candidate are functions of; `scratch (3, B, H)` is overwritten, and holds the answer.
        """
        _, z, r, candidate, _, _ = self._steps[at]
        d_gates, d_z, d_r, d_candidate = into
        before, other, of_reset = scratch.unbind(0)
        if (inside := self._inside.get(at)) is not None:
            gradient = gradient * inside
        torch.sub(state, candidate, out=other).mul_(gradient)
        _sigmoid_backward(other, z, grad_input=d_z)
        torch.mul(gradient, z, out=before)
        torch.sub(gradient, before, out=other)
        _tanh_backward(other, candidate, grad_input=d_candidate)
        torch.mm(d_candidate, kernels.candidate, out=of_reset)
        torch.mul(of_reset, state, out=other)
        _sigmoid_backward(other, r, grad_input=d_r)
        before.addcmul_(of_reset, r)
        return before.addmm_(d_gates, kernels.gates)


def _by_step(parts: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
    """Take tensors apart by their first axis, once: each slicing in a loop would cost."""
    return list(zip(*(part.unbind(0) for part in parts), strict=True))


class Gradients:
    """Memory for the gradients of a sequence's projected inputs `(T, B, 3H)`."""

    def __init__(self, tape: Tape) -> None:
        steps, trials, units = tape.states.shape
        self.units = units
        self.gates = tape.gates.new_empty(steps, trials, 2 * units)
        self.candidates = tape.gates.new_empty(steps, trials, units)
        z, r = self.gates.chunk(2, dim=-1)
        self.steps = _by_step((self.gates, z, r, self.candidates))

    def of_weight(self, inputs: Tensor) -> Tensor:
        """Return the gradient of weights `(3H, in)` that took `inputs (steps · B, in)` here."""
        weight = inputs.new_empty(3 * self.units, inputs.shape[1])
        torch.mm(self.gates.flatten(0, 1).t(), inputs, out=weight[: 2 * self.units])
        torch.mm(self.candidates.flatten(0, 1).t(), inputs, out=weight[2 * self.units :])
        return weight

    def of_kernels(self, tape: Tape, start: Tensor, *, backwards: bool) -> Tensor:
        """Return the gradient of `weight_hh (3H, H)`, as two large products.

        `start (B, H)` is the state before the first step; `backwards`: time ran from the end.
        """
        gates, states = self.gates, tape.states
        first, later, earlier = (gates[-1], gates[:-1], states[1:]) if backwards else (
            gates[0], gates[1:], states[:-1]
        )  # fmt: skip
        weight = gates.new_empty(3 * self.units, self.units)
        of_gates, of_candidate = weight[: 2 * self.units], weight[2 * self.units :]
        torch.mm(first.t(), start, out=of_gates)
        of_gates.addmm_(later.flatten(0, 1).t(), earlier.flatten(0, 1))
        torch.mm(self.candidates.flatten(0, 1).t(), tape.reset.flatten(0, 1), out=of_candidate)
        return weight
