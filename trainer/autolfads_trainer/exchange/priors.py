"""The priors of a foreign model, by the names of their weights."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from autolfads_trainer.config import classes
from autolfads_trainer.exchange.known import Known, is_number
from autolfads_trainer.exchange.shapes import prior_in
from autolfads_trainer.userinput import InputError, shown

# What a prior's weights start from, usually. It is nothing but that: they are in the file.
_START = {
    classes.NORMAL: {"mean": 0.0, "variance": 0.1},
    classes.AUTOREGRESSIVE: {"tau": 10.0, "nvar": 0.1},
    classes.STUDENT_T: {"loc": 0.0, "scale": 1.0},
}


def prior_of(known: Known, name: str, size: int) -> dict[str, Any]:
    """Return the configuration of `ic_prior` or `co_prior`, which has `size` dimensions.

    Raises `InputError`.
    """
    kind = prior_in(known.shapes, name)
    given = known.given.part(name)
    if given is not None and given["_target_"] != kind:
        raise InputError(
            f"{known.given.where(('model', name, '_target_'))}: found {given['_target_']};"
            f" expected {kind}, by the weights in {known.foreign.path}"
        )
    if kind == classes.NULL:
        return {"_target_": kind}
    found: dict[str, Any] = {"_target_": kind}
    for argument, usual in _START[kind].items():
        if given is not None and argument in given:
            above = -math.inf if argument in ("mean", "loc") else 0.0
            found[argument] = known.number(given[argument], ("model", name, argument), above)
        elif argument == "variance" and size:  # which does not train
            found[argument] = _variance(known.foreign.state_dict.get(f"{name}.logvar"), usual)
        else:
            known.usual.append(f"model.{name}.{argument}")
            found[argument] = usual
    if kind == classes.STUDENT_T:
        found["df"] = _degrees_of_freedom(known, name, given)
    return {**found, "shape": size}


def _degrees_of_freedom(known: Known, name: str, given: dict[str, Any] | None) -> float:
    pickled = known.foreign.hyperparameters.get(name)
    df = pickled.get("df") if isinstance(pickled, dict) else None
    if df is None and given is None:
        raise known.error(
            f"holds a MultivariateStudentT as {name}, and not its df",
            f"a configuration with model.{name}",
        )
    if df is None:
        return known.number((given or {}).get("df"), ("model", name, "df"), above=0.0)
    if not is_number(df, above=0.0):
        raise known.error(f"hyper_parameters.{name}.df: found {shown(df)}", "a number above 0")
    return float(df)


def _variance(logvar: Tensor | None, usual: float) -> float:
    """Return the variance of which `logvar` is the logarithm, as it will have been written."""
    if logvar is None or not logvar.numel():
        return usual
    variance = float(logvar.double().mean().exp())
    return float(f"{variance:.6g}") if is_number(variance, above=0.0) else usual
