"""The controller's part of the decoder's loop, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.gru import Cell, CellGradients, Gates, Tape, by_step, to_inputs
from autolfads_trainer.engine.products import over_all_steps, product


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


class Controlled:
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
        self.encoded, self.noise = by_step(given.encoded), each_step(settings.noise, steps)
        # What the controller sees: the encoder's part, the factors of the step before, and 1.
        self.seen = states.new_ones(*given.start.shape[:-1], given.weight.shape[-1])
        split = given.encoded.shape[-1]
        self.seen_encoded, self.seen_factors = self.seen[..., :split], self.seen[..., split:-1]
        masks = settings.seen
        self.masks_encoded = each_step(None if masks is None else masks[..., :split], steps)
        self.masks_factors = each_step(None if masks is None else masks[..., split:], steps)

    def given(self, step: int) -> Tensor:
        """Return what the controller sees at a step; of the step before it is overwritten."""
        _masked(self.encoded[step], self.masks_encoded[step], self.seen_encoded)
        _masked(self.factors[step], self.masks_factors[step], self.seen_factors)
        return self.seen

    def forward(self, step: int) -> None:
        """Go a step on, and leave the control."""
        parts, tape, drawn = self.parts, self.tape, self.noise[step]
        state = tape.forward(step, self.given(step), tape.before(step), self.cell, step)
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


class ControlledBack:
    """The controller's part of the way back."""

    def __init__(
        self,
        control: Controlled,
        generator: Tape,
        from_inputs: Gates,
        of_outputs: tuple[Tensor | None, ...],
    ) -> None:
        self.control, self.generator, steps = control, generator, control.tape.steps
        self.of_outputs = list(zip(*(each_step(each, steps) for each in of_outputs), strict=True))
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
        sum_into(self.of_mean_at[step], of_mean, of_control)
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
        before, given = tape.before(step), control.given(step)
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


def each_step(values: Tensor | None, steps: int) -> tuple[Tensor | None, ...]:
    """Take `(R, B, …)` apart by its steps; what is None is None at each."""
    return (None,) * steps if values is None else by_step(values)


def sum_into(out: Tensor, one: Tensor | None, other: Tensor | None) -> None:
    """Write the sum of what there is into `out`."""
    if one is None:
        one, other = other, None
    if one is None:
        out.zero_()
    elif other is None:
        out.copy_(one)
    else:
        torch.add(one, other, out=out)
