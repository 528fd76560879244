"""Models and data small enough that a test can train them: built as a run builds them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.noise import LEVELS, Noise, draw_samples, draw_uniform
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.member import Leg, Member

torch.set_num_threads(1)
CPU = torch.device("cpu")

# Every size another, so that none can be taken for another; held-out channels, forecast steps.
DIMS: dict[str, int] = {
    "encod_data_dim": 3,
    "encod_seq_len": 6,
    "recon_seq_len": 8,
    "recon_data_dim": 5,
    "ext_input_dim": 0,
    "ic_enc_seq_len": 0,
    "ic_enc_dim": 4,
    "ci_enc_dim": 3,
    "ci_lag": 1,
    "con_dim": 5,
    "co_dim": 2,
    "ic_dim": 6,
    "gen_dim": 7,
    "fac_dim": 4,
}
DATA = ("encod_data_dim", "encod_seq_len", "recon_seq_len", "recon_data_dim", "ext_input_dim")
NO_CONTROLLER = {"ci_enc_dim": 0, "con_dim": 0, "co_dim": 0}
_RECONS = "lfads_torch.modules.recons."
NULL = {"_target_": "lfads_torch.modules.priors.Null"}
NORMAL = {"_target_": "lfads_torch.modules.priors.MultivariateNormal", "mean": 0.1, "variance": 0.3}
# Settings of the model beside the usual ones: other reconstructions, priors and reductions.
OTHERS: dict[str, dict[str, Any]] = {
    name: {"reconstruction": [{"_target_": _RECONS + name}]}
    for name in ("PoissonBPS", "MSE", "Gaussian", "Gamma")
}
_SCALE = {"scale_init": 1.5, "scale_prior": 1.0, "scale_penalty": 0.2}
OTHERS["ZeroInflatedGamma"] = {
    "reconstruction": [
        {"_target_": _RECONS + "ZeroInflatedGamma", "gamma_loc": 0.1, **_SCALE},
    ]
}
OTHERS["sum over a trial"] = {"recon_reduce_mean": False}
OTHERS["not variational"] = {"variational": False, "ic_prior": NULL, "co_prior": NULL}
OTHERS["normal prior of the control"] = {"co_prior": NORMAL}
TRAIN_TRIALS, VALID_TRIALS, BATCH = 10, 4, 3  # three steps an epoch, and one trial left over


def configuration(
    batch_size: int = BATCH,
    cd: Mapping[str, float] | None = None,
    trainer: Mapping[str, Any] | None = None,
    **model: Any,
) -> dict[str, Any]:
    """Resolve a configuration; `model` replaces sizes and settings of the model's section."""
    dims = {name: model.pop(name, size) for name, size in DIMS.items()}
    sizes = DataSizes(
        path="small.h5",
        encod_dim=dims["encod_data_dim"],
        encod_steps=dims["encod_seq_len"],
        recon_dim=dims["recon_data_dim"],
        recon_steps=dims["recon_seq_len"],
        ext_input_dim=dims["ext_input_dim"],
        train_trials=TRAIN_TRIALS,
        valid_trials=VALID_TRIALS,
        keys=frozenset(),
    )
    said: dict[str, Any] = {name: size for name, size in dims.items() if name not in DATA} | model
    given = {
        "model": said,
        "datamodule": {"batch_size": batch_size},
        "trainer": dict(trainer or {}),
    }
    resolved = copy.deepcopy(resolve({"config": given}, config_file=None, sizes=sizes))
    for name, value in (cd or {}).items():
        resolved.configuration["model"]["train_aug_stack"]["transforms"][0][name] = value
    return resolved.configuration


def model_settings(**settings: Any) -> dict[str, Any]:
    """Return the `model` section of `configuration`."""
    section: dict[str, Any] = configuration(**settings)["model"]
    return section


