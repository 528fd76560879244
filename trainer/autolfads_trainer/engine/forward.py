"""A pass of LFADS by the engine: the same numbers as `LFADS.forward` gives, in less time.

Parameters come by their names in the model. They, the data and the noise may have a leading axis of
members; then so have all outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from autolfads_trainer.engine.controller import Controller, Settings
from autolfads_trainer.engine.decoder import Generator
from autolfads_trainer.engine.dropping import Dropping
from autolfads_trainer.engine.gru import with_bias
from autolfads_trainer.engine.loops import loops_for
from autolfads_trainer.engine.products import affine
from autolfads_trainer.model.encoder import controller_input
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Noise, Samples

Parameters = Mapping[str, Tensor]


class Encoded(NamedTuple):
    """What the encoder has found: all that the decoder needs of the data."""

    ic_mean: Tensor  # (B, I)
    ic_std: Tensor  # (B, I)
    controller: Tensor | None  # (R, B, 2C)  what the controller sees of it


@dataclass(frozen=True)
class Decoded:
    """What the decoder went through, time first. Names are `LFADSOutput`'s."""

    factors: Tensor  # (R, B, F)
    co_means: Tensor  # (R, B, U)
    co_stds: Tensor  # (R, B, U)
    gen_states: Tensor  # (R, B, G)
    gen_init: Tensor  # (B, G)
    gen_inputs: Tensor  # (R, B, U + X)
    con_states: Tensor  # (R, B, K)


def forward(
    model: LFADS,
    encod_data: Tensor,
    ext_input: Tensor | None = None,
    *,
    session: int = 0,
    noise: Noise | None = None,
    dropout_rate: Tensor | None = None,
    sample: bool = False,
) -> LFADSOutput:
    """Infer the rates of `encod_data (B, T, D)`: arguments and outputs are `LFADS.forward`'s."""
    if ext_input is None:
        ext_input = encod_data.new_zeros(*encod_data.shape[:2], model.sizes.ext_input_dim)
    data, external = encod_data.transpose(0, 1).contiguous(), ext_input.transpose(0, 1)
    one = Pass(model, dict(model.named_parameters()), Dropping(noise, dropout_rate))
    encoded = one.encode(one.read_in(session, data))
    samples = noise.samples if sample and noise is not None else None
    return trials_first(model, session, encoded, one.decode(encoded, external, samples))


def trials_first(model: LFADS, session: int, encoded: Encoded, decoded: Decoded) -> LFADSOutput:
    """Return what a pass gives of a session's trials as the model gives it, rates and all."""
    turned = {
        name: value if value.dim() == 2 else value.transpose(0, 1)
        for name, value in vars(decoded).items()
    }
    return LFADSOutput(
        **model.read_out(session, turned["factors"]),
        ic_mean=encoded.ic_mean,
        ic_std=encoded.ic_std,
        **turned,
    )


