"""LFADS: spikes in, denoised firing rates and the latent states behind them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from autolfads_trainer import own_classes
from autolfads_trainer.config.classes import IDENTITY, LINEAR
from autolfads_trainer.model.decoder import Decoder
from autolfads_trainer.model.encoder import Encoder
from autolfads_trainer.model.linear import FanInLinear
from autolfads_trainer.model.noise import Noise
from autolfads_trainer.model.priors import prior_of
from autolfads_trainer.model.reconstructions import Reconstruction, reconstruction_of
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.userinput import InputError

if TYPE_CHECKING:
    from autolfads_trainer.data.dataset import PCRStart


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


class SessionInput(NamedTuple):
    """Trials of one session, to be inferred together with those of others."""

    session: int
    encod_data: Tensor  # (b, T, D)
    ext_input: Tensor | None = None  # (b, steps ≤ R, X)


class LFADS(nn.Module):
    """Latent factor analysis via dynamical systems (Pandarinath et al. 2018).

    `configuration` is the `model` section of a resolved configuration; `seed` decides the start
    values. Sessions have dynamics in common, and each a read-in, a read-out and a reconstruction of
    its own. Parameters have the names of the existing implementation, so that a `state_dict` can
    be exchanged with it.
    """

    def __init__(self, configuration: Mapping[str, Any], seed: int = 0) -> None:
        super().__init__()
        self.configuration = dict(configuration)
        self.sizes = sizes = Sizes.of(configuration)
        generator = torch.Generator().manual_seed(seed)
        clip = float(configuration["cell_clip"])
        self.readin = nn.ModuleList(_readin(part, generator) for part in configuration["readin"])
        self.encoder = Encoder(sizes, clip, float(configuration["ic_post_var_min"]), generator)
        self.decoder = Decoder(sizes, clip, generator)
        self.recon = nn.ModuleList(map(reconstruction_of, configuration["reconstruction"]))
        self.readout = nn.ModuleList(
            _readout(part, sizes.fac_dim, generator) for part in configuration["readout"]["modules"]
        )
        self.ic_prior = prior_of(configuration["ic_prior"], sizes.ic_dim)
        self.co_prior = prior_of(configuration["co_prior"], sizes.co_dim)

    @property
    def reconstructions(self) -> tuple[Reconstruction, ...]:
        """How each session's outputs describe its data, and what that costs."""
        return tuple(cast("Reconstruction", each) for each in self.recon)

    @property
    def reconstruction(self) -> Reconstruction:
        """The same of the first session."""
        return self.reconstructions[0]

    @property
    def variational(self) -> bool:
        """Whether posteriors are sampled; if not, their means are all there is of them."""
        return bool(self.configuration["variational"])

    def forward(
        self,
        encod_data: Tensor,
        ext_input: Tensor | None = None,
        *,
        session: int = 0,
        noise: Noise | None = None,
        dropout_rate: Tensor | None = None,
        sample: bool = False,
    ) -> LFADSOutput:
        """Infer the rates of `encod_data (B, T, D)`, with `ext_input (B, steps ≤ R, X)` if any.

        Without `noise` the pass is deterministic: posterior means, no dropout. With `noise`,
        `sample` draws from the posteriors, and `dropout_rate` (a tensor of one element) drops.
        """
        given = [SessionInput(session, encod_data, ext_input)]
        (output,) = self.infer_sessions(
            given, noise=noise, dropout_rate=dropout_rate, sample=sample
        )
        return output

    def infer_sessions(
        self,
        given: Sequence[SessionInput],
        *,
        noise: Noise | None = None,
        dropout_rate: Tensor | None = None,
        sample: bool = False,
    ) -> list[LFADSOutput]:
        """Infer trials of several sessions in one pass; `noise` is of all, in this order."""
        read, external = [], []
        for session, encod_data, ext_input in given:
            read.append(self.readin[session](encod_data))
            none = encod_data.new_zeros(*encod_data.shape[:2], self.sizes.ext_input_dim)
            external.append(none if ext_input is None else ext_input)
        data = torch.cat(read).transpose(0, 1)
        ic_mean, ic_std, controller_input = self.encoder(data, noise, dropout_rate)
        initial_condition = ic_mean
        if sample and noise is not None:
            initial_condition = self.ic_prior.sample(ic_mean, ic_std, noise.ic_sample)
        unrolled = self.decoder(
            initial_condition,
            controller_input,
            torch.cat(external).transpose(0, 1),
            noise,
            dropout_rate,
            sample=self.co_prior.sample if sample else None,
        )
        found = {name: value.transpose(0, 1) for name, value in vars(unrolled).items()}
        found["gen_init"] = unrolled.gen_init
        found |= {"ic_mean": ic_mean, "ic_std": ic_std}
        trials = [len(each.encod_data) for each in given]
        apart = {name: value.split(trials) for name, value in found.items()}
        outputs = []
        for number, each in enumerate(given):
            mine = {name: values[number] for name, values in apart.items()}
            outputs.append(LFADSOutput(**self.read_out(each.session, mine["factors"]), **mine))
        return outputs

    def read_out(self, session: int, factors: Tensor) -> dict[str, Tensor]:
        """Return a session's `output_params` and `output_means` of `factors (B, R, F)`."""
        of = self.reconstructions[session]
        output_params = of.reshape_output_params(self.readout[session](factors))
        return {"output_params": output_params, "output_means": of.compute_means(output_params)}

    def infer(
        self,
        encod_data: ArrayLike,
        ext_input: ArrayLike | None = None,
        *,
        session: int | None = None,
        samples: int = 50,
        batch_size: int = 64,
        seed: int = 0,
    ) -> dict[str, NDArray[np.float32]]:
        """Return what a run's results have of trials: the means over posterior samples.

        `encod_data (trials, T, D)` are spike counts of the channels that a session was trained on,
        with `ext_input (trials, steps ≤ R, X)` if the model takes any; NaN is what is missing.
        `session` must be said where the model has several.
        `output_params (trials, R, N)` are rates per bin; the other outputs are `LFADSOutput`'s.
        Raises `InputError` for arrays of another shape.
        """
        from autolfads_trainer.results.sampling import infer_array  # noqa: PLC0415 (a cycle)

        return infer_array(
            self,
            np.array(encod_data, np.float32, order="C"),  # torch takes no reversed or locked arrays
            None if ext_input is None else np.array(ext_input, np.float32, order="C"),
            session=session,
            samples=samples,
            batch_size=batch_size,
            seed=seed,
        )

    @torch.no_grad()
    def start_from_pcr(self, session: int, start: PCRStart) -> None:
        """Begin with a session's aligned read-in and read-out (principal components regression)."""
        readin, readout = self.readin[session], self.readout[session]
        for layer, weight, bias in (
            (readin, start.readin_weight.T, start.readin_bias),
            (readout, start.readout_weight, start.readout_bias),
        ):
            if isinstance(layer, FanInLinear) and layer.from_pcr:
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    @classmethod
    def load_from_checkpoint(
        cls, path: str | Path, device: str = "cpu", *, allow_import: Iterable[str] = ()
    ) -> LFADS:
        """Rebuild the model that a run's `model.ckpt` (or any checkpoint of ours) holds.

        One of the existing pipeline (PyTorch Lightning) is taken, too, with the usual settings for
        what it does not say: `exchange.conversion.to_lfads` can be told more. No code in the file
        is run. Classes of your own that it names are imported from modules in `allow_import`.
        Raises `InputError` naming the file if it is not a checkpoint, or the device is not there.
        """
        from autolfads_trainer.training.checkpoint import load_file  # noqa: PLC0415 (a cycle)

        own_classes.allow(allow_import)
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"device: found {device}, and no GPU is seen; expected cpu")
        try:
            content = load_file(Path(path))
        except InputError:
            from autolfads_trainer.exchange.conversion import to_lfads  # noqa: PLC0415
            from autolfads_trainer.exchange.lightning import is_lightning  # noqa: PLC0415

            if not is_lightning(Path(path)):
                raise
            return to_lfads(Path(path)).to(device).eval()
        try:
            model = cls(cast("Mapping[str, Any]", content["configuration"]["model"]))
            model.load_state_dict(content["state_dict"])
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise InputError(f"{path}: holds no model that fits its weights: {reason}") from error
        return model.to(device).eval()


def _readin(part: Mapping[str, Any], generator: torch.Generator) -> nn.Module:
    if part["_target_"] == IDENTITY:
        return nn.Identity()
    return _linear(part, int(part["in_features"]), generator, trains=False)


def _readout(part: Mapping[str, Any], factors: int, generator: torch.Generator) -> nn.Module:
    if part["_target_"] == IDENTITY:
        return nn.Identity()
    return _linear(part, factors, generator, trains=True)


def _linear(
    part: Mapping[str, Any], inputs: int, generator: torch.Generator, *, trains: bool
) -> FanInLinear:
    uniform = part["_target_"] == LINEAR
    layer = FanInLinear(inputs, int(part["out_features"]), generator, uniform=uniform)
    layer.from_pcr = bool(part.get("pcr_init", False))
    layer.requires_grad_(part.get("requires_grad", trains))
    return layer
