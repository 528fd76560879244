"""The decoder's loop, with a backward pass of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.encoder import taken
from autolfads_trainer.engine.gru import Cell, CellGradients, Gates, Tape, by_step, to_inputs
from autolfads_trainer.engine.products import add_product, over_all_steps, product


class Generator(NamedTuple):
    """What the loop needs of the generator and of the factors.

    Each tensor, here and below, may have a leading axis of members.
    """

    start: Tensor  # (B, G)
    first_factors: Tensor  # (B, F)
    weight: Tensor  # (3G, U + X + 1)  of control, external input and 1
    kernels: Tensor  # (3G, G)
    factors: Tensor  # (F, G)  normalised


class Controller(NamedTuple):
    """What the loop needs of the controller."""

    encoded: Tensor  # (R, B, 2C)
    start: Tensor  # (B, K)
    weight: Tensor  # (3K, 2C + F + 1)  of what the encoder gives, of factors, and of 1
    kernels: Tensor  # (3K, K)
    out_weight: Tensor  # (2U, K)
    out_bias: Tensor  # (2U,)


@dataclass(frozen=True)
class Settings:
    """What has no gradient. None of the masks: nothing is dropped."""

    clip: float
    external: Tensor  # (R, B, X)
    noise: Tensor | None  # (R, B, U)  standard normal; None: the control is its mean
    seen: Tensor | None  # (R, B, 2C + F)  dropout's mask of what the controller sees
    read: Tensor | None  # (R, B, G)  dropout's mask of the states that factors are read from


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


def _each(values: Tensor | None, steps: int) -> tuple[Tensor | None, ...]:
    """Take `(R, B, …)` apart by its steps; what is None is None at each."""
    return (None,) * steps if values is None else by_step(values)


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
        self.masks, self.external = _each(settings.read, steps), by_step(settings.external)
        # What the generator gets: control, external input, and 1.
        self.inputs = states.new_ones(*generator.start.shape[:-1], generator.weight.shape[-1])
        self.dropped = torch.empty_like(generator.start)
        self.controller = None
        if controller is not None:
            before = generator.first_factors, *self.factors_at[:-1]
            self.controller = _Controlled(settings, controller, before)

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
        states_from, factors_from = _each(of_states, steps), _each(of_factors, steps)
        control = self.controller
        back = None
        if control is not None:
            back = _ControlledBack(control, tape, self.cell.weight, of_control)
        of_earlier: Tensor | None = None  # the gradient of this step's factors from the next step
        for step in reversed(range(steps)):
            mask, from_states = self.masks[step], states_from[step]
            _sum_into(of_these, factors_from[step], of_earlier)
            add_product(of_read, self.read_from(step).mT, of_these)
            product(of_these, generator.factors, out=to_state)
            if mask is not None:
                to_state.mul_(mask)
            to_state.add_(carried)
            if from_states is not None:
                to_state.add_(from_states)
            before = tape.states_at[step - 1] if step else tape.start
            given = self.given(step)
            carried = tape.backward(step, to_state, given, before, self.cell, gradients)
            if back is not None:
                of_earlier = back.step(step)
        if of_earlier is None:
            of_earlier = torch.zeros_like(generator.first_factors)
        ours = (carried, of_earlier, *gradients.whole(), of_read.mT)
        return ours if back is None else (*ours, *back.whole())


class _Controlled:
    """The controller's part of the pass."""

    def __init__(self, settings: Settings, given: Controller, factors: tuple[Tensor, ...]) -> None:
        """Take the `factors` of the step before, for each step."""
        steps = len(factors)
        self.parts, self.factors = given, factors
        self.tape = Tape(given.start, steps, settings.clip)
        self.cell = Cell(given.weight, given.kernels)
        states = self.tape.states
        self.co = states.new_empty(*states.shape[:-1], given.out_weight.shape[-2])
        self.means, self.logvars = self.co.chunk(2, dim=-1)
        self.std = states.new_empty(self.means.shape)
        self.control = torch.empty_like(self.std)
        self.co_at, self.mean_at, self.logvar_at, self.std_at, self.control_at = map(
            by_step, (self.co, self.means, self.logvars, self.std, self.control)
        )
        self.encoded, self.noise = by_step(given.encoded), _each(settings.noise, steps)
        # What the controller sees: the encoder's part, the factors of the step before, and 1.
        self.seen = states.new_ones(*given.start.shape[:-1], given.weight.shape[-1])
        split = given.encoded.shape[-1]
        self.seen_encoded, self.seen_factors = self.seen[..., :split], self.seen[..., split:-1]
        masks = settings.seen
        self.masks_encoded = _each(None if masks is None else masks[..., :split], steps)
        self.masks_factors = _each(None if masks is None else masks[..., split:], steps)

    def given(self, step: int) -> Tensor:
        """Return what the controller sees at a step; of the step before it is overwritten."""
        _masked(self.encoded[step], self.masks_encoded[step], self.seen_encoded)
        _masked(self.factors[step], self.masks_factors[step], self.seen_factors)
        return self.seen

    def forward(self, step: int) -> None:
        """Go a step on, and leave the control."""
        parts, tape, drawn = self.parts, self.tape, self.noise[step]
        before = tape.states_at[step - 1] if step else tape.start
        state = tape.forward(step, self.given(step), before, self.cell, step)
        product(state, parts.out_weight.mT, out=self.co_at[step])
        self.co_at[step].add_(parts.out_bias.unsqueeze(-2))
        torch.exp(self.logvar_at[step], out=self.std_at[step]).sqrt_()
        if drawn is None:
            self.control_at[step].copy_(self.mean_at[step])
        else:
            torch.addcmul(self.mean_at[step], self.std_at[step], drawn, out=self.control_at[step])

    def outputs(self) -> tuple[Tensor, ...]:
        """Return states, and the control's means, standard deviations and values."""
        return self.tape.states, self.means, self.std, self.control


