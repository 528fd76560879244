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
from autolfads_trainer.model.priors import prior_of
from autolfads_trainer.model.reconstructions import Reconstruction, reconstruction_of
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.userinput import InputError


@dataclass(frozen=True)
class LFADSOutput:
    """What one pass gives, trials first. Names are those of the results' HDF5 file."""

    output_params: Tensor  # (B, R, N, P)  parameters of the distribution; Poisson: log-rates
    factors: Tensor  # (B, R, F)
    ic_mean: Tensor  # (B, I)
    ic_std: Tensor  # (B, I)
    co_means: Tensor  # (B, R, U)
    co_stds: Tensor  # (B, R, U)
    gen_states: Tensor  # (B, R, G)
    gen_init: Tensor  # (B, G)
    gen_inputs: Tensor  # (B, R, U + X)
    con_states: Tensor  # (B, R, K)
    output_means: Tensor  # (B, R, N)  expected data: for counts, rates per bin


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
        self.recon = nn.ModuleList([reconstruction_of(configuration["reconstruction"][0])])
        outputs = sizes.recon_data_dim * self.reconstruction.n_params
        readout = FanInLinear(sizes.fac_dim, outputs, generator)
        readout.requires_grad_(configuration["readout"]["modules"][0].get("requires_grad", True))
        self.readout = nn.ModuleList([readout])
        self.ic_prior = prior_of(configuration["ic_prior"], sizes.ic_dim)
        self.co_prior = prior_of(configuration["co_prior"], sizes.co_dim)

    @property
    def reconstruction(self) -> Reconstruction:
        """How the outputs describe the data, and what that costs."""
        return cast("Reconstruction", self.recon[0])

    @property
    def variational(self) -> bool:
        """Whether posteriors are sampled; if not, their means are all there is of them."""
        return bool(self.configuration["variational"])

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
        output_params = self.reconstruction.reshape_output_params(self.readout[0](factors))
        return LFADSOutput(
            output_params=output_params,
            factors=factors,
            ic_mean=ic_mean,
            ic_std=ic_std,
            co_means=unrolled.co_means.transpose(0, 1),
            co_stds=unrolled.co_stds.transpose(0, 1),
            gen_states=unrolled.gen_states.transpose(0, 1),
            gen_init=unrolled.gen_init,
            gen_inputs=unrolled.gen_inputs.transpose(0, 1),
            con_states=unrolled.con_states.transpose(0, 1),
            output_means=self.reconstruction.compute_means(output_params),
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
