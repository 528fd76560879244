"""The encoder's GRUs, with a backward pass of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.engine.gru import Cell, CellGradients, Tape, by_step, to_inputs


class SequenceGRU(torch.autograd.Function):
    """`model.recurrent.ClippedGRU`: `apply(inputs, start, weight, kernels, clip, back)`.

    Takes `inputs (T, B, in + 1)`, the last of which is 1, the start state `(B, H)` and the weights
    of a `Cell` to all states `(T, B, H)`, in the order of time; with `back` time runs from the end.
    Each tensor may have a leading axis of members.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        start: Tensor,
        weight: Tensor,
        kernels: Tensor,
        clip: float,
        back: bool,
    ) -> Tensor:
        """Run through time."""
        tape, cell = Tape(start, inputs.shape[-3], clip), Cell(weight, kernels)
        given, state = by_step(inputs), start
        for number, at in enumerate(_order(tape, back=back)):
            state = tape.forward(at, given[at], state, cell, number)
        ctx.tape, ctx.back = tape, back
        ctx.save_for_backward(inputs, start, weight, kernels)
        return tape.states.view_as(tape.states)  # not what the tape holds: that would hold itself

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Run back through time."""
        inputs, start, weight, kernels = ctx.saved_tensors
        tape, cell = taken(ctx), Cell(weight, kernels)
        gradients = CellGradients(cell)
        of_states, given = by_step(gradient), by_step(inputs)
        of_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        of_given = None if of_inputs is None else by_step(of_inputs)
        to_state, carried = torch.empty_like(start), torch.zeros_like(start)
        order = list(_order(tape, back=ctx.back))
        for at, earlier in zip(reversed(order), [*reversed(order[:-1]), None], strict=True):
            torch.add(of_states[at], carried, out=to_state)
            before = start if earlier is None else tape.states_at[earlier]
            carried = tape.backward(at, to_state, given[at], before, cell, gradients)
            if of_given is not None:
                to_inputs(tape.at[at], cell.weight, out=of_given[at])
        return of_inputs, carried, *gradients.whole(), None, None


def taken(ctx: Any) -> Any:
    """Return what a pass has left for the way back, which overwrites it."""
    left, ctx.tape = ctx.tape, None
    if left is None:
        raise RuntimeError("the way back can be gone but once: nothing is retained for another")
    return left


def _order(tape: Tape, *, back: bool) -> range:
    return range(tape.steps - 1, -1, -1) if back else range(tape.steps)
