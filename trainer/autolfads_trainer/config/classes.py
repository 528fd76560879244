"""The classes that `_target_` may name. They are names only: nothing is imported here.

A class of the existing pipeline goes by its full name; one of this package by any full name under
`autolfads_trainer.` that ends alike. Both resolve to the existing pipeline's name, so that a
resolved configuration has one name for one thing.
"""

from __future__ import annotations

from collections.abc import Sequence

from autolfads_trainer.userinput import InputError, nearest, shown

OWN_PREFIX = "autolfads_trainer."

LFADS = "lfads_torch.model.LFADS"
DATAMODULE = "lfads_torch.datamodules.BasicDataModule"
HYPERPARAM = "lfads_torch.extensions.tune.HyperParam"
IDENTITY = "torch.nn.Identity"
LINEAR = "torch.nn.Linear"
MODULE_LIST = "torch.nn.ModuleList"
_READ = "lfads_torch.modules.readin_readout."
FAN_IN_LINEAR = _READ + "FanInLinear"
_RECONS = "lfads_torch.modules.recons."
POISSON = _RECONS + "Poisson"
POISSON_BPS = _RECONS + "PoissonBPS"
GAMMA = _RECONS + "Gamma"
ZERO_INFLATED_GAMMA = _RECONS + "ZeroInflatedGamma"
# How many parameters a read-out gives for each channel.
PARAMETERS = {
    POISSON: 1,
    POISSON_BPS: 1,
    _RECONS + "MSE": 1,
    _RECONS + "Gaussian": 2,
    GAMMA: 2,
    ZERO_INFLATED_GAMMA: 3,
}
OF_COUNTS = (POISSON, POISSON_BPS)
_PRIORS = "lfads_torch.modules.priors."
NULL = _PRIORS + "Null"
NORMAL = _PRIORS + "MultivariateNormal"
AUTOREGRESSIVE = _PRIORS + "AutoregressiveMultivariateNormal"
_AUGMENTATIONS = "lfads_torch.modules.augmentations."
STACK = _AUGMENTATIONS + "AugmentationStack"
COORDINATED_DROPOUT = _AUGMENTATIONS + "CoordinatedDropout"

_ALL_PRIORS = (NORMAL, AUTOREGRESSIVE, _PRIORS + "MultivariateStudentT", NULL)

# What a place in the configuration may hold: first what is supported, then what is only known.
_ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "model": ((LFADS,), ()),
    "datamodule": ((DATAMODULE,), ()),
    "hyperparameter": ((HYPERPARAM,), ()),
    "read-in": ((IDENTITY, FAN_IN_LINEAR), (LINEAR, _READ + "MultisessionReadin")),
    "read-out": ((FAN_IN_LINEAR,), (IDENTITY, LINEAR, _READ + "MultisessionReadout")),
    "reconstruction": (tuple(PARAMETERS), (_RECONS + "MultisessionReconstruction",)),
    "prior of the initial condition": ((NORMAL, NULL), _ALL_PRIORS),
    "prior of the controller's output": ((AUTOREGRESSIVE, NORMAL, NULL), _ALL_PRIORS),
    "augmentation stack": ((STACK,), ()),
    "augmentation": (
        (COORDINATED_DROPOUT,),
        tuple(
            _AUGMENTATIONS + name
            for name in (
                "SpikeJitter",
                "TemporalShift",
                "SampleValidation",
                "SelectiveBackpropThruTime",
            )
        ),
    ),
}

_KNOWN = {name for roles in _ROLES.values() for names in roles for name in names} | {MODULE_LIST}
_BY_LAST = {name.rsplit(".", 1)[1]: name for name in _KNOWN if name.startswith("lfads_torch.")}


def canonical(target: object) -> object:
    """Return the existing pipeline's name of a known class; anything else as it is."""
    if isinstance(target, str) and target.startswith(OWN_PREFIX):
        return _BY_LAST.get(target.rsplit(".", 1)[1], target)
    return target


def class_for(role: str, target: object, where: str, allow_import: Sequence[str] = ()) -> str:
    """Return the canonical name of the class `target`, which is to be a `role`.

    Raises `InputError` when it is unknown, something else, or not supported yet.
    """
    supported, known = _ROLES[role]
    name = canonical(target)
    if not isinstance(name, str):
        raise InputError(f"{where}: found {shown(target)}; expected the name of a class")
    if name in supported:
        return name
    if name in known:
        raise InputError(
            f"{where}: not supported yet: {name}; expected {_either(supported)} as the {role}"
        )
    if name in _KNOWN:
        raise InputError(f"{where}: found {name}; expected a {role}: {_either(supported)}")
    module = name.rpartition(".")[0]
    if any(module == allowed or module.startswith(allowed + ".") for allowed in allow_import):
        raise InputError(
            f"{where}: not supported yet: {name}, a class of one's own;"
            f" expected {_either(supported)}"
        )
    last = name.rpartition(".")[2]
    own = [OWN_PREFIX + "model." + end for end in _BY_LAST]
    hint = nearest(name, own if name.startswith(OWN_PREFIX) else sorted(_KNOWN))
    if last in _BY_LAST:
        hint = f" (did you mean '{_BY_LAST[last]}'?)"
    allow = f"; one of one's own is allowed by --allow-import {module}" if module else ""
    raise InputError(
        f"{where}: unknown class {shown(name)}{hint};"
        f" expected a class of the existing pipeline or of autolfads_trainer{allow}"
    )


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
