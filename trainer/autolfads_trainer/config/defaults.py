"""The configuration that holds where nobody says otherwise.

The values are those of the existing pipeline's usual configuration (population 16, 1000 epochs,
controller on, coordinated dropout). Sizes come from the data, and so does the batch size; names of
further datasets (`batch_keys`, `attr_keys`) are the user's own, so none is the default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from autolfads_trainer.config import classes


def validation_trials(train: int, valid: int, ratio: float | None) -> int:
    """Return how many trials are for validation when all are split anew; None: as many as before.

    Rounded up, as the existing pipeline's split does.
    """
    return valid if ratio is None else math.ceil(ratio * (train + valid))


@dataclass(frozen=True)
class DataSizes:
    """What the configuration needs to know of a data file, and of those of further sessions."""

    path: str
    encod_dim: int  # held-in channels
    encod_steps: int  # bins
    recon_dim: int  # channels, held-in and held-out
    recon_steps: int  # bins, with those to forecast
    ext_input_dim: int  # channels of external input, 0 for none
    train_trials: int
    valid_trials: int
    keys: frozenset[str]  # every dataset in the file
    test_trials: int = 0
    pcr_dim: int = 0  # components that read-in and read-out can start from; 0: the file has none
    pcr_alignment: str = ""  # the same of files that were aligned with each other; empty: unknown
    missing: str = ""  # where the first of its data are missing (NaN), in words
    others: tuple[DataSizes, ...] = ()  # of further sessions

    @property
    def sessions(self) -> tuple[DataSizes, ...]:
        """Of every session; each has trials of the same steps and the same external input."""
        return (self, *self.others)

    def reshuffled(self, ratio: float | None) -> DataSizes:
        """Return the sizes once trials of training and validation are split anew."""
        whole = self.train_trials + self.valid_trials
        valid = validation_trials(self.train_trials, self.valid_trials, ratio)
        others = tuple(other.reshuffled(ratio) for other in self.others)
        return replace(self, train_trials=whole - valid, valid_trials=valid, others=others)

    @property
    def pattern(self) -> str:
        """What all files are, in words: the one, or how many and the first."""
        return f"{len(self.sessions)} files, {self.path} …" if self.others else self.path

    @property
    def largest_batch(self) -> int:
        """The most trials, of all sessions together, that a step can take."""
        return len(self.sessions) * min(one.train_trials for one in self.sessions)


# Keys of `model` that repeat a size of the data, with that size in words.
MODEL_SIZES = {
    "encod_data_dim": ("encod_dim", "channels of encod_data"),
    "encod_seq_len": ("encod_steps", "time steps of encod_data"),
    "recon_seq_len": ("recon_steps", "time steps of recon_data"),
    "ext_input_dim": ("ext_input_dim", "channels of ext_input"),
}

MAX_DEFAULT_BATCH = 256


def default_batch(sizes: DataSizes) -> int:
    """Return the trials of a step where nobody says."""
    return min(MAX_DEFAULT_BATCH, max(sizes.largest_batch, 1))


def default_configuration(sizes: DataSizes) -> dict[str, Any]:
    """Return the defaults for data of these sizes, in the shape of users' files."""
    return {
        "seed": None,
        "model": _model(sizes),
        "datamodule": {
            "_target_": classes.DATAMODULE,
            "batch_size": default_batch(sizes),
        },
        "pbt": {
            "metric": "valid/recon_smth",
            "resources_per_trial": {"gpu": 0.5},
            "num_samples": 16,
            "perturbation_interval": 25,  # epochs
            "burn_in_period": 105,  # epochs
            "patience": 4,  # generations
            "min_improvement_ratio": 5e-4,
            "hps": _search_space(),
        },
        "trainer": {
            "max_epochs": 1000,
            "gradient_clip_val": 200,
            "engine": "auto",
            "precision": "auto",
        },
        "posterior_sampling": {"num_samples": 50},
    }


