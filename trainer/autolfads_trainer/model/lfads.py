"""LFADS: spikes in, denoised firing rates and the latent states behind them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from autolfads_trainer.model.decoder import Decoder
from autolfads_trainer.model.encoder import Encoder
from autolfads_trainer.model.linear import FanInLinear
from autolfads_trainer.model.noise import Noise
from autolfads_trainer.model.priors import AutoregressiveMultivariateNormal, MultivariateNormal
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.userinput import InputError


@dataclass(frozen=True)
class LFADSOutput:
    """What one pass gives, trials first. Names are those of the results' HDF5 file."""

    output_params: Tensor  # (B, R, N, 1)  parameters of the distribution; Poisson: log-rates
    factors: Tensor  # (B, R, F)
    ic_mean: Tensor  # (B, I)
    ic_std: Tensor  # (B, I)
    co_means: Tensor  # (B, R, U)
    co_stds: Tensor  # (B, R, U)
    gen_states: Tensor  # (B, R, G)
    gen_init: Tensor  # (B, G)
    gen_inputs: Tensor  # (B, R, U + X)
    con_states: Tensor  # (B, R, K)

    @property
    def output_means(self) -> Tensor:
        """Expected counts per bin `(B, R, N)`."""
        return torch.exp(self.output_params[..., 0])


class LFADS(nn.Module):
    """Latent factor analysis via dynamical systems (Pandarinath et al. 2018), one session.

    `configuration` is the `model` section of a resolved configuration; `seed` decides the start
    values. Parameters have the names of the existing implementation, so that a `state_dict` can
    be exchanged with it.
    """

    def __init__(self, configuration: Mapping[str, Any], seed: int = 0) -> None:
        super().__init__()
        self.configuration = dict(configuration)
        self.sizes = sizes = Sizes.of(configuration)
        generator = torch.Generator().manual_seed(seed)
        clip = float(configuration["cell_clip"])
        self.readin = nn.ModuleList([_readin(configuration["readin"][0], generator)])
        self.encoder = Encoder(sizes, clip, float(configuration["ic_post_var_min"]), generator)
        self.decoder = Decoder(sizes, clip, generator)
        readout = FanInLinear(sizes.fac_dim, sizes.recon_data_dim, generator)
        readout.requires_grad_(configuration["readout"]["modules"][0].get("requires_grad", True))
        self.readout = nn.ModuleList([readout])
        ic_prior, co_prior = configuration["ic_prior"], configuration["co_prior"]
        self.ic_prior = MultivariateNormal(ic_prior["mean"], ic_prior["variance"], sizes.ic_dim)
        self.co_prior = AutoregressiveMultivariateNormal(
            co_prior["tau"], co_prior["nvar"], sizes.co_dim
        )

    def forward(
        self,
        encod_data: Tensor,
        ext_input: Tensor | None = None,
        *,
        noise: Noise | None = None,
        dropout_rate: Tensor | None = None,
        sample: bool = False,
    ) -> LFADSOutput:
        """Infer the rates of `encod_data (B, T, D)`, with `ext_input (B, steps ≤ R, X)` if any.

        Without `noise` the pass is deterministic: posterior means, no dropout. With `noise`,
        `sample` draws from the posteriors, and `dropout_rate` (a tensor of one element) drops.
        """
        if ext_input is None:
            ext_input = encod_data.new_zeros(*encod_data.shape[:2], self.sizes.ext_input_dim)
        data = self.readin[0](encod_data).transpose(0, 1)
        ic_mean, ic_std, controller_input = self.encoder(data, noise, dropout_rate)
        initial_condition = ic_mean
        if sample and noise is not None:
            initial_condition = ic_mean + ic_std * noise.ic_sample
        unrolled = self.decoder(
            initial_condition,
            controller_input,
            ext_input.transpose(0, 1),
            noise,
            dropout_rate,
            sample=sample,
        )
        factors = unrolled.factors.transpose(0, 1)
        return LFADSOutput(
            output_params=self.readout[0](factors).unsqueeze(-1),
            factors=factors,
            ic_mean=ic_mean,
            ic_std=ic_std,
            co_means=unrolled.co_means.transpose(0, 1),
            co_stds=unrolled.co_stds.transpose(0, 1),
            gen_states=unrolled.gen_states.transpose(0, 1),
            gen_init=unrolled.gen_init,
            gen_inputs=unrolled.gen_inputs.transpose(0, 1),
            con_states=unrolled.con_states.transpose(0, 1),
        )

    @classmethod
    def load_from_checkpoint(cls, path: str | Path, device: str = "cpu") -> LFADS:
        """Rebuild the model that a run's `model.ckpt` (or any checkpoint of ours) holds.

        No code in the file is run. Raises `InputError` naming the file if it is not a checkpoint.
        """
        from autolfads_trainer.training.checkpoint import load_file  # noqa: PLC0415 (a cycle)

        content = load_file(Path(path))
        try:
            model = cls(cast("Mapping[str, Any]", content["configuration"]["model"]))
            model.load_state_dict(content["state_dict"])
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise InputError(f"{path}: holds no model that fits its weights: {reason}") from error
        return model.to(device).eval()


def _readin(configuration: Mapping[str, Any], generator: torch.Generator) -> nn.Module:
    if "out_features" not in configuration:
        return nn.Identity()
    layer = FanInLinear(configuration["in_features"], configuration["out_features"], generator)
    layer.requires_grad_(configuration.get("requires_grad", False))
    return layer