class _ControlledBack:
    """The controller's part of the way back."""

    def __init__(
        self,
        control: _Controlled,
        generator: Tape,
        from_inputs: Gates,
        of_outputs: tuple[Tensor | None, ...],
    ) -> None:
        self.control, self.generator, steps = control, generator, control.tape.steps
        self.of_outputs = list(zip(*(_each(each, steps) for each in of_outputs), strict=True))
        self.gradients = CellGradients(control.cell)
        self.carried = torch.zeros_like(control.tape.start)
        self.to_state = torch.empty_like(self.carried)
        self.of_control = torch.empty_like(control.control_at[0])
        self.of_seen = torch.empty_like(control.seen)
        self.of_encoded = torch.empty_like(control.parts.encoded)
        self.of_encoded_at = by_step(self.of_encoded)
        self.of_factors = torch.empty_like(control.factors[0])
        self.of_co = torch.empty_like(control.co)
        of_mean, of_logvar = self.of_co.chunk(2, dim=-1)
        self.of_co_at, self.of_mean_at = by_step(self.of_co), by_step(of_mean)
        self.of_logvar_at = by_step(of_logvar)
        # Of the generator's weights those of the control, columns next to one another: products
        # with so few take a quarter of the time then.
        columns = self.of_control.shape[-1]
        self.from_control = Gates(*(each[..., :columns].mT.contiguous().mT for each in from_inputs))

    def step(self, step: int) -> Tensor:
        """Go back a step; return the gradient of the factors that the controller saw."""
        control, tape = self.control, self.control.tape
        of_states, of_mean, of_std, of_value = self.of_outputs[step]
        of_control = to_inputs(self.generator.at[step], self.from_control, out=self.of_control)
        if of_value is not None:
            of_control.add_(of_value)
        _sum_into(self.of_mean_at[step], of_mean, of_control)
        drawn = control.noise[step]
        to_std = None if drawn is None else of_control.mul_(drawn)
        if of_std is not None:
            to_std = of_std if to_std is None else to_std.add_(of_std)
        if to_std is None:
            self.of_logvar_at[step].zero_()
        else:
            torch.mul(to_std, control.std_at[step], out=self.of_logvar_at[step]).mul_(0.5)
        to_state = product(self.of_co_at[step], control.parts.out_weight, out=self.to_state)
        to_state.add_(self.carried)
        if of_states is not None:
            to_state.add_(of_states)
        before = tape.states_at[step - 1] if step else tape.start
        given = control.given(step)
        self.carried = tape.backward(step, to_state, given, before, control.cell, self.gradients)
        to_inputs(tape.at[step], control.cell.weight, out=self.of_seen)
        split = self.of_encoded.shape[-1]
        _masked(self.of_seen[..., :split], control.masks_encoded[step], self.of_encoded_at[step])
        _masked(self.of_seen[..., split:-1], control.masks_factors[step], self.of_factors)
        return self.of_factors

    def whole(self) -> tuple[Tensor, ...]:
        """Return the gradients of `Controller`."""
        of_co, states = over_all_steps(self.of_co), over_all_steps(self.control.tape.states)
        return (
            self.of_encoded,
            self.carried,
            *self.gradients.whole(),
            torch.matmul(states.mT, of_co).mT,
            of_co.sum(-2),
        )


def _masked(values: Tensor, mask: Tensor | None, out: Tensor) -> None:
    if mask is None:
        out.copy_(values)
    else:
        torch.mul(values, mask, out=out)


def _sum_into(out: Tensor, one: Tensor | None, other: Tensor | None) -> None:
    if one is None:
        one, other = other, None
    if one is None:
        out.zero_()
    elif other is None:
        out.copy_(one)
    else:
        torch.add(one, other, out=out)
