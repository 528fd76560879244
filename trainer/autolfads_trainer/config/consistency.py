"""What must fit together: sizes with the data, settings with one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.checks import Key
from autolfads_trainer.config.defaults import MODEL_SIZES, DataSizes
from autolfads_trainer.userinput import InputError

Where = Callable[[Key], str]

CONTROLLER_DIMS = ("ci_enc_dim", "con_dim", "co_dim")


def has_controller(model: dict[str, Any]) -> bool:
    """Return whether there is a controller: all three of its sizes are above 0."""
    return all(model[name] > 0 for name in CONTROLLER_DIMS)


def check_model(model: dict[str, Any], sizes: DataSizes, where: Where) -> list[str]:
    """Check the plain settings of `model`; return notes. Raises `InputError`."""
    for name, (size, words) in MODEL_SIZES.items():
        expected = getattr(sizes, size)
        if name != "encod_data_dim" and model[name] != expected:  # that one with the read-in
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
    if data["reshuffle_tv_ratio"] is not None and data["reshuffle_tv_seed"] is None:
        notes.append(f"{at('reshuffle_tv_ratio')}: is not used: reshuffle_tv_seed is null")
    held_out = any(
        part["_target_"] == classes.SAMPLE_VALIDATION
        for part in model["train_aug_stack"]["transforms"]
    )
    if data["sv_rate"] and not held_out:
        notes.append(f"{at('sv_rate')}: is not used: no stack has SampleValidation")
    if data["sv_seed"] and not data["sv_rate"]:
        notes.append(f"{at('sv_seed')}: is not used: sv_rate is 0")
    notes += _unused_starts(model, sizes)
    start = model["ic_enc_seq_len"]
    if data["dm_ic_enc_seq_len"] not in (None, 0, start):
        raise InputError(
            f"{at('dm_ic_enc_seq_len')}: found {data['dm_ic_enc_seq_len']};"
            f" expected model.ic_enc_seq_len, {start}"
        )
    _check_batch(data["batch_size"], sizes, at("batch_size"))
    for name, splits in (("batch_keys", ("train_", "valid_")), ("attr_keys", ("",))):
        wanted = [(key, split + key) for key in data[name] for split in splits]
        lacking: set[str] = set()
        for one in sizes.sessions:
            missing = [(key, dataset) for key, dataset in wanted if dataset not in one.keys]
            if missing:
                told = ", ".join(dataset for _, dataset in missing)
                notes.append(f"datamodule.{name}: {one.path} has no {told}")
            lacking.update(key for key, _ in missing)
        data[name] = [key for key in data[name] if key not in lacking]
    return notes


def _unused_starts(model: dict[str, Any], sizes: DataSizes) -> list[str]:
    """Tell of start values that some files have, and that are not used since others lack them."""
    having = [one for one in sizes.sessions if one.pcr_dim]
    used = any(part.get("pcr_init") for part in model["readin"])
    if used or not having or len(sizes.sessions) == 1:
        return []
    lacking = next((one for one in sizes.sessions if one.pcr_dim != having[0].pcr_dim), None)
    if lacking is None:
        return []
    return [
        f"start values of {having[0].path} (readin_weight) are not used: {lacking.path} has"
        f" {'none' if not lacking.pcr_dim else 'others'}; 'autolfads pcr' makes them for all files"
    ]


def _check_batch(batch_size: int, sizes: DataSizes, where: str) -> None:
    sessions = len(sizes.sessions)
    most = max(sizes.largest_batch, 1)
    if sessions <= batch_size <= most:
        return
    if sessions == 1:
        expected = f"at most the {sizes.train_trials} training trials in {sizes.path}"
    else:
        smallest = min(sizes.sessions, key=lambda one: one.train_trials)
        expected = (
            f"{sessions} to {most}: it is divided among the {sessions} sessions, of which"
            f" {smallest.path} has {smallest.train_trials} training trials"
        )
    raise InputError(f"{where}: found {batch_size}; expected {expected}")


def _check_paths(data: dict[str, Any], sizes: DataSizes, at: Callable[[str], str]) -> list[str]:
    notes = []
    paths = [one.path for one in sizes.sessions]
    for name in ("data_paths", "datafile_pattern"):
        said = data.pop(name)
        if said and said not in (paths, [sizes.pattern]):
            told = ", ".join(said)
            notes.append(f"datamodule.{name}: {told} is not read; spec.data says {sizes.pattern}")
    data["data_paths"] = paths
    return notes


def check_start(start: dict[str, Any], model: dict[str, Any], where: Where) -> None:
    """See that what is frozen is taken from the checkpoint, and that something trains."""
    made_up = [part for part in start["frozen"] if part not in start["parts"]]
    if made_up:
        raise InputError(
            f"{where(('start', 'frozen'))}: found {', '.join(made_up)}; expected parts that are"
            f" taken from the checkpoint (start.parts: {', '.join(start['parts']) or 'none'}):"
            " random weights would stay random"
        )
    reads = any(part.get("requires_grad", False) for part in model["readin"])
    trains = ["encoder", "decoder", "readout", *(["readin"] if reads else [])]
    if all(part in start["frozen"] for part in trains):
        raise InputError(
            f"{where(('start', 'frozen'))}: nothing would train; expected to leave out one of"
            f" {', '.join(trains)}"
        )
