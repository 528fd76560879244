"""The classes that `_target_` may name. They are names only: nothing is imported here.

A class of the existing pipeline goes by its full name; one of this package by any full name under
`autolfads_trainer.` that ends alike. Both resolve to the existing pipeline's name, so that a
resolved configuration has one name for one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autolfads_trainer.own_classes import is_allowed
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
MULTISESSION_READIN = _READ + "MultisessionReadin"
MULTISESSION_READOUT = _READ + "MultisessionReadout"
_RECONS = "lfads_torch.modules.recons."
POISSON = _RECONS + "Poisson"
POISSON_BPS = _RECONS + "PoissonBPS"
GAMMA = _RECONS + "Gamma"
ZERO_INFLATED_GAMMA = _RECONS + "ZeroInflatedGamma"
MULTISESSION_RECONSTRUCTION = _RECONS + "MultisessionReconstruction"
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
STUDENT_T = _PRIORS + "MultivariateStudentT"
_AUGMENTATIONS = "lfads_torch.modules.augmentations."
STACK = _AUGMENTATIONS + "AugmentationStack"
COORDINATED_DROPOUT = _AUGMENTATIONS + "CoordinatedDropout"
SAMPLE_VALIDATION = _AUGMENTATIONS + "SampleValidation"
SPIKE_JITTER = _AUGMENTATIONS + "SpikeJitter"
TEMPORAL_SHIFT = _AUGMENTATIONS + "TemporalShift"
SELECTIVE_BACKPROP = _AUGMENTATIONS + "SelectiveBackpropThruTime"

_LINEAR = (FAN_IN_LINEAR, LINEAR)
_OF_ANY = (NORMAL, STUDENT_T, NULL)
# What a place in the configuration may hold.
_ROLES: dict[str, tuple[str, ...]] = {
    "model": (LFADS,),
    "datamodule": (DATAMODULE,),
    "hyperparameter": (HYPERPARAM,),
    "read-in": (IDENTITY, *_LINEAR, MULTISESSION_READIN),
    "read-out": (IDENTITY, *_LINEAR, MULTISESSION_READOUT),
    "reconstruction": (*PARAMETERS, MULTISESSION_RECONSTRUCTION),
    "prior of the initial condition": _OF_ANY,
    "prior of the controller's output": (AUTOREGRESSIVE, *_OF_ANY),
    "augmentation stack": (STACK,),
    "augmentation": (
        *(COORDINATED_DROPOUT, SAMPLE_VALIDATION, SELECTIVE_BACKPROP),
        *(SPIKE_JITTER, TEMPORAL_SHIFT),
    ),
}
# Where a user's own class may stand.
OWN_ROLES = (
    "reconstruction",
    "prior of the initial condition",
    "prior of the controller's output",
    "augmentation",
)

_KNOWN = {name for names in _ROLES.values() for name in names} | {MODULE_LIST}
_BY_LAST = {name.rsplit(".", 1)[1]: name for name in _KNOWN if name.startswith("lfads_torch.")}


def canonical(target: object) -> object:
    """Return the existing pipeline's name of a known class; anything else as it is.

    Its classes have been moved from module to module: any name of its own that ends alike is one.
    """
    if isinstance(target, str) and target.startswith((OWN_PREFIX, "lfads_torch.")):
        return _BY_LAST.get(target.rsplit(".", 1)[1], target)
    return target


def class_for(role: str, target: object, where: str, allow_import: Sequence[str] = ()) -> str:
    """Return the canonical name of the class `target`, which is to be a `role`.

    A class of a module in `allow_import` may be a reconstruction, a prior or an augmentation.
    Raises `InputError` when it is unknown, or something else.
    """
    supported = _ROLES[role]
    name = canonical(target)
    if not isinstance(name, str):
        raise InputError(f"{where}: found {shown(target)}; expected the name of a class")
    if name in supported:
        return name
    if name in _KNOWN:
        raise InputError(f"{where}: found {name}; expected a {role}: {_either(supported)}")
    module = name.rpartition(".")[0]
    if is_allowed(name, allow_import):
        if role in OWN_ROLES:
            return name
        raise InputError(
            f"{where}: found {name}, a class of one's own; expected one of those as the {role}: "
            f"{_either(supported)}"
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


def is_own(target: str) -> bool:
    """Return whether a canonical name is that of a user's own class."""
    return target not in _KNOWN


def own_classes_of(model: Mapping[str, Any]) -> list[str]:
    """Return the names of users' own classes in a resolved `model` section."""
    stacks = (model[name]["transforms"] for name in ("train_aug_stack", "infer_aug_stack"))
    parts = [*model["reconstruction"], model["ic_prior"], model["co_prior"]]
    named = [part["_target_"] for part in (*parts, *(part for stack in stacks for part in stack))]
    return list(dict.fromkeys(target for target in named if is_own(target)))


def has_own_classes(model: Mapping[str, Any]) -> bool:
    """Return whether there are any: the engine knows nothing of them."""
    return bool(own_classes_of(model))


def held_out_by(model: Mapping[str, Any]) -> float:
    """Return the share that sample validation holds out of a resolved `model` section; 0: none."""
    transforms = model["train_aug_stack"]["transforms"]
    rates = (part["sv_rate"] for part in transforms if part["_target_"] == SAMPLE_VALIDATION)
    return float(next(rates, 0.0))


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
