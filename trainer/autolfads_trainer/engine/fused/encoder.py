"""The encoder's GRUs for a GPU: `engine.encoder.SequenceGRU`, whose arguments these are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.engine.encoder import taken
from autolfads_trainer.engine.fused.blocks import Blocks, precision
from autolfads_trainer.engine.fused.encoder_kernels import backward_kernel, forward_kernel
from autolfads_trainer.engine.fused.weights import of_inputs, of_kernels, projected
from autolfads_trainer.engine.gru import clipped_steps


class SequenceGRU(torch.autograd.Function):
    """`apply(inputs, start, weight, kernels, clip, back)`, as `encoder.SequenceGRU`.

    All tensors have a leading axis of members.
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
        members, steps, trials = inputs.shape[:3]
        units = kernels.shape[-1]
        start, kernels = start.contiguous(), kernels.contiguous()
        gates = projected(inputs, weight)  # which leave their place to the gates
        states = gates.new_empty(members, steps, trials, units)
        resets = torch.empty_like(states)
        blocks = Blocks.of(members, trials, units)
        sizes = (steps, trials, units, clip, clipped_steps(steps, clip))
        forward_kernel[blocks.grid(members, trials)](
            gates, resets, states, start, kernels, *sizes, back, *blocks, precision()
        )
        ctx.save_for_backward(inputs, start, weight, kernels)
        ctx.tape = gates, resets, states
        ctx.sizes, ctx.back, ctx.blocks, ctx.precision = sizes, back, blocks, precision()
        return states.view_as(states)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Run back through time."""
        inputs, start, weight, kernels = ctx.saved_tensors
        gates, resets, states = taken(ctx)
        members, _, trials = inputs.shape[:3]
        carried, back = torch.zeros_like(start), ctx.back
        backward_kernel[ctx.blocks.grid(members, trials)](
            gradient.contiguous(),
            gates,
            states,
            start,
            carried,
            kernels,
            *ctx.sizes,
            back,
            *ctx.blocks,
            ctx.precision,
        )
        of_given = None
        if ctx.needs_input_grad[0]:
            of_given = torch.matmul(gates, weight.unsqueeze(1))
        of_weight = of_inputs(gates, inputs)
        return (
            of_given,
            carried,
            of_weight,
            of_kernels(gates, resets, states, start, back=back),
            None,
            None,
        )
