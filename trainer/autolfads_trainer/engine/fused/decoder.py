"""The decoder's loop for a GPU: `engine.decoder.Loop`, whose arguments and outputs these are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.engine.controller import Controller, Settings
from autolfads_trainer.engine.decoder import Generator
from autolfads_trainer.engine.encoder import taken
from autolfads_trainer.engine.fused.blocks import Blocks, at_least, precision
from autolfads_trainer.engine.fused.decoder_kernels import backward_kernel, forward_kernel
from autolfads_trainer.engine.fused.weights import of_inputs, of_kernels, projected
from autolfads_trainer.engine.gru import clipped_steps
from autolfads_trainer.engine.products import over_all_steps


class Loop(torch.autograd.Function):
    """The unrolled decoder: `apply(settings, *Generator, *Controller)`, as `decoder.Loop`.

    All tensors have a leading axis of members.
    """

    @staticmethod
    def forward(ctx: Any, settings: Settings, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run through time."""
        split = len(Generator._fields)
        controller = Controller(*tensors[split:]) if tensors[split:] else None
        ctx.tape = _Unrolled(settings, Generator(*tensors[:split]), controller)
        ctx.set_materialize_grads(False)
        return tuple(output.view_as(output) for output in ctx.tape.forward())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Run back through time."""
        return None, *taken(ctx).backward(*gradients)


class _Unrolled:
    """One pass, and what its backward pass needs of it."""

    def __init__(
        self, settings: Settings, generator: Generator, controller: Controller | None
    ) -> None:
        self.generator = Generator(*(each.contiguous() for each in generator))
        self.controller = controller
        members, trials, units = generator.start.shape
        steps, factors = settings.external.shape[-3], generator.factors.shape[-2]
        new = generator.start.new_empty
        self.shape = members, steps, trials
        self.none = new(0)
        self.clip, self.clipped = settings.clip, clipped_steps(steps, settings.clip)
        self.read_mask, self.noise = _whole(settings.read), _whole(settings.noise)
        self.external = settings.external
        self.states, self.resets = (new(*self.shape, units) for _ in range(2))
        self.gates, self.factors = new(*self.shape, 3 * units), new(*self.shape, factors)
        self.seen_mask: Tensor | None = None
        self.encoded_mask: Tensor | None = None
        self.outputs = self.con_units = 0
        if controller is not None:
            self._controlled(settings, controller)
        self.sizes = (steps, trials, units, factors, self.con_units, self.outputs)
        blocks = Blocks.of(members, trials, units)
        self.grid = blocks.grid(members, trials)
        self.pieces = (
            blocks.rows,
            blocks.columns,
            at_least(self.con_units),
            at_least(factors),
            at_least(self.outputs),
            blocks.inner,
            precision(),
        )

    def _controlled(self, settings: Settings, controller: Controller) -> None:
        """Make room for the controller, and do what is known of its inputs beforehand."""
        new = controller.start.new_empty
        split = controller.encoded.shape[-1]
        self.controller = controller._replace(
            **{name: value.contiguous() for name, value in controller._asdict().items()}
        )
        self.con_units, self.outputs = (
            controller.start.shape[-1],
            controller.out_weight.shape[-2] // 2,
        )
        seen_encoded = controller.encoded
        if settings.seen is not None:
            self.encoded_mask = settings.seen[..., :split]
            self.seen_mask = settings.seen[..., split:].contiguous()
            seen_encoded = controller.encoded * self.encoded_mask
        # Of the controller's inputs those of the encoder, and 1: the factors come in the loop.
        columns = torch.cat([controller.weight[..., :split], controller.weight[..., -1:]], dim=-1)
        ones = controller.encoded.new_ones(*self.shape, 1)
        self.con_inputs = torch.cat([seen_encoded, ones], dim=-1)
        self.con_gates = projected(self.con_inputs, columns)
        self.con_states, self.con_resets = (new(*self.shape, self.con_units) for _ in range(2))
        self.means, self.stds, self.controls = (new(*self.shape, self.outputs) for _ in range(3))

    def forward(self) -> tuple[Tensor, ...]:
        """Go through all steps; return what `Loop` returns."""
        generator, none = self.generator, self.none
        given = self._given()
        of_controller: tuple[Any, ...] = (*(none,) * 3, 0, *(none,) * 11)
        if (controller := self.controller) is not None:
            split = controller.encoded.shape[-1]
            of_controller = (
                self.con_gates,
                controller.start,
                controller.weight[..., split:],
                controller.weight.shape[-1],
                controller.kernels,
                controller.out_weight,
                controller.out_bias,
                _or(self.seen_mask, none),
                _or(self.noise, none),
                self.con_gates,
                self.con_resets,
                self.con_states,
                self.means,
                self.stds,
                self.controls,
            )
        forward_kernel[self.grid](
            given,
            given.stride(0),
            given.stride(1),
            given.stride(2),
            generator.start,
            generator.first_factors,
            generator.weight,
            generator.weight.shape[-1],
            generator.kernels,
            generator.factors,
            _or(self.read_mask, none),
            self.gates,
            self.resets,
            self.states,
            self.factors,
            *of_controller,
            *self.sizes,
            self.clip,
            self.clipped,
            self.controller is not None,
            self.read_mask is not None,
            self.seen_mask is not None,
            self.noise is not None,
            *self.pieces,
        )
        if controller is None:
            empty = self.factors[..., :0]
            return self.states, self.factors, empty, empty, empty, empty
        return self.states, self.factors, self.con_states, self.means, self.stds, self.controls

    def _given(self) -> Tensor:
        """Return what external input and bias add to the generator's gates, `(M, R, B, 3G)`."""
        weight, (members, steps, trials) = self.generator.weight, self.shape
        bias = weight[..., -1].contiguous()
        if not self.external.shape[-1]:
            return bias[:, None, None, :].expand(members, steps, trials, -1)
        return projected(self.external, weight[..., self.outputs : -1]) + bias[:, None, None, :]

    def backward(
        self,
        of_states: Tensor | None,
        of_factors: Tensor | None,
        of_con_states: Tensor | None = None,
        of_means: Tensor | None = None,
        of_stds: Tensor | None = None,
        of_values: Tensor | None = None,
    ) -> tuple[Tensor | None, ...]:
        """Go back through all steps; return the gradients of generator and controller."""
        generator, none = self.generator, self.none
        # To which what the controller saw of them is added.
        to_factors = torch.zeros_like(self.factors) if of_factors is None else of_factors.clone()
        to_factors = to_factors.contiguous()
        of_first = torch.zeros_like(generator.first_factors)
        carried = torch.zeros_like(generator.start)
        found = [_whole(each) for each in (of_con_states, of_means, of_stds, of_values)]
        of_controller: tuple[Any, ...] = (*(none,) * 6, 0, *(none,) * 9)
        of_out = con_carried = none
        if (controller := self.controller) is not None:
            of_out = controller.start.new_empty(*self.shape, 2 * self.outputs)
            con_carried = torch.zeros_like(controller.start)
            of_controller = (
                *(_or(each, none) for each in found),
                controller.start,
                controller.weight[..., controller.encoded.shape[-1] :],
                controller.weight.shape[-1],
                controller.kernels,
                controller.out_weight,
                _or(self.seen_mask, none),
                _or(self.noise, none),
                self.con_gates,
                self.con_states,
                self.stds,
                of_out,
                con_carried,
            )
        backward_kernel[self.grid](
            _or(_whole(of_states), none),
            to_factors,
            of_first,
            generator.start,
            generator.weight,
            generator.weight.shape[-1],
            generator.kernels,
            generator.factors,
            _or(self.read_mask, none),
            self.gates,
            self.states,
            carried,
            *of_controller,
            *self.sizes,
            self.clip,
            self.clipped,
            controller is not None,
            self.read_mask is not None,
            self.seen_mask is not None,
            self.noise is not None,
            of_states is not None,
            *(each is not None and controller is not None for each in found),
            *self.pieces,
        )
        ours = (carried, of_first, *self._generators(), self._readers(to_factors))
        if controller is None:
            return ours
        return (*ours, *self._controllers(controller, of_out, con_carried))

    def _generators(self) -> tuple[Tensor, Tensor]:
        """Return the gradients of the generator's weights and kernels."""
        parts = [self.external, self.external.new_ones(*self.shape, 1)]
        if self.controller is not None:
            parts.insert(0, self.controls)
        inputs = torch.cat(parts, dim=-1)
        kernels = of_kernels(self.gates, self.resets, self.states, self.generator.start)
        return of_inputs(self.gates, inputs), kernels

    def _readers(self, of_factors: Tensor) -> Tensor:
        """Return the gradient of what reads factors from states."""
        states = self.states if self.read_mask is None else self.states * self.read_mask
        return torch.bmm(over_all_steps(of_factors).mT, over_all_steps(states))

    def _controllers(
        self, controller: Controller, of_out: Tensor, carried: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the gradients of `Controller`."""
        split, gates = controller.encoded.shape[-1], self.con_gates
        of_encoded = torch.matmul(gates, controller.weight[..., :split].unsqueeze(1))
        if self.encoded_mask is not None:
            of_encoded *= self.encoded_mask
        first = self.generator.first_factors.unsqueeze(1)
        seen = torch.cat([first, self.factors[:, :-1]], dim=1)
        if self.seen_mask is not None:
            seen *= self.seen_mask
        of_known = of_inputs(gates, self.con_inputs)
        weight = torch.cat(
            [of_known[..., :split], of_inputs(gates, seen), of_known[..., split:]], dim=-1
        )
        kernels = of_kernels(gates, self.con_resets, self.con_states, controller.start)
        of_out, states = over_all_steps(of_out), over_all_steps(self.con_states)
        return of_encoded, carried, weight, kernels, torch.bmm(of_out.mT, states), of_out.sum(1)


def _whole(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.contiguous()


def _or(values: Tensor | None, none: Tensor) -> Tensor:
    return none if values is None else values
