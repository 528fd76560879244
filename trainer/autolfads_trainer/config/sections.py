"""Every used key of a configuration, its type and its range; one model per section.

Classes (`_target_`) inside `model` are checked by `parts`, the search space by `search_space`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from autolfads_trainer.config.bounds import SCALE, Bounds
from autolfads_trainer.config.checks import (
    AboveZero,
    Choice,
    Choices,
    NotNegative,
    Number,
    Positive,
    Rate,
    Scale,
    Section,
    Switch,
    Text,
    Words,
    number,
    whole,
)
from autolfads_trainer.records import MOST_MEMBERS

MAX_SEED = 2**53 - 1  # the largest that a manifest can hold, too

Decay = Annotated[float, number(Bounds(0, 1, lowest_included=False, highest_included=False))]


class ModelSection(Section):
    """`model`, without the parts that name a class. Lengths in bins, ramps in epochs."""

    encod_data_dim: Positive
    encod_seq_len: Positive
    recon_seq_len: Positive
    ext_input_dim: NotNegative
    ic_enc_seq_len: NotNegative
    ic_enc_dim: Positive
    ci_enc_dim: NotNegative
    ci_lag: NotNegative
    con_dim: NotNegative
    co_dim: NotNegative
    ic_dim: Positive
    gen_dim: Positive
    fac_dim: Positive
    variational: Switch
    ic_post_var_min: Scale
    dropout_rate: Rate
    cell_clip: AboveZero
    loss_scale: AboveZero
    recon_reduce_mean: Switch
    lr_init: AboveZero
    lr_stop: Scale
    lr_decay: Decay
    lr_patience: NotNegative
    lr_adam_beta1: Rate
    lr_adam_beta2: Rate
    lr_adam_epsilon: Scale
    lr_scheduler: Switch
    weight_decay: Scale
    l2_start_epoch: NotNegative
    l2_increase_epoch: NotNegative
    l2_ic_enc_scale: Scale
    l2_ci_enc_scale: Scale
    l2_gen_scale: Scale
    l2_con_scale: Scale
    kl_start_epoch: NotNegative
    kl_increase_epoch: NotNegative
    kl_ic_scale: Scale
    kl_co_scale: Scale


# Keys of `model` that hold classes, in the order in which they are told.
MODEL_PARTS = (
    "readin",
    "readout",
    "train_aug_stack",
    "infer_aug_stack",
    "reconstruction",
    "co_prior",
    "ic_prior",
)

_Names = Annotated[list[str], BeforeValidator(Words("a list of names of datasets"))]
_Paths = Annotated[list[str], BeforeValidator(Words("a list of paths", or_one=True))]


class ReshufflingSection(Section):
    """What of `datamodule` decides which trials are for validation."""

    reshuffle_tv_seed: Annotated[int | None, whole(0, or_null=True)] = None
    reshuffle_tv_ratio: Annotated[
        float | None,
        number(Bounds(0, 1, lowest_included=False, highest_included=False), or_null=True),
    ] = None


class DatamoduleSection(ReshufflingSection):
    """`datamodule`."""

    data_paths: _Paths = Field(default_factory=list)
    datafile_pattern: _Paths = Field(default_factory=list)
    batch_size: Positive  # trials
    batch_keys: _Names = Field(default_factory=list)
    attr_keys: _Names = Field(default_factory=list)
    sv_rate: Annotated[float | None, number(Bounds(0, 1, highest_included=False), or_null=True)] = (
        None
    )
    sv_seed: Annotated[int | None, whole(0, or_null=True)] = None
    dm_ic_enc_seq_len: Annotated[int | None, whole(0, or_null=True)] = None


class _Resources(Section):
    """`pbt.resources_per_trial`: CPU cores, and the share of a GPU."""

    cpu: Scale = 2.0
    gpu: Scale = 0.5


# Smaller is better for each; a score of which more is better would let the worse half teach.
METRICS = ("valid/recon_smth", "valid/recon", "valid/loss")


class PbtSection(Section):
    """`pbt`. Intervals in epochs, patience in generations."""

    metric: Annotated[str, BeforeValidator(Choice(METRICS))]
    resources_per_trial: _Resources = _Resources()
    num_samples: Annotated[int, whole(1, MOST_MEMBERS)]
    perturbation_interval: Positive
    burn_in_period: NotNegative
    patience: Positive
    min_improvement_ratio: Scale
    hps: Any = None


# How a step is computed: in the fastest way, or as the model is written down.
ENGINES = ("auto", "reference")
# How exact matrix products are on a GPU, and what the trainer of others calls the last of them.
PRECISIONS = ("auto", "tf32", "fp32")
_AS_OTHERS_SAY = {32: "fp32", "32": "fp32", "32-true": "fp32"}


def _precision(value: object) -> object:
    known = isinstance(value, int | str) and not isinstance(value, bool)
    return _AS_OTHERS_SAY.get(value, value) if known else value


class TrainerSection(Section):
    """`trainer`, as far as it is used. A clip of 0 or null is none."""

    max_epochs: Positive
    gradient_clip_val: Annotated[float | None, number(SCALE, or_null=True)] = None
    engine: Annotated[str, BeforeValidator(Choice(ENGINES))]
    precision: Annotated[str, BeforeValidator(Choice(PRECISIONS)), BeforeValidator(_precision)]


class PosteriorSamplingSection(Section):
    """`posterior_sampling`, as far as it is used."""

    num_samples: Positive


# What a model is made of, by the first word of its weights' names.
MODEL_WEIGHTS = (
    *("readin", "encoder", "decoder", "readout", "recon"),
    *("ic_prior", "co_prior"),
)
DYNAMICS = ("encoder", "decoder", "ic_prior", "co_prior")


_Parts = Annotated[list[str], BeforeValidator(Choices(MODEL_WEIGHTS))]


class StartSection(Section):
    """`start`: the trained model that members begin with, and what of it stays as it is."""

    checkpoint: Annotated[str, BeforeValidator(Text("the path of a checkpoint"))]
    parts: _Parts = Field(default_factory=lambda: list(DYNAMICS))
    frozen: _Parts = Field(default_factory=list)


class SeedSection(Section):
    """The top level's `seed`; null: one is drawn by whoever starts the run."""

    seed: Annotated[
        int | None, BeforeValidator(Number(Bounds(0, MAX_SEED), whole=True, or_null=True))
    ] = None