class Pass:
    """One pass: `read_in`, `encode`, then `decode`. Sizes and settings are the model's."""

    def __init__(self, model: LFADS, parameters: Parameters, dropping: Dropping) -> None:
        self.sizes, self.parameters, self.dropping = model.sizes, parameters, dropping
        self.clip: float = model.decoder.rnn.cell.gen_cell.clip
        self.ic_post_var_min = model.encoder.ic_post_var_min

    def read_in(self, session: int, data: Tensor) -> Tensor:
        """Take a session's `data (T, B, D)` to what the encoder sees of any."""
        if f"readin.{session}.weight" not in self.parameters:
            return data
        return affine(data, *self._layer(f"readin.{session}"))

    def encode(self, data: Tensor) -> Encoded:
        """Infer the initial condition of what was read in, and what the controller is to see."""
        # What the encoders get: the data, some of it dropped, and 1.
        inputs = data.new_ones(*data.shape[:-1], data.shape[-1] + 1)
        mask = self.dropping.mask("encoder", data)
        if data.requires_grad:
            inputs = torch.cat([data if mask is None else data * mask, inputs[..., -1:]], dim=-1)
        elif mask is None:
            inputs[..., :-1] = data
        else:
            torch.mul(data, mask, out=inputs[..., :-1])
        split = self.sizes.ic_enc_seq_len
        mean, std = self._initial_condition(inputs[..., :split, :, :] if split else inputs)
        seen = None
        if self.sizes.has_controller:
            states = self._both_ways("ci_enc", inputs[..., split:, :, :])
            seen = controller_input(self.sizes, *states)
        return Encoded(mean, std, seen)

    def decode(self, encoded: Encoded, ext_input: Tensor, samples: Samples | None) -> Decoded:
        """Unroll the decoder with `ext_input (steps ≤ R, B, X)`; of the means without `samples`."""
        sizes, scaled, parameters = self.sizes, self.dropping.scaled, self.parameters
        start = encoded.ic_mean
        if samples is not None:
            start = start + encoded.ic_std * samples.ic
        gen_init = affine(start, *self._layer("decoder.ic_to_g0")).contiguous()
        missing = sizes.recon_seq_len - ext_input.shape[-3]
        external = self._dropped(pad(ext_input, (0, 0, 0, 0, 0, missing)), "ext_input")
        external = scaled(external)  # itself, since it is one of the outputs
        read = scaled(normalize(parameters["decoder.rnn.cell.fac_linear.weight"], dim=-1))
        cell = "decoder.rnn.cell.gen_cell"
        generator = Generator(
            gen_init,
            affine(self._dropped(gen_init, "generator_start"), read),
            with_bias(parameters[f"{cell}.weight_ih"], parameters[f"{cell}.bias_ih"]),
            parameters[f"{cell}.weight_hh"],
            read,
        )
        settings = Settings(
            clip=self.clip,
            external=external,
            noise=None if samples is None else samples.co,
            seen=self.dropping.mask("controller", gen_init) if sizes.has_controller else None,
            read=self.dropping.mask("factors", gen_init),
        )
        controller = () if encoded.controller is None else self._controller(encoded.controller)
        outputs = loops_for(gen_init).decoder(settings, *generator, *controller)
        states, factors, con_states, means, stds, control = outputs
        return Decoded(
            factors=factors,
            co_means=means,
            co_stds=stds,
            gen_states=states,
            gen_init=gen_init,
            gen_inputs=torch.cat([control, external], dim=-1),
            con_states=con_states,
        )

    def _layer(self, name: str) -> tuple[Tensor, Tensor]:
        return self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]

    def _dropped(self, values: Tensor, name: str) -> Tensor:
        """Return the values where `Noise` keeps them, not scaled: the weights that follow are."""
        mask = self.dropping.mask(name, values)
        return values if mask is None else values * mask

    def _cell(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the weights of a cell whose inputs were dropped."""
        weight = self.dropping.scaled(self.parameters[f"{name}.weight_ih"])
        kernels = self.parameters[f"{name}.weight_hh"]
        return with_bias(weight, self.parameters[f"{name}.bias_ih"]), kernels

    def _both_ways(self, name: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states `(time, B, H)` of both directions over `inputs (time, B, D + 1)`."""
        starts, trials = self.parameters[f"encoder.{name}_h0"], inputs.shape[-2]
        through_time = loops_for(inputs).sequence
        states = []
        for back, direction in enumerate(("fwd_gru", "bwd_gru")):
            cell = self._cell(f"encoder.{name}.{direction}.cell")
            start = _for_trials(starts[..., back, :, :], trials)
            states.append(through_time(inputs, start, *cell, self.clip, bool(back)))
        return states[0], states[1]

    def _initial_condition(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        fwd, bwd = self._both_ways("ic_enc", inputs)
        summary = torch.cat([fwd[..., -1, :, :], bwd[..., 0, :, :]], dim=-1)
        weight, bias = self._layer("encoder.ic_linear")
        summary = self._dropped(summary, "initial_condition")
        mean, logvar = affine(summary, self.dropping.scaled(weight), bias).chunk(2, dim=-1)
        return mean, torch.sqrt(torch.exp(logvar) + self.ic_post_var_min)

    def _controller(self, encoded: Tensor) -> Controller:
        return Controller(
            encoded,
            _for_trials(self.parameters["decoder.con_h0"], encoded.shape[-2]),
            *self._cell("decoder.rnn.cell.con_cell"),
            *self._layer("decoder.rnn.cell.co_linear"),
        )


def _for_trials(start: Tensor, trials: int) -> Tensor:
    """Return a start state `(1, H)` for each of some trials."""
    return start.expand(*start.shape[:-2], trials, -1).contiguous()
