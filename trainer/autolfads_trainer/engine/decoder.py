"""The decoder's loop, with a backward pass of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.gru import Gradients, Kernels, Tape


class Controller(NamedTuple):
    """What the loop needs of the controller; time is the first axis."""

    gates: Tensor  # (R, B, 2K)  what its gates get from the encoder, bias included
    candidates: Tensor  # (R, B, K)
    start: Tensor  # (B, K)
    from_factors: Tensor  # (3K, F)  the part of `weight_ih` for the factors
    kernels: Tensor  # (3K, K)
    out_weight: Tensor  # (2U, K)
    out_bias: Tensor  # (2U,)
    from_control: Tensor  # (3G, U)  the part of the generator's `weight_ih` for the control


class Generator(NamedTuple):
    """What the loop needs of the generator and of the factors."""

    gates: Tensor  # (R, B, 2G)  what its gates get from external input, bias included
    candidates: Tensor  # (R, B, G)
    start: Tensor  # (B, G)
    kernels: Tensor  # (3G, G)
    factors: Tensor  # (F, G)  normalised
    first_factors: Tensor  # (B, F)


class Masks(NamedTuple):
    """What dropout multiplies with, or None where nothing is dropped."""

    controller: Tensor | None  # (R, B, F)  the factors that the controller sees
    factors: Tensor | None  # (R, B, G)  the states that the factors are read from


@dataclass(frozen=True)
class Settings:
    """What is no tensor."""

    clip: float
    has_controller: bool
    noise: Tensor | None  # (R, B, U)  standard normal; None: the control is its mean
    masks: Masks


class Loop(torch.autograd.Function):
    """The unrolled decoder: `apply(settings, *Generator, *Controller)`.

    Returns generator states `(R, B, G)`, factors `(R, B, F)`, controller states `(R, B, K)`, and
    means, standard deviations and values of the control, each `(R, B, U)`; the last four are empty
    without a controller.
    """

    @staticmethod
    def forward(ctx: Any, settings: Settings, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run through time."""
        unrolled = _Unrolled(settings, *_parts(tensors, settings))
        outputs = unrolled.forward()
        ctx.unrolled = unrolled
        ctx.set_materialize_grads(False)
        return tuple(output.view_as(output) for output in outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run back through time."""
        return None, *ctx.unrolled.backward(*gradients)


def _parts(tensors: tuple[Tensor, ...], settings: Settings) -> tuple[Generator, Controller | None]:
    split = len(Generator._fields)
    controller = Controller(*tensors[split:]) if settings.has_controller else None
    return Generator(*tensors[:split]), controller


class _Unrolled:
    """One pass, and what its backward pass needs of it."""

    def __init__(
        self, settings: Settings, generator: Generator, controller: Controller | None
    ) -> None:
        self.settings, self.generator, self.controller = settings, generator, controller
        # The inputs' memory becomes the gates': the caller has made it for this.
        self.tape = Tape(generator.gates, generator.candidates, settings.clip)
        steps, trials, _ = generator.gates.shape
        self.factors = generator.start.new_empty(steps, trials, generator.factors.shape[0])
        masks = settings.masks
        self.dropped = self.tape.states
        if masks.factors is not None:
            self.dropped = torch.empty_like(self.tape.states)
        if controller is not None:
            self.con_tape = Tape(controller.gates, controller.candidates, settings.clip)
            self.co = controller.start.new_empty(steps, trials, controller.out_weight.shape[0])
            outputs = controller.out_weight.shape[0] // 2
            self.std = self.co.new_empty(steps, trials, outputs)
            self.control = torch.empty_like(self.std)
            # The factors as the controller sees them, of the step before.
            self.seen = self.factors.new_empty(self.factors.shape)

    def forward(self) -> tuple[Tensor, ...]:
        generator, kernels = self.generator, Kernels.of(self.generator.kernels)
        read = generator.factors.t()
        state, factors = generator.start, generator.first_factors
        mask = self.settings.masks.factors
        dropped, into = self.dropped.unbind(0), self.factors.unbind(0)
        drive = self._driver()
        for step in range(len(into)):
            drive(step, factors)
            state = self.tape.forward(step, state, kernels, step)
            if mask is not None:
                torch.mul(state, mask[step], out=dropped[step])
            factors = torch.mm(dropped[step], read, out=into[step])
        if self.controller is None:
            none = self.factors.new_empty(*self.factors.shape[:2], 0)
            return self.tape.states, self.factors, none, none, none, none
        means = self.co[..., : self.std.shape[-1]]
        return (
            self.tape.states,
            self.factors,
            self.con_tape.states,
            means,
            self.std,
            self.control,
        )

    def _driver(self) -> Any:
        """Return what takes the controller a step on, and its output to the generator."""
        controller = self.controller
        if controller is None:
            return lambda step, factors: None
        kernels = Kernels.of(controller.kernels)
        units = controller.kernels.shape[1]
        to_gates = controller.from_factors[: 2 * units].t()
        to_candidate = controller.from_factors[2 * units :].t()
        out_weight, gen_units = controller.out_weight.t(), self.generator.kernels.shape[1]
        gen_gates = controller.from_control[: 2 * gen_units].t()
        gen_candidate = controller.from_control[2 * gen_units :].t()
        noise, mask = self.settings.noise, self.settings.masks.controller
        seen, co = self.seen.unbind(0), self.co.unbind(0)
        means, logvars = self.co.chunk(2, dim=-1)
        mean, logvar = means.unbind(0), logvars.unbind(0)
        std, control = self.std.unbind(0), self.control.unbind(0)
        con_gates, con_candidates = controller.gates.unbind(0), controller.candidates.unbind(0)
        gates, candidates = self.generator.gates.unbind(0), self.generator.candidates.unbind(0)
        state = controller.start

        def drive(step: int, factors: Tensor) -> None:
            nonlocal state
            if mask is None:
                seen[step].copy_(factors)
            else:
                torch.mul(factors, mask[step], out=seen[step])
            con_gates[step].addmm_(seen[step], to_gates)
            con_candidates[step].addmm_(seen[step], to_candidate)
            state = self.con_tape.forward(step, state, kernels, step)
            torch.addmm(controller.out_bias, state, out_weight, out=co[step])
            torch.exp(logvar[step], out=std[step]).sqrt_()
            if noise is None:
                control[step].copy_(mean[step])
            else:
                torch.addcmul(mean[step], std[step], noise[step], out=control[step])
            gates[step].addmm_(control[step], gen_gates)
            candidates[step].addmm_(control[step], gen_candidate)

        return drive

    def backward(
        self,
        of_states: Tensor | None,
        of_factors: Tensor | None,
        of_con: Tensor | None,
        of_mean: Tensor | None,
        of_std: Tensor | None,
        of_control: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        generator, tape = self.generator, self.tape
        kernels, gradients = Kernels.of(generator.kernels), Gradients(tape)
        steps, states = self.factors.shape[0], tape.states.unbind(0)
        d_factors = torch.empty_like(self.factors)
        factors_at = d_factors.unbind(0)
        carried = torch.zeros_like(generator.start)
        scratch = carried.new_empty(3, *carried.shape)
        to_state = torch.empty_like(carried)
        mask = self.settings.masks.factors
        back = _ControllerBack(self, of_con, of_mean, of_std, of_control)
        of_earlier: Tensor | None = None  # the gradient of this step's factors from the next step
        for step in reversed(range(steps)):
            into = factors_at[step]
            _sum_into(into, None if of_factors is None else of_factors[step], of_earlier)
            torch.mm(into, generator.factors, out=to_state)
            if mask is not None:
                to_state.mul_(mask[step])
            to_state.add_(carried)
            if of_states is not None:
                to_state.add_(of_states[step])
            earlier = states[step - 1] if step else generator.start
            carried = tape.backward(
                step, to_state, earlier, kernels, gradients.steps[step], scratch
            )
            of_earlier = back.step(step, gradients)
        d_read = torch.mm(d_factors.flatten(0, 1).t(), self.dropped.flatten(0, 1))
        d_kernels = gradients.of_kernels(tape, generator.start, backwards=False)
        first = of_earlier if of_earlier is not None else torch.zeros_like(self.factors[0])
        ours = (gradients.gates, gradients.candidates, carried, d_kernels, d_read, first)
        return *ours, *back.whole(gradients)


class _ControllerBack:
    """The controller's part of the backward pass; without a controller it does nothing."""

    def __init__(
        self,
        unrolled: _Unrolled,
        of_con: Tensor | None,
        of_mean: Tensor | None,
        of_std: Tensor | None,
        of_control: Tensor | None,
    ) -> None:
        self.unrolled, self.controller = unrolled, unrolled.controller
        if self.controller is None:
            return
        self.given = (of_con, of_mean, of_std, of_control)
        tape = unrolled.con_tape
        self.kernels, self.gradients = Kernels.of(self.controller.kernels), Gradients(tape)
        self.states = tape.states.unbind(0)
        self.carried = torch.zeros_like(self.controller.start)
        self.scratch = self.carried.new_empty(3, *self.carried.shape)
        self.to_state = torch.empty_like(self.carried)
        self.d_co = torch.empty_like(unrolled.co)
        outputs = unrolled.std.shape[-1]
        self.d_mean = self.d_co[..., :outputs].unbind(0)
        self.d_logvar = self.d_co[..., outputs:].unbind(0)
        self.d_co_at = self.d_co.unbind(0)
        self.of_factors = torch.empty_like(unrolled.factors[0])

    def step(self, step: int, generator: Gradients) -> Tensor | None:
        """Go back a step; return the gradient of the factors that the controller saw."""
        controller, unrolled = self.controller, self.unrolled
        if controller is None:
            return None
        of_con, of_mean, of_std, of_control = self.given
        units, gen_units = self.gradients.units, generator.units
        gates, _, _, candidates = generator.steps[step]
        d_control = torch.mm(gates, controller.from_control[: 2 * gen_units])
        d_control.addmm_(candidates, controller.from_control[2 * gen_units :])
        if of_control is not None:
            d_control.add_(of_control[step])
        _sum_into(self.d_mean[step], None if of_mean is None else of_mean[step], d_control)
        std, noise = unrolled.std[step], unrolled.settings.noise
        d_std = None if noise is None else d_control.mul_(noise[step])
        if of_std is not None:
            d_std = of_std[step] if d_std is None else d_std.add_(of_std[step])
        if d_std is None:
            self.d_logvar[step].zero_()
        else:
            torch.mul(d_std, std, out=self.d_logvar[step]).mul_(0.5)
        torch.mm(self.d_co_at[step], controller.out_weight, out=self.to_state)
        self.to_state.add_(self.carried)
        if of_con is not None:
            self.to_state.add_(of_con[step])
        earlier = self.states[step - 1] if step else controller.start
        into = self.gradients.steps[step]
        self.carried = unrolled.con_tape.backward(
            step, self.to_state, earlier, self.kernels, into, self.scratch
        )
        torch.mm(into[0], controller.from_factors[: 2 * units], out=self.of_factors)
        self.of_factors.addmm_(into[3], controller.from_factors[2 * units :])
        mask = unrolled.settings.masks.controller
        return self.of_factors if mask is None else self.of_factors.mul_(mask[step])

    def whole(self, generator: Gradients) -> tuple[Tensor, ...]:
        """Return the gradients of `Controller`, as products over all steps at once."""
        controller, unrolled = self.controller, self.unrolled
        if controller is None:
            return ()
        ours, tape = self.gradients, unrolled.con_tape
        seen, control = unrolled.seen.flatten(0, 1), unrolled.control.flatten(0, 1)
        d_co = self.d_co.flatten(0, 1)
        return (
            ours.gates,
            ours.candidates,
            self.carried,
            ours.of_weight(seen),
            ours.of_kernels(tape, controller.start, backwards=False),
            torch.mm(d_co.t(), tape.states.flatten(0, 1)),
            d_co.sum(0),
            generator.of_weight(control),
        )


def _sum_into(out: Tensor, one: Tensor | None, other: Tensor | None) -> None:
    if one is None:
        one, other = other, None
    if one is None:
        out.zero_()
    elif other is None:
        out.copy_(one)
    else:
        torch.add(one, other, out=out)
