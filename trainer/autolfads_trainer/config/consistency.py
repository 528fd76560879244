"""What must fit together: sizes with the data, settings with one another; and what is not yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autolfads_trainer.config.checks import Key
from autolfads_trainer.config.defaults import MODEL_SIZES, DataSizes
from autolfads_trainer.userinput import InputError, shown

Where = Callable[[Key], str]

CONTROLLER_DIMS = ("ci_enc_dim", "con_dim", "co_dim")


def has_controller(model: dict[str, Any]) -> bool:
    """Return whether there is a controller: all three of its sizes are above 0."""
    return all(model[name] > 0 for name in CONTROLLER_DIMS)


def check_model(model: dict[str, Any], sizes: DataSizes, where: Where) -> list[str]:
    """Check the plain settings of `model`; return notes. Raises `InputError`."""
    for name, (size, words) in MODEL_SIZES.items():
        expected = getattr(sizes, size)
        if model[name] != expected:
            raise InputError(
                f"{where(('model', name))}: found {model[name]}; expected {expected}, the {words}"
                f" in {sizes.path} (without this key the size is read from there)"
            )
    if sizes.recon_steps < sizes.encod_steps:
        raise InputError(
            f"{sizes.path}: recon_data has {sizes.recon_steps} time steps; expected at least the"
            f" {sizes.encod_steps} of encod_data"
        )
    start, steps = model["ic_enc_seq_len"], model["encod_seq_len"]
    if start >= steps:
        raise InputError(
            f"{where(('model', 'ic_enc_seq_len'))}: found {start};"
            f" expected less than model.encod_seq_len, {steps}"
        )
    if has_controller(model) and model["ci_lag"] >= steps - start:
        raise InputError(
            f"{where(('model', 'ci_lag'))}: found {model['ci_lag']}; expected less than the"
            f" {steps - start} time steps that the controller's encoder sees"
        )
    off = [name for name in CONTROLLER_DIMS if model[name] == 0]
    if off and len(off) < len(CONTROLLER_DIMS):
        return [f"no controller, since {' = '.join(f'model.{name}' for name in off)} = 0"]
    return []


def check_datamodule(
    data: dict[str, Any], model: dict[str, Any], sizes: DataSizes, where: Where
) -> list[str]:
    """Check `datamodule` against the data file, and make it name that file; return notes.

    Raises `InputError`.
    """

    def at(name: str) -> str:
        return where(("datamodule", name))

    notes = _check_paths(data, sizes, at)
    for name in ("reshuffle_tv_seed", "reshuffle_tv_ratio"):
        if data[name] is not None:
            raise InputError(f"{at(name)}: not supported yet: {shown(data[name])}; expected null")
    if data["sv_rate"]:
        raise InputError(
            f"{at('sv_rate')}: not supported yet: {shown(data['sv_rate'])}; expected 0"
        )
    if data["sv_seed"]:
        notes.append(f"{at('sv_seed')}: is not used: sv_rate is 0")
    start = model["ic_enc_seq_len"]
    if data["dm_ic_enc_seq_len"] not in (None, 0, start):
        raise InputError(
            f"{at('dm_ic_enc_seq_len')}: found {data['dm_ic_enc_seq_len']};"
            f" expected model.ic_enc_seq_len, {start}"
        )
    if data["batch_size"] > max(sizes.train_trials, 1):
        raise InputError(
            f"{at('batch_size')}: found {data['batch_size']}; expected at most the"
            f" {sizes.train_trials} training trials in {sizes.path}"
        )
    for name, splits in (("batch_keys", ("train_", "valid_")), ("attr_keys", ("",))):
        lacking = {
            key: [split + key for split in splits if split + key not in sizes.keys]
            for key in data[name]
        }
        missing = [dataset for datasets in lacking.values() for dataset in datasets]
        if missing:
            notes.append(f"datamodule.{name}: {sizes.path} has no {', '.join(missing)}")
        data[name] = [key for key in data[name] if not lacking[key]]
    return notes


def _check_paths(data: dict[str, Any], sizes: DataSizes, at: Callable[[str], str]) -> list[str]:
    notes = []
    for name in ("data_paths", "datafile_pattern"):
        said = data.pop(name)
        if len(said) > 1:
            raise InputError(f"{at(name)}: not supported yet: {len(said)} files; expected one")
        if said and said[0] != sizes.path:
            notes.append(f"datamodule.{name}: {said[0]} is not read; spec.data says {sizes.path}")
    data["data_paths"] = [sizes.path]
    return notes
