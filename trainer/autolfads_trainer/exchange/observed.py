"""Read-ins, read-outs and reconstructions of a foreign model: what it has for each session."""

from __future__ import annotations

from typing import Any

from autolfads_trainer.config import classes
from autolfads_trainer.exchange.known import Known
from autolfads_trainer.userinput import InputError

_ARGUMENTS = ("gamma_loc", "scale_init", "scale_prior", "scale_penalty")
_WITHOUT_WEIGHTS = tuple(name for name in classes.PARAMETERS if name != classes.ZERO_INFLATED_GAMMA)


def readin_of(known: Known, session: int) -> dict[str, Any]:
    """Return the configuration of a read-in: linear where it has weights. Raises `InputError`."""
    name = f"readin.{session}.weight"
    if name not in known.shapes:
        return {"_target_": classes.IDENTITY}
    return _linear(*known.matrix(name), trains=False)


def readout_of(known: Known, session: int) -> dict[str, Any]:
    """Return the configuration of a read-out. Raises `InputError`."""
    return _linear(*known.matrix(f"readout.{session}.weight"), trains=True)


def _linear(outputs: int, inputs: int, *, trains: bool) -> dict[str, Any]:
    return {
        "_target_": classes.FAN_IN_LINEAR,
        "in_features": inputs,
        "out_features": outputs,
        "pcr_init": False,
        "requires_grad": trains,
    }


def reconstruction_of(
    known: Known, session: int, sessions: int, held_in: int, outputs: int
) -> dict[str, Any]:
    """Return a reconstruction, for channels of which `held_in` are encoded, and the read-out's
    `outputs`. Raises `InputError`."""
    scale = f"recon.{session}.scale"
    given = known.given.reconstruction(session, sessions)
    where = known.given.where(("model", "reconstruction", str(session)))
    if scale in known.shapes:
        return _zero_inflated_gamma(known, session, given, where)
    if given is None:
        _tell_what_is_assumed(known, session, held_in, outputs)
        return {"_target_": classes.POISSON}
    kind = given["_target_"]
    if kind not in _WITHOUT_WEIGHTS:
        raise InputError(
            f"{where}: found {kind}; expected {' or '.join(_WITHOUT_WEIGHTS)}, since"
            f" {known.foreign.path} has no weight '{scale}'"
        )
    each = classes.PARAMETERS[kind]
    if outputs % each:
        raise InputError(
            f"{where}: found {kind}; expected one of which {outputs} outputs, as the read-out in"
            f" {known.foreign.path} has, are {each} for each channel"
        )
    return {"_target_": kind}


def _tell_what_is_assumed(known: Known, session: int, held_in: int, outputs: int) -> None:
    also = "PoissonBPS or MSE would have the same weights"
    # What is held in is a part of all channels: with fewer outputs than two each there is only one.
    if outputs >= 2 * held_in and outputs % 2 == 0:
        also += f", and so would Gaussian or Gamma with {outputs // 2} channels"
    known.notes.append(
        f"model.reconstruction.{session}: Poisson with {outputs} channels is assumed; the file"
        f" does not say, and {also}"
    )


def _zero_inflated_gamma(
    known: Known, session: int, given: dict[str, Any] | None, where: str
) -> dict[str, Any]:
    kind = classes.ZERO_INFLATED_GAMMA
    if given is None:
        raise known.error(
            "holds a ZeroInflatedGamma, and not its gamma_loc",
            "a configuration with model.reconstruction",
        )
    if given["_target_"] != kind:
        raise InputError(
            f"{where}: found {given['_target_']}; expected {kind}, whose scale"
            f" {known.foreign.path} holds"
        )
    key = ("model", "reconstruction", str(session))
    arguments = {name: known.number(given.get(name), (*key, name)) for name in _ARGUMENTS}
    _, channels = known.matrix(f"recon.{session}.scale")
    return {"_target_": kind, "recon_dim": channels, **arguments}
