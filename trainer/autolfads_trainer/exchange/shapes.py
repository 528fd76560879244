"""The weights that a model has, by name and shape: known without building it, whatever its size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autolfads_trainer.config import classes

Shape = tuple[int, ...]

# By which parameters a prior is known.
PRIORS = {
    classes.NORMAL: ("mean", "logvar"),
    classes.AUTOREGRESSIVE: ("logtaus", "lognvars"),
    classes.STUDENT_T: ("loc", "logscale"),
}
_READOUT = re.compile(r"readout\.([0-9]{1,6})\.weight")


def sessions_in(weights: Mapping[str, Shape]) -> int:
    """Return how many sessions there are: read-outs, counted from 0."""
    found = {int(match[1]) for name in weights if (match := _READOUT.fullmatch(name))}
    count = 0
    while count in found:
        count += 1
    return count


def prior_in(weights: Mapping[str, Shape], name: str) -> str:
    """Return the class of the prior `name` (`ic_prior`, `co_prior`)."""
    for kind, parameters in PRIORS.items():
        if any(f"{name}.{parameter}" in weights for parameter in parameters):
            return kind
    return classes.NULL


def sizes_in(weights: Mapping[str, Shape]) -> dict[str, int]:
    """Return the sizes that weights give away, by the configuration's names.

    Those of names or shapes that no model has are left out: `shapes_of` finds them.
    """

    def size(name: str, axis: int, axes: int) -> int | None:
        shape = weights.get(name, ())
        return shape[axis] if len(shape) == axes else None

    def half(value: int | None) -> int | None:
        return None if value is None else value // 2

    cell = "decoder.rnn.cell."
    has_controller = f"{cell}con_cell.weight_hh" in weights
    control = half(size(f"{cell}co_linear.weight", 0, 2)) if has_controller else 0
    driven = size(f"{cell}gen_cell.weight_ih", 1, 2)
    found = {
        "encod_data_dim": size("encoder.ic_enc.fwd_gru.cell.weight_ih", 1, 2),
        "ic_enc_dim": size("encoder.ic_enc_h0", 2, 3),
        "ci_enc_dim": size("encoder.ci_enc_h0", 2, 3) if has_controller else 0,
        "ic_dim": size("decoder.ic_to_g0.weight", 1, 2),
        "gen_dim": size("decoder.ic_to_g0.weight", 0, 2),
        "fac_dim": size(f"{cell}fac_linear.weight", 0, 2),
        "con_dim": size("decoder.con_h0", 1, 2),
        "co_dim": control,
        "ext_input_dim": None if driven is None or control is None else driven - control,
    }
    return {name: value for name, value in found.items() if value is not None}


def shapes_of(model: Mapping[str, Any]) -> dict[str, Shape]:
    """Return all weights of the existing pipeline's model with this `model` section.

    They are ours, too, but for one: without a controller its start state there may have a size.
    """
    encoded = model["readin"][0].get("out_features", model["encod_data_dim"])
    units, factors = model["gen_dim"], model["fac_dim"]
    initial, control = model["ic_dim"], model["co_dim"]
    has_controller = all(model[name] > 0 for name in ("ci_enc_dim", "con_dim", "co_dim"))
    found: dict[str, Shape] = {}
    for session, part in enumerate(model["readin"]):
        if "out_features" in part:
            found |= _linear(f"readin.{session}", part["in_features"], encoded)
    encoders = ("ic_enc", "ci_enc") if has_controller else ("ic_enc",)
    for name in encoders:
        size = model[f"{name}_dim"]
        found[f"encoder.{name}_h0"] = (2, 1, size)
        for direction in ("fwd_gru", "bwd_gru"):
            found |= _cell(f"encoder.{name}.{direction}.cell", encoded, size)
    found |= _linear("encoder.ic_linear", 2 * model["ic_enc_dim"], 2 * initial)
    found |= _linear("decoder.ic_to_g0", initial, units)
    found["decoder.con_h0"] = (1, model["con_dim"])
    cell = "decoder.rnn.cell"
    found |= _cell(f"{cell}.gen_cell", control + model["ext_input_dim"], units)
    found[f"{cell}.fac_linear.weight"] = (factors, units)
    if has_controller:
        found |= _cell(f"{cell}.con_cell", 2 * model["ci_enc_dim"] + factors, model["con_dim"])
        found |= _linear(f"{cell}.co_linear", model["con_dim"], 2 * control)
    for session, part in enumerate(model["readout"]["modules"]):
        if part["_target_"] != classes.IDENTITY:
            found |= _linear(f"readout.{session}", factors, part["out_features"])
    for session, part in enumerate(model["reconstruction"]):
        if part["_target_"] == classes.ZERO_INFLATED_GAMMA:
            found[f"recon.{session}.scale"] = (2, part["recon_dim"])
    for name, size in (("ic_prior", initial), ("co_prior", control)):
        for parameter in PRIORS.get(model[name]["_target_"], ()):
            found[f"{name}.{parameter}"] = (size,)
    return found


def _linear(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _cell(name: str, inputs: int, units: int) -> dict[str, Shape]:
    return {
        f"{name}.weight_ih": (3 * units, inputs),
        f"{name}.weight_hh": (3 * units, units),
        f"{name}.bias_ih": (3 * units,),
        f"{name}.bias_hh": (3 * units,),
    }