def _model(sizes: DataSizes) -> dict[str, Any]:
    return {
        "_target_": classes.LFADS,
        **{key: getattr(sizes, size) for key, (size, _) in MODEL_SIZES.items()},
        "ic_enc_seq_len": 0,
        "ic_enc_dim": 64,
        "ci_enc_dim": 64,
        "ci_lag": 1,
        "con_dim": 64,
        "co_dim": 4,
        "ic_dim": 64,
        "gen_dim": 200,
        "fac_dim": 100,
        "readin": _readin(sizes),
        "readout": {
            "_target_": classes.MODULE_LIST,
            "modules": [_readout(sizes)],
        },
        "train_aug_stack": {
            "_target_": classes.STACK,
            "transforms": [
                {"_target_": classes.COORDINATED_DROPOUT, "cd_rate": 0.3, "cd_pass_rate": 0.0}
            ],
            "batch_order": [0],
            "loss_order": [0],
        },
        "infer_aug_stack": {"_target_": classes.STACK},
        "reconstruction": [{"_target_": classes.POISSON}],
        "variational": True,
        "co_prior": {"_target_": classes.AUTOREGRESSIVE, "tau": 10.0, "nvar": 0.1},
        "ic_prior": {"_target_": classes.NORMAL, "mean": 0.0, "variance": 0.1},
        "ic_post_var_min": 1e-4,
        "dropout_rate": 0.3,
        "cell_clip": 5.0,
        "loss_scale": 1e4,
        "recon_reduce_mean": True,
        "lr_init": 4e-3,
        "lr_stop": 1e-5,
        "lr_decay": 0.95,
        "lr_patience": 6,
        "lr_adam_beta1": 0.9,
        "lr_adam_beta2": 0.999,
        "lr_adam_epsilon": 1e-8,
        "lr_scheduler": False,
        "weight_decay": 0.0,
        "l2_start_epoch": 0,
        "l2_increase_epoch": 80,
        "l2_ic_enc_scale": 0.0,
        "l2_ci_enc_scale": 0.0,
        "l2_gen_scale": 0.0,
        "l2_con_scale": 0.0,
        "kl_start_epoch": 0,
        "kl_increase_epoch": 80,
        "kl_ic_scale": 1e-7,
        "kl_co_scale": 1e-7,
    }


def _readin(sizes: DataSizes) -> list[dict[str, Any]]:
    """Return that of one session, or a linear layer for each of several: neurons differ."""
    if not sizes.others:
        return [{"_target_": classes.IDENTITY}]
    trained = {"_target_": classes.FAN_IN_LINEAR, "requires_grad": True}
    if _has_pcr(sizes):
        return [{**trained, "pcr_init": True}]
    return [{**trained, "out_features": min(one.encod_dim for one in sizes.sessions)}]


def _readout(sizes: DataSizes) -> dict[str, Any]:
    start = {"pcr_init": True} if sizes.others and _has_pcr(sizes) else {}
    return {"_target_": classes.FAN_IN_LINEAR, **start}


def _has_pcr(sizes: DataSizes) -> bool:
    return all(one.pcr_dim == sizes.pcr_dim > 0 for one in sizes.sessions)


def _search_space() -> dict[str, Any]:
    wide = {"sample_fn": "loguniform", "explore_wt": 0.8, "enforce_limits": False}
    tight = {"explore_wt": 0.3, "enforce_limits": True}
    return {
        "model.lr_init": {"min_samp": 1e-5, "max_samp": 5e-3, "init": 4e-3, **tight},
        "model.dropout_rate": {"min_samp": 0.0, "max_samp": 0.6, "sample_fn": "uniform", **tight},
        "model.train_aug_stack.transforms.0.cd_rate": {
            "min_samp": 0.01,
            "max_samp": 0.7,
            "init": 0.5,
            "sample_fn": "uniform",
            **tight,
        },
        "model.kl_co_scale": {"min_samp": 1e-6, "max_samp": 1e-4, **wide},
        "model.kl_ic_scale": {"min_samp": 1e-6, "max_samp": 1e-3, **wide},
        "model.l2_gen_scale": {"min_samp": 1e-4, "max_samp": 1.0, **wide},
        "model.l2_con_scale": {"min_samp": 1e-4, "max_samp": 1.0, **wide},
    }
