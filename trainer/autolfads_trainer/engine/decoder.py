"""The decoder's loop, with a backward pass of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.controller import (
    Controlled,
    ControlledBack,
    Controller,
    Settings,
    each_step,
    sum_into,
)
from autolfads_trainer.engine.encoder import taken
from autolfads_trainer.engine.gru import Cell, CellGradients, Tape, by_step
from autolfads_trainer.engine.products import add_product, product


class Generator(NamedTuple):
    """What the loop needs of the generator and of the factors.

    Each tensor, here and below, may have a leading axis of members.
    """

    start: Tensor  # (B, G)
    first_factors: Tensor  # (B, F)
    weight: Tensor  # (3G, U + X + 1)  of control, external input and 1
    kernels: Tensor  # (3G, G)
    factors: Tensor  # (F, G)  normalised


class Loop(torch.autograd.Function):
    """The unrolled decoder: `apply(settings, *Generator, *Controller)`, the last if there is one.

    Returns generator states `(R, B, G)`, factors `(R, B, F)`, controller states `(R, B, K)`, and
    means, standard deviations and values of the control, each `(R, B, U)`; the last four are empty
    without a controller.
    """

    @staticmethod
    def forward(ctx: Any, settings: Settings, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run through time."""
        split = len(Generator._fields)
        controller = Controller(*tensors[split:]) if tensors[split:] else None
        unrolled = _Unrolled(settings, Generator(*tensors[:split]), controller)
        outputs = unrolled.forward()
        ctx.tape = unrolled
        ctx.set_materialize_grads(False)
        return tuple(output.view_as(output) for output in outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run back through time."""
        return None, *taken(ctx).backward(*gradients)


class _Unrolled:
    """One pass, and what its backward pass needs of it."""

    def __init__(
        self, settings: Settings, generator: Generator, controller: Controller | None
    ) -> None:
        self.settings, self.generator = settings, generator
        steps = self.steps = settings.external.shape[-3]
        self.tape = Tape(generator.start, steps, settings.clip)
        self.cell = Cell(generator.weight, generator.kernels)
        states = self.tape.states
        self.factors = states.new_empty(*states.shape[:-1], generator.factors.shape[-2])
        self.factors_at = by_step(self.factors)
        self.masks, self.external = each_step(settings.read, steps), by_step(settings.external)
        # What the generator gets: control, external input, and 1.
        self.inputs = states.new_ones(*generator.start.shape[:-1], generator.weight.shape[-1])
        self.dropped = torch.empty_like(generator.start)
        self.controller = None
        if controller is not None:
            before = generator.first_factors, *self.factors_at[:-1]
            self.controller = Controlled(settings, controller, before)

    def given(self, step: int) -> Tensor:
        """Return the generator's inputs at a step; of the step before they are overwritten."""
        outputs = 0
        if self.controller is not None:
            control = self.controller.control_at[step]
            outputs = control.shape[-1]
            self.inputs[..., :outputs].copy_(control)
        if self.settings.external.shape[-1]:
            self.inputs[..., outputs:-1].copy_(self.external[step])
        return self.inputs

    def read_from(self, step: int) -> Tensor:
        """Return the states that factors are read from at a step, overwritten with the next."""
        state, mask = self.tape.states_at[step], self.masks[step]
        return state if mask is None else torch.mul(state, mask, out=self.dropped)

    def forward(self) -> tuple[Tensor, ...]:
        """Go through all steps; return what `Loop` returns."""
        read, state = self.generator.factors.mT, self.generator.start
        for step, factors in enumerate(self.factors_at):
            if self.controller is not None:
                self.controller.forward(step)
            state = self.tape.forward(step, self.given(step), state, self.cell, step)
            product(self.read_from(step), read, out=factors)
        if self.controller is None:
            none = self.factors[..., :0]
            return self.tape.states, self.factors, none, none, none, none
        return self.tape.states, self.factors, *self.controller.outputs()

    def backward(
        self, of_states: Tensor | None, of_factors: Tensor | None, *of_control: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Go back through all steps; return the gradients of generator and controller."""
        generator, tape, steps = self.generator, self.tape, self.steps
        gradients = CellGradients(self.cell)
        of_read = torch.zeros_like(generator.factors.mT)
        of_these, to_state = torch.empty_like(generator.first_factors), torch.empty_like(tape.start)
        carried = torch.zeros_like(tape.start)
        states_from, factors_from = each_step(of_states, steps), each_step(of_factors, steps)
        control = self.controller
        back = None
        if control is not None:
            back = ControlledBack(control, tape, self.cell.weight, of_control)
        of_earlier: Tensor | None = None  # the gradient of this step's factors from the next step
        for step in reversed(range(steps)):
            mask, from_states = self.masks[step], states_from[step]
            sum_into(of_these, factors_from[step], of_earlier)
            add_product(of_read, self.read_from(step).mT, of_these)
            product(of_these, generator.factors, out=to_state)
            if mask is not None:
                to_state.mul_(mask)
            to_state.add_(carried)
            if from_states is not None:
                to_state.add_(from_states)
            before, given = tape.before(step), self.given(step)
            carried = tape.backward(step, to_state, given, before, self.cell, gradients)
            if back is not None:
                of_earlier = back.step(step)
        if of_earlier is None:
            of_earlier = torch.zeros_like(generator.first_factors)
        ours = (carried, of_earlier, *gradients.whole(), of_read.mT)
        return ours if back is None else (*ours, *back.whole())
