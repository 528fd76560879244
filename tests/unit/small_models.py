"""Models and data small enough that a test can train them: built as a run builds them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset, Session, Split
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.noise import LEVELS, Noise, draw_samples, draw_uniform
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.loss import Loss
from autolfads_trainer.training.member import Leg, Member
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import training_loss, training_step

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
_T = {"_target_": "lfads_torch.modules.priors.MultivariateStudentT", "loc": 0.1, "scale": 0.4}
OTHERS["Student's t"] = {"ic_prior": {**_T, "df": 5}, "co_prior": {**_T, "df": 3}}
_AUGMENTATIONS = "lfads_torch.modules.augmentations."
CD = {"_target_": _AUGMENTATIONS + "CoordinatedDropout", "cd_rate": 0.3}


def stack(*transforms: dict[str, Any]) -> dict[str, Any]:
    """Return an augmentation stack of these, in this order for batches and losses."""
    order = list(range(len(transforms)))
    named = [
        {**transform, "_target_": _AUGMENTATIONS + transform["_target_"].rpartition(".")[2]}
        for transform in transforms
    ]
    return {"transforms": named, "batch_order": order, "loss_order": order}


SBTT, SV = {"_target_": "SelectiveBackpropThruTime"}, {"_target_": "SampleValidation"}
JITTER, SHIFT = {"_target_": "SpikeJitter"}, {"_target_": "TemporalShift", "max_shift": 2}
OTHERS["jitter"] = {"train_aug_stack": stack(JITTER, CD)}
OTHERS["shift"] = {"train_aug_stack": stack(SHIFT, CD)}
OTHERS["missing data"] = {"train_aug_stack": stack(SHIFT, SBTT, CD), "infer_aug_stack": stack(SBTT)}
OTHERS["sample validation"] = {
    "train_aug_stack": stack(SV, CD),
    "infer_aug_stack": stack(SV),
    "datamodule": {"sv_rate": 0.4},
}
OTHERS["all of them"] = {
    "train_aug_stack": stack(SHIFT, SBTT, SV, CD),
    "infer_aug_stack": stack(SBTT, SV),
    "datamodule": {"sv_rate": 0.4},
}
OTHERS["no layer reads out"] = {
    "readout": [{"_target_": "torch.nn.Identity"}],
    "fac_dim": DIMS["recon_data_dim"],
}
OTHERS["layers of torch"] = {
    "readin": [{"_target_": "torch.nn.Linear", "out_features": 4}],
    "readout": [{"_target_": "torch.nn.Linear"}],
}
# Further sessions: other channels, of which others are held out; other numbers of trials.
OTHER_SESSIONS = ({"encod_dim": 4, "recon_dim": 4}, {"encod_dim": 2, "recon_dim": 3})
OTHERS["sessions"] = {"sessions": 3}
OTHERS["two sessions and all of them"] = {"sessions": 2, **OTHERS["all of them"]}
TRAIN_TRIALS, VALID_TRIALS, BATCH = 10, 4, 3  # three steps an epoch, and one trial left over


def configuration(
    batch_size: int = BATCH,
    cd: Mapping[str, float] | None = None,
    trainer: Mapping[str, Any] | None = None,
    datamodule: Mapping[str, Any] | None = None,
    sessions: int = 1,
    allow_import: Sequence[str] = (),
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
    others = (
        replace(sizes, path=f"other{number}.h5", train_trials=TRAIN_TRIALS - number, **channels)
        for number, channels in enumerate(OTHER_SESSIONS[: sessions - 1], start=1)
    )
    sizes = replace(sizes, others=tuple(others))
    said: dict[str, Any] = {name: size for name, size in dims.items() if name not in DATA} | model
    given = {
        "model": said,
        "datamodule": {"batch_size": batch_size * sessions, **(datamodule or {})},
        "trainer": dict(trainer or {}),
    }
    resolved = copy.deepcopy(
        resolve({"config": given}, config_file=None, sizes=sizes, allow_import=allow_import)
    )
    transforms = resolved.configuration["model"]["train_aug_stack"]["transforms"]
    dropout = next((part for part in transforms if "cd_rate" in part), {})
    dropout.update(cd or {})
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
    return Dataset.alone(
        split_of(TRAIN_TRIALS, known, seed=1, truth=truth),
        split_of(VALID_TRIALS, known, seed=2, truth=truth),
    )


def _with_gaps(split: Split, seed: int) -> Split:
    """Have a fifth of the data missing, and a trial of a channel whole."""
    generator = torch.Generator().manual_seed(seed)
    observed = (torch.rand(split.recon.shape, generator=generator) > 0.2).float()
    observed[0, :, 1] = 0
    steps, channels = split.encod.shape[1:]
    encod = split.encod * observed[:, :steps, :channels]
    recon = torch.where(observed > 0, split.recon, split.recon.max())
    return replace(split, encod=encod, recon=recon, observed=observed)


def _held_out(split: Split, rate: float, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(split.encod.shape, generator=generator) >= rate).float()
    return replace(split, sv_mask=mask)


def data_for(settings: Mapping[str, Any]) -> Dataset:
    """Return data of the sizes of these settings, such as their reconstruction takes."""
    data = small_data(**{name: settings[name] for name in DATA if name in settings})
    known = DIMS | {name: settings[name] for name in DATA if name in settings}
    sessions = list(data.sessions)
    for number, channels in enumerate(OTHER_SESSIONS[: settings.get("sessions", 1) - 1], start=1):
        dims = known | {f"{part[:-4]}_data_dim": size for part, size in channels.items()}
        train = split_of(TRAIN_TRIALS - number, dims, seed=10 * number)
        sessions.append(Session(train, split_of(VALID_TRIALS, dims, seed=10 * number + 1)))
    transforms = settings.get("train_aug_stack", {}).get("transforms", [])
    named = {transform["_target_"].rpartition(".")[2] for transform in transforms}
    rate = (settings.get("datamodule") or {}).get("sv_rate", 0.0)
    for number, session in enumerate(sessions):
        splits = [session.train, session.valid]
        if "SelectiveBackpropThruTime" in named:
            splits = [_with_gaps(split, number) for split in splits]
        if "SampleValidation" in named:
            splits = [_held_out(split, rate, number) for split in splits]
        sessions[number] = Session(*splits)
    data = Dataset(tuple(sessions))
    if settings.get("reconstruction") != OTHERS["Gamma"]["reconstruction"]:
        return data
    above_zero = (
        replace(split, encod=split.encod + 0.5, recon=split.recon + 0.5)
        for split in (data.train, data.valid)
    )
    return Dataset.alone(*above_zero)


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


def series_of(data: Dataset) -> tuple[Series, ...]:
    """Return the training trials of each session as steps take them, as they are now."""
    return tuple(Series.of(session.train) for session in data.sessions)


def loss_of(member: Member, draws: StepDraws, model: LFADS | None = None) -> Loss:
    """Return the reference's loss of one step."""
    model, stack = model or member.model, member.train_stack
    return training_loss(model, series_of(member.data), stack, draws, member.hp)


def take_step(
    member: Member,
    draws: StepDraws | None = None,
    *,
    clip: float | None = None,
    scores: Scores | None = None,
) -> dict[str, Tensor]:
    """Take the reference's step; return the parts of its loss."""
    return training_step(
        member.model,
        member.optimizer,
        series_of(member.data),
        member.train_stack,
        draws or member.drawer.draw(),
        member.hp,
        clip=member.clip if clip is None else clip,
        scores=scores,
    )


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


def _each(values: Any, *to: Any) -> Any:
    if isinstance(values, tuple):
        return tuple(_each(value, *to) for value in values)
    return values.to(*to) if torch.device("meta") in to else values


def converted(draws: StepDraws | Noise, *to: Any) -> Any:
    """Return draws whose numbers went through `Tensor.to`; indices keep their type."""
    changed: dict[str, Any] = {}
    for field in fields(draws):
        value = getattr(draws, field.name)
        if isinstance(value, Noise):
            changed[field.name] = converted(value, *to)
        elif isinstance(value, tuple):
            changed[field.name] = _each(value, *to)
        elif value.is_floating_point() or torch.device("meta") in to:
            changed[field.name] = value.to(*to)
    return replace(draws, **changed)
