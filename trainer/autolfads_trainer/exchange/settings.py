"""The plain settings of a foreign model: saved with its weights, else given, else usual."""

from __future__ import annotations

from typing import Any

from autolfads_trainer.config.checks import validate
from autolfads_trainer.config.consistency import CONTROLLER_DIMS
from autolfads_trainer.config.sections import ModelSection
from autolfads_trainer.exchange.known import USUAL, Known
from autolfads_trainer.exchange.shapes import sizes_in
from autolfads_trainer.userinput import InputError, shown

_ENCODED = "encod_data_dim"  # configurations also give the data's channels by this name
_LENGTHS = ("encod_seq_len", "recon_seq_len")  # in bins: neither weights nor defaults know them


def settings_of(known: Known) -> dict[str, Any]:
    """Return every plain key of `model`, checked; sizes are those of the weights.

    `encod_data_dim` is as the existing pipeline has it: the channels that the encoder sees.
    Raises `InputError`.
    """
    saved, given = known.foreign.hyperparameters, known.given.model
    measured = sizes_in(known.shapes)
    values: dict[str, Any] = {}
    where: dict[str, str] = {}
    for name in ModelSection.model_fields:
        where[name] = f"{known.foreign.path}: hyper_parameters.{name}"
        if saved.get(name) is not None:
            values[name] = saved[name]
        elif name in given and name != _ENCODED:
            values[name], where[name] = given[name], known.given.where(("model", name))
        elif name in measured:
            values[name] = measured[name]
        elif name in _LENGTHS:
            raise known.error(
                f"has no hyper_parameters.{name}", "it there, or in a configuration that is given"
            )
        else:
            values[name] = USUAL[name]
            known.usual.append(f"model.{name}")
    settings = validate(ModelSection, values, ("model",), lambda key: where[key[1]])
    _check_sizes(settings, measured, where)
    _compare(known, settings)
    return settings


def _check_sizes(settings: dict[str, Any], measured: dict[str, int], where: dict[str, str]) -> None:
    for name, size in measured.items():
        # Without a controller one of its sizes is 0, and the others mean nothing.
        idle = not measured.get("co_dim") and name in (*CONTROLLER_DIMS, "ext_input_dim")
        if settings[name] != size and not idle:
            raise InputError(
                f"{where[name]}: found {settings[name]}; expected {size}, by the weights"
            )


def _compare(known: Known, settings: dict[str, Any]) -> None:
    """Tell what the configuration says otherwise: it may be another run's, or from before it."""
    other = []
    channels = {shape[1] for name, shape in known.shapes.items() if name == "readin.0.weight"}
    for name, value in settings.items():
        said = known.given.model.get(name, value)
        if said == value or (name == _ENCODED and said in channels):
            continue
        if name.endswith(("_dim", "_len")) or name == "ci_lag":
            raise InputError(
                f"{known.given.where(('model', name))}: found {shown(said)}; expected"
                f" {shown(value)}, as {known.foreign.path} was saved with"
            )
        other.append(name)
    if other:
        known.notes.append(f"as saved, and not as in {known.given.source}: {', '.join(other)}")
