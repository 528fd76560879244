"""A GRU over the encoder's input with a backward pass of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.engine.gru import Gradients, Kernels, Tape


class SequenceGRU(torch.autograd.Function):
    """`model.recurrent.ClippedGRU`: `apply(inputs, start, weight_ih, weight_hh, bias, clip, back)`.

    Takes `inputs (T, B, in)`, the start state `(B, H)`, the weights `(3H, in)` and `(3H, H)` and
    the bias `(3H,)` to all states `(T, B, H)`, in the order of time; with `back` time runs from
    the end. Weights' gradients are products over all steps at once, after the loop.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        start: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        clip: float,
        back: bool,
    ) -> Tensor:
        """Run through time."""
        steps, trials, _ = inputs.shape
        units = weight_hh.shape[1]
        flat = inputs.flatten(0, 1)
        gates = torch.addmm(bias[: 2 * units], flat, weight_ih[: 2 * units].t())
        candidates = torch.addmm(bias[2 * units :], flat, weight_ih[2 * units :].t())
        tape = Tape(gates.view(steps, trials, -1), candidates.view(steps, trials, -1), clip)
        kernels = Kernels.of(weight_hh)
        state = start
        for number, at in enumerate(_order(steps, back=back)):
            state = tape.forward(at, state, kernels, number)
        ctx.tape, ctx.back = tape, back
        ctx.save_for_backward(inputs, start, weight_ih, weight_hh)
        return tape.states.view_as(tape.states)  # not what the tape holds: that would hold itself

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Run back through time."""
        inputs, start, weight_ih, weight_hh = ctx.saved_tensors
        tape: Tape = ctx.tape
        kernels, gradients = Kernels.of(weight_hh), Gradients(tape)
        given, states = gradient.unbind(0), tape.states.unbind(0)
        scratch = tape.states.new_empty(3, *start.shape)
        order = list(_order(len(given), back=ctx.back))
        carried = torch.zeros_like(start)
        for at, earlier in zip(reversed(order), [*reversed(order[:-1]), None], strict=True):
            carried = tape.backward(
                at,
                given[at] + carried,
                start if earlier is None else states[earlier],
                kernels,
                gradients.steps[at],
                scratch,
            )
        gates, candidates = gradients.gates.flatten(0, 1), gradients.candidates.flatten(0, 1)
        d_weight = gradients.of_weight(inputs.flatten(0, 1))
        units = weight_hh.shape[1]
        d_bias = torch.cat([gates.sum(0), candidates.sum(0)])
        d_inputs = None
        if ctx.needs_input_grad[0]:
            d_inputs = torch.mm(gates, weight_ih[: 2 * units])
            d_inputs = d_inputs.addmm_(candidates, weight_ih[2 * units :]).view_as(inputs)
        d_kernels = gradients.of_kernels(tape, start, backwards=ctx.back)
        return d_inputs, carried, d_weight, d_kernels, d_bias, None, None


def _order(steps: int, *, back: bool) -> range:
    return range(steps - 1, -1, -1) if back else range(steps)
