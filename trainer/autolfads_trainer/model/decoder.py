"""The decoder: generator, controller and factors, unrolled from the initial condition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autolfads_trainer.model.linear import FanInLinear, NormalizedLinear
from autolfads_trainer.model.noise import Noise, dropout
from autolfads_trainer.model.recurrent import ClippedGRUCell
from autolfads_trainer.model.sizes import Sizes


@dataclass(frozen=True)
class Unrolled:
    """What the decoder went through. Time is the first axis."""

    gen_init: Tensor  # (B, G)
    gen_states: Tensor  # (R, B, G)
    con_states: Tensor  # (R, B, K)
    co_means: Tensor  # (R, B, U)
    co_stds: Tensor  # (R, B, U)
    gen_inputs: Tensor  # (R, B, U + X)
    factors: Tensor  # (R, B, F)


class DecoderCell(nn.Module):
    """The layers that one step of the decoder uses."""

    def __init__(self, sizes: Sizes, cell_clip: float, generator: torch.Generator) -> None:
        super().__init__()
        self.gen_cell = ClippedGRUCell(
            sizes.co_dim + sizes.ext_input_dim, sizes.gen_dim, cell_clip, generator, fan_in=True
        )
        self.fac_linear = NormalizedLinear(sizes.gen_dim, sizes.fac_dim, generator)
        if sizes.has_controller:
            self.con_cell = ClippedGRUCell(
                2 * sizes.ci_enc_dim + sizes.fac_dim,
                sizes.con_dim,
                cell_clip,
                generator,
                fan_in=True,
            )
            self.co_linear = FanInLinear(sizes.con_dim, 2 * sizes.co_dim, generator)


class DecoderRNN(nn.Module):
    """Holds the cell under the name that checkpoints give it."""

    def __init__(self, sizes: Sizes, cell_clip: float, generator: torch.Generator) -> None:
        super().__init__()
        self.cell = DecoderCell(sizes, cell_clip, generator)


class Decoder(nn.Module):
    """Unrolls the generator from its start state, driven by the controller and external input."""

    def __init__(self, sizes: Sizes, cell_clip: float, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        self.ic_to_g0 = FanInLinear(sizes.ic_dim, sizes.gen_dim, generator)
        self.con_h0 = nn.Parameter(torch.zeros(1, sizes.con_dim))
        self.rnn = DecoderRNN(sizes, cell_clip, generator)

    def forward(
        self,
        initial_condition: Tensor,
        controller_input: Tensor,
        ext_input: Tensor,
        noise: Noise | None,
        dropout_rate: Tensor | None,
        *,
        sample: Callable[[Tensor, Tensor, Tensor], Tensor] | None,
    ) -> Unrolled:
        """Unroll R steps from `initial_condition (B, I)`.

        `controller_input` is `(R, B, 2C)`; `ext_input (steps ≤ R, B, X)` is padded with zeros.
        With `sample` (`Prior.sample`) the controller's output is drawn by `noise.co_sample`, else
        its mean is used. Dropout acts where there is `noise` and a rate.
        """
        sizes = self.sizes
        cell = self.rnn.cell
        missing = sizes.recon_seq_len - ext_input.shape[0]
        ext_input = nn.functional.pad(ext_input, (0, 0, 0, 0, 0, missing))
        ext_input = dropout(ext_input, noise.ext_input if noise else None, dropout_rate)

        gen_init = self.ic_to_g0(initial_condition)
        gen_state = gen_init
        factors = cell.fac_linear(
            dropout(gen_init, noise.generator_start if noise else None, dropout_rate)
        )
        con_state = self.con_h0.expand(gen_init.shape[0], -1)

        gen_kernels = cell.gen_cell.kernels()
        con_kernels = cell.con_cell.kernels() if sizes.has_controller else None
        history: list[tuple[Tensor, ...]] = []
        # unbind: autograd would add up a tensor of full size for every step that is indexed.
        steps = zip(controller_input.unbind(0), ext_input.unbind(0), strict=True)
        for step, (encoded, external) in enumerate(steps):
            gen_input = external
            co_mean = co_std = gen_input[:, :0]
            if con_kernels is not None:
                con_input = torch.cat([encoded, factors], dim=1)
                con_input = dropout(
                    con_input, noise.controller[step] if noise else None, dropout_rate
                )
                con_state = cell.con_cell(cell.con_cell.project(con_input), con_state, con_kernels)
                co_mean, co_logvar = cell.co_linear(con_state).chunk(2, dim=1)
                co_std = torch.sqrt(torch.exp(co_logvar))
                control = co_mean
                if sample is not None and noise is not None:
                    control = sample(co_mean, co_std, noise.co_sample[step])
                gen_input = torch.cat([control, gen_input], dim=1)
            gen_state = cell.gen_cell(cell.gen_cell.project(gen_input), gen_state, gen_kernels)
            factors = cell.fac_linear(
                dropout(gen_state, noise.factors[step] if noise else None, dropout_rate)
            )
            history.append((gen_state, con_state, co_mean, co_std, gen_input, factors))
        states = [torch.stack(part) for part in zip(*history, strict=True)]
        return Unrolled(gen_init, *states)