def randomised(model: LFADS, seed: int = 0, size: float = 0.6) -> LFADS:
    """Give every parameter that can be other than 0 a value that is."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith("bias_hh"):
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_((size * noise).to(parameter.dtype))
    return model


def small_model(seed: int = 0, **settings: Any) -> LFADS:
    """Return a model whose start states and biases are not zero either."""
    return randomised(LFADS(model_settings(**settings), seed), seed)


def split_of(
    trials: int, dims: Mapping[str, int] = DIMS, *, seed: int, truth: bool = True
) -> Split:
    """Draw spikes from rates that vary smoothly over time and differ between trials."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.linspace(0, 3, dims["recon_seq_len"])[None, :, None]
    phase = 6 * torch.rand(trials, 1, dims["recon_data_dim"], generator=generator)
    usual = torch.linspace(-2, 1, dims["recon_data_dim"])  # channels differ, as neurons do
    rates = torch.exp(usual + torch.sin(time + phase))
    counts = torch.poisson(rates, generator=generator)
    ext = torch.randn(trials, dims["encod_seq_len"], dims["ext_input_dim"], generator=generator)
    encod = counts[:, : dims["encod_seq_len"], : dims["encod_data_dim"]].contiguous()
    return Split(encod, counts, ext, rates if truth else None)


def draw_noise(sizes: Sizes, trials: int, seed: int = 0) -> Noise:
    """Draw the noise of one pass."""
    generator = torch.Generator().manual_seed(seed)
    uniform = draw_uniform(Noise.uniform_shapes(sizes, trials), generator)
    return Noise.of(uniform, *draw_samples(sizes, trials, generator))


def draw_levels(seed: int, *shape: int) -> Tensor:
    """Draw uniform numbers as they are held."""
    return draw_uniform([shape], torch.Generator().manual_seed(seed))[0]


def numbers(uniform: Tensor) -> Tensor:
    """Return uniform numbers as numbers in [0, 1)."""
    return uniform.double() / LEVELS + 0.5


def of_64_bits(values: Tensor) -> Tensor:
    """Return drawn numbers so that no two are equal by chance: four of 16 bits are one of 64."""
    if values.dtype != torch.int16:
        return values.flatten().double().view(torch.int64)
    return values.flatten()[: values.numel() // 4 * 4].view(torch.int64)


def small_data(*, truth: bool = True, **dims: int) -> Dataset:
    """Return the splits that `configuration` speaks of."""
    known = DIMS | dims
    return Dataset(
        split_of(TRAIN_TRIALS, known, seed=1, truth=truth),
        split_of(VALID_TRIALS, known, seed=2, truth=truth),
    )


def data_for(settings: Mapping[str, Any]) -> Dataset:
    """Return data of the sizes of these settings, such as their reconstruction takes."""
    data = small_data(**{name: settings[name] for name in DATA if name in settings})
    if settings.get("reconstruction") != OTHERS["Gamma"]["reconstruction"]:
        return data
    above_zero = (
        replace(split, encod=split.encod + 0.5, recon=split.recon + 0.5)
        for split in (data.train, data.valid)
    )
    return Dataset(*above_zero)


def small_member(
    number: int = 0,
    generation: int = 0,
    start_epoch: int = 0,
    epochs: int = 2,
    *,
    seed: int = 0,
    metric: str = "valid/recon_smth",
    data: Dataset | None = None,
    **settings: Any,
) -> Member:
    """Return a member ready to be trained, with weights of its own."""
    leg = Leg(number, generation, start_epoch, epochs)
    return Member(configuration(**settings), data or small_data(), leg, seed, metric)


def never(_: Member) -> bool:
    """Stop at no step."""
    return False


def at_once(_: Member) -> bool:
    """Stop after the very first step."""
    return True


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights as they are now."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: Any, other: Any) -> bool:
    """Return whether two trees of plain values and tensors are equal bit for bit; NaN is NaN."""
    if isinstance(one, Tensor):
        equal = isinstance(other, Tensor) and one.dtype == other.dtype and one.shape == other.shape
        return equal and torch.equal(one.nan_to_num(7e7), other.nan_to_num(7e7))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))


def converted(draws: StepDraws | Noise, *to: Any) -> Any:
    """Return draws whose numbers went through `Tensor.to`; indices keep their type."""
    changed: dict[str, Any] = {}
    for field in fields(draws):
        value = getattr(draws, field.name)
        if isinstance(value, Noise):
            changed[field.name] = converted(value, *to)
        elif value.is_floating_point() or torch.device("meta") in to:
            changed[field.name] = value.to(*to)
    return replace(draws, **changed)
