"""One step of the GRU of LFADS, forward and backward, on memory that was made for the sequence.

The equations are those of `model.recurrent.ClippedGRUCell`. What a CPU waits for is memory, not
arithmetic: so all that belongs to a step is done in that step, weights' gradients included, while
it is in the cache; gates z, r and candidate n stand apart, each without gaps; and gradients take
the places of what they are gradients of. All tensors may have a leading axis of members.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.products import add_product, product

_FEW = 16

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Gates(NamedTuple):
    """One thing for each of the update gate, the reset gate and the candidate."""

    z: Tensor
    r: Tensor
    n: Tensor

    @classmethod
    def of_weight(cls, weight: Tensor) -> Gates:
        """Take weights `(3H, in)` apart, each `(H, in)`, without a copy."""
        return cls(*weight.chunk(3, dim=-2))

    def transposed(self) -> Gates:
        """Return weights turned round, without a copy."""
        return Gates(self.z.mT, self.r.mT, self.n.mT)


class Cell:
    """The weights of one cell, by gate.

    `weight (3H, in + 1)` is `weight_ih` with the bias as its last column: the last of a cell's
    inputs is 1. `kernels (3H, H)` are `weight_hh`.
    """

    def __init__(self, weight: Tensor, kernels: Tensor) -> None:
        self.weight, self.kernels = Gates.of_weight(weight), Gates.of_weight(kernels)
        self.inputs, self.states = self.weight.transposed(), self.kernels.transposed()


class CellGradients:
    """The gradients of a `Cell`, summed up step by step."""

    def __init__(self, cell: Cell) -> None:
        self.inputs = Gates(*map(_zeros, cell.inputs))
        self.states = Gates(*map(_zeros, cell.states))

    def add(self, of: Gates, inputs: Tensor, state: Tensor, reset: Tensor) -> None:
        """Add a step's: `of` the gates' and candidate's own, `(B, H)` each."""
        given, before = inputs.mT, state.mT
        add_product(self.inputs.z, given, of.z)
        add_product(self.inputs.r, given, of.r)
        add_product(self.inputs.n, given, of.n)
        add_product(self.states.z, before, of.z)
        add_product(self.states.r, before, of.r)
        add_product(self.states.n, reset.mT, of.n)

    def whole(self) -> tuple[Tensor, Tensor]:
        """Return them as the cell's weights are: `(3H, in + 1)` and `(3H, H)`."""
        return torch.cat(self.inputs.transposed(), -2), torch.cat(self.states.transposed(), -2)


def _zeros(like: Tensor) -> Tensor:
    """Return zeros for the gradient of transposed weights `(in, H)`."""
    # A product that leaves few rows is five times as fast if they are rows in memory, too; one that
    # leaves many is a little faster if they are columns there, as these weights have them.
    return like.new_zeros(like.shape) if like.shape[-2] < _FEW else torch.zeros_like(like)


def clipped_steps(steps: int, clip: float) -> int:
    """Return how many of a sequence's first steps can leave a state beyond the limit."""
    # |h'| ≤ max(|h|, 1): with a limit of 1 or more only a start state can be above it.
    return steps if clip < 1 else 1


def by_step(values: Tensor) -> tuple[Tensor, ...]:
    """Take `(T, B, …)` apart by its steps, once: each slicing in a loop would cost."""
    return values.unbind(-3)


class Tape:
    """All steps of one GRU: what the forward pass leaves for the way back, gone but once.

    That way leaves in the gates' places the gradients of what they are functions of.
    """

    def __init__(self, start: Tensor, steps: int, clip: float) -> None:
        """Make room for `steps` steps after the state `start (B, H)`."""
        shape = (*start.shape[:-2], steps, *start.shape[-2:])
        self.start, self.steps, self.clip = start, steps, clip
        self.states = start.new_empty(shape)
        self.states_at = by_step(self.states)
        gates = (by_step(start.new_empty(shape)) for _ in Gates._fields)
        self.at = [Gates(*step) for step in zip(*gates, strict=True)]
        self._clipped_steps = clipped_steps(steps, clip)
        self._inside: dict[int, Tensor] = {}
        self._minus_one = start.new_full((), -1.0)
        self._scratch = [torch.empty_like(start) for _ in range(4)]

    def before(self, step: int) -> Tensor:
        """Return the state `(B, H)` before a step, where time runs forward."""
        return self.states_at[step - 1] if step else self.start

    def forward(self, at: int, inputs: Tensor, state: Tensor, cell: Cell, number: int) -> Tensor:
        """Take step `at`, the pass's `number`-th, with `inputs (B, in + 1)`; return its state."""
        (z, r, n), following, reset = self.at[at], self.states_at[at], self._scratch[0]
        product(inputs, cell.inputs.r, out=r)
        add_product(r, state, cell.states.r).sigmoid_()
        torch.mul(r, state, out=reset)
        product(inputs, cell.inputs.n, out=n)
        # tanh a = 2 σ(2 a) − 1: its own function takes three times as long on a CPU.
        add_product(n, reset, cell.states.n, scale=2).sigmoid_()
        torch.add(self._minus_one, n, alpha=2, out=n)
        product(inputs, cell.inputs.z, out=z)
        add_product(z, state, cell.states.z).sigmoid_()
        torch.lerp(n, state, z, out=following)
        if number < self._clipped_steps:
            self._inside[at] = following.abs() <= self.clip
            following.clamp_(-self.clip, self.clip)
        return following

    def backward(
        self,
        at: int,
        gradient: Tensor,
        inputs: Tensor,
        state: Tensor,
        cell: Cell,
        gradients: CellGradients,
    ) -> Tensor:
        """Take step `at` back: from the gradient of its new state to that of `state`, its old one.

        Adds to the cell's `gradients`. The answer is overwritten with the next step.
        """
        (z, r, n), (reset, other, of_reset, before) = self.at[at], self._scratch
        if (inside := self._inside.get(at)) is not None:
            gradient = gradient * inside
        torch.mul(gradient, z, out=before)
        torch.sub(state, n, out=other).mul_(gradient)
        _sigmoid_backward(other, z, grad_input=z)
        torch.sub(gradient, before, out=other)
        _tanh_backward(other, n, grad_input=n)
        product(n, cell.kernels.n, out=of_reset)
        before.addcmul_(of_reset, r)
        torch.mul(r, state, out=reset)
        torch.mul(of_reset, state, out=other)
        _sigmoid_backward(other, r, grad_input=r)
        add_product(before, z, cell.kernels.z)
        add_product(before, r, cell.kernels.r)
        gradients.add(self.at[at], inputs, state, reset)
        return before


def to_inputs(of: Gates, weight: Gates, *, out: Tensor) -> Tensor:
    """Write the gradient of a cell's inputs, from that of its gates, into `out`."""
    product(of.z, weight.z, out=out)
    add_product(out, of.r, weight.r)
    return add_product(out, of.n, weight.n)


def with_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """Return weights with their bias as the last column, as a `Cell` has them."""
    return torch.cat([weight, bias.unsqueeze(-1)], dim=-1)
