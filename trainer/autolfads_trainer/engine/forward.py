"""A pass of LFADS by the engine: the same numbers as `LFADS.forward` gives, in less time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear, normalize, pad

from autolfads_trainer.engine.decoder import Controller, Generator, Loop, Masks, Settings
from autolfads_trainer.engine.encoder import SequenceGRU
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Noise, dropout
from autolfads_trainer.model.recurrent import BidirectionalGRU


@dataclass(frozen=True)
class Pass:
    """What one pass gives, time first. Names are `LFADSOutput`'s, but for the first."""

    log_rates: Tensor  # (R, B, N)
    factors: Tensor  # (R, B, F)
    ic_mean: Tensor  # (B, I)
    ic_std: Tensor  # (B, I)
    co_means: Tensor  # (R, B, U)
    co_stds: Tensor  # (R, B, U)
    gen_states: Tensor  # (R, B, G)
    gen_init: Tensor  # (B, G)
    gen_inputs: Tensor  # (R, B, U + X)
    con_states: Tensor  # (R, B, K)

    def trials_first(self) -> LFADSOutput:
        """Return it as the model does."""
        turned = {
            name: value if value.dim() == 2 else value.transpose(0, 1)
            for name, value in vars(self).items()
        }
        return LFADSOutput(output_params=turned.pop("log_rates").unsqueeze(-1), **turned)


def forward(
    model: LFADS,
    encod_data: Tensor,
    ext_input: Tensor | None = None,
    *,
    noise: Noise | None = None,
    dropout_rate: Tensor | None = None,
    sample: bool = False,
) -> LFADSOutput:
    """Infer the rates of `encod_data (B, T, D)`: arguments and outputs are `LFADS.forward`'s."""
    if ext_input is None:
        ext_input = encod_data.new_zeros(*encod_data.shape[:2], model.sizes.ext_input_dim)
    data, external = encod_data.transpose(0, 1).contiguous(), ext_input.transpose(0, 1)
    return unrolled(model, data, external, noise, dropout_rate, sample=sample).trials_first()


def unrolled(
    model: LFADS,
    data: Tensor,
    ext_input: Tensor,
    noise: Noise | None,
    dropout_rate: Tensor | None,
    *,
    sample: bool,
) -> Pass:
    """Infer the rates of `data (T, B, D)`, with `ext_input (steps ≤ R, B, X)`."""
    data = dropout(model.readin[0](data), noise.encoder if noise else None, dropout_rate)
    ic_mean, ic_std = _initial_condition(model, data, noise, dropout_rate)
    start = ic_mean
    if sample and noise is not None:
        start = ic_mean + ic_std * noise.ic_sample
    gen_init = model.decoder.ic_to_g0(start)
    states, factors, con_states, means, stds, control, external = _unroll(
        model, gen_init, data, ext_input, noise, dropout_rate, sample=sample
    )
    return Pass(
        log_rates=model.readout[0](factors),
        factors=factors,
        ic_mean=ic_mean,
        ic_std=ic_std,
        co_means=means,
        co_stds=stds,
        gen_states=states,
        gen_init=gen_init,
        gen_inputs=torch.cat([control, external], dim=2),
        con_states=con_states,
    )


def _both_ways(gru: BidirectionalGRU, data: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    trials = data.shape[1]
    states = []
    for back, cell in enumerate((gru.fwd_gru.cell, gru.bwd_gru.cell)):
        weights = cell.weight_ih, cell.weight_hh, cell.bias_ih
        first = start[back].expand(trials, -1).contiguous()
        states.append(SequenceGRU.apply(data, first, *weights, cell.clip, bool(back)))
    return states[0], states[1]


def _initial_condition(
    model: LFADS, data: Tensor, noise: Noise | None, rate: Tensor | None
) -> tuple[Tensor, Tensor]:
    encoder, split = model.encoder, model.sizes.ic_enc_seq_len
    states = _both_ways(encoder.ic_enc, data[:split] if split else data, encoder.ic_enc_h0)
    return encoder.initial_condition(*states, noise, rate)


def _unroll(
    model: LFADS,
    gen_init: Tensor,
    data: Tensor,
    ext_input: Tensor,
    noise: Noise | None,
    rate: Tensor | None,
    *,
    sample: bool,
) -> tuple[Tensor, ...]:
    sizes, cell, steps = model.sizes, model.decoder.rnn.cell, model.sizes.recon_seq_len
    external = pad(ext_input, (0, 0, 0, 0, 0, steps - ext_input.shape[0]))
    external = dropout(external, noise.ext_input if noise else None, rate)
    read = normalize(cell.fac_linear.weight, dim=1)
    first = linear(dropout(gen_init, noise.generator_start if noise else None, rate), read)
    gen, units = cell.gen_cell, sizes.gen_dim
    of_external = gen.weight_ih[:, sizes.co_dim :]
    generator = Generator(
        *_projected(external, of_external, gen.bias_ih, units),
        gen_init.contiguous(),
        gen.weight_hh,
        read,
        first,
    )
    masks = Masks(None, None)
    if noise is not None and rate is not None:
        seen = noise.controller[..., 2 * sizes.ci_enc_dim :]
        masks = Masks(_mask(seen, rate), _mask(noise.factors, rate))
    drawn = noise.co_sample if sample and noise is not None else None
    settings = Settings(gen.clip, sizes.has_controller, drawn, masks)
    if not sizes.has_controller:
        return *Loop.apply(settings, *generator), external
    encoded = _controller_input(model, data)
    if noise is not None:
        encoded = dropout(encoded, noise.controller[..., : 2 * sizes.ci_enc_dim], rate)
    con, split = cell.con_cell, 2 * sizes.ci_enc_dim
    controller = Controller(
        *_projected(encoded, con.weight_ih[:, :split], con.bias_ih, sizes.con_dim),
        model.decoder.con_h0.expand(data.shape[1], -1).contiguous(),
        con.weight_ih[:, split:],
        con.weight_hh,
        cell.co_linear.weight,
        cell.co_linear.bias,
        gen.weight_ih[:, : sizes.co_dim],
    )
    return *Loop.apply(settings, *generator, *controller), external


def _projected(inputs: Tensor, weight: Tensor, bias: Tensor, units: int) -> tuple[Tensor, Tensor]:
    """Return what gates and candidate get of `inputs (R, B, in)`, each in memory of its own."""
    gates = linear(inputs, weight[: 2 * units], bias[: 2 * units])
    return gates, linear(inputs, weight[2 * units :], bias[2 * units :])


def _mask(uniform: Tensor, rate: Tensor) -> Tensor:
    return (uniform >= rate) / (1 - rate)


def _controller_input(model: LFADS, data: Tensor) -> Tensor:
    encoder, seen = model.encoder, data[model.sizes.ic_enc_seq_len :]
    return encoder.controller_input(*_both_ways(encoder.ci_enc, seen, encoder.ci_enc_h0))
