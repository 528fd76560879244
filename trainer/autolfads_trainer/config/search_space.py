"""The search space of population-based training, from `pbt.hps` or `spec.pbt.searchSpace`."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator

from autolfads_trainer.config import classes
from autolfads_trainer.config.bounds import Bounds
from autolfads_trainer.config.changes import setting_for
from autolfads_trainer.config.checks import Choice, Key, Number, Section, Switch, number, validate
from autolfads_trainer.config.consistency import has_controller
from autolfads_trainer.config.layers import DEFAULTS, Layers
from autolfads_trainer.config.manifest import SPEC_SEARCH_SPACE
from autolfads_trainer.config.tunable import INDEX, SETTINGS, Setting
from autolfads_trainer.userinput import InputError, shown

_AnyNumber = Annotated[float, number(Bounds())]
_Weight = Annotated[float, number(Bounds(0, 10, lowest_included=False))]
_Init = Annotated[float | None, BeforeValidator(Number(Bounds(), or_null=True))]

SAMPLES = {"logUniform": "loguniform", "uniform": "uniform", "randInt": "randint"}


class _FileEntry(Section):
    """As users' files write it."""

    min_samp: _AnyNumber
    max_samp: _AnyNumber
    init: _Init = None
    sample_fn: Annotated[str, BeforeValidator(Choice(tuple(SAMPLES.values())))] = "loguniform"
    explore_wt: _Weight = 0.2
    enforce_limits: Switch = False


class _SpecEntry(Section):
    """As the manifest writes it; the fields in the order of `_FileEntry`."""

    min: _AnyNumber
    max: _AnyNumber
    init: _Init = None
    sample: Annotated[str, BeforeValidator(Choice(tuple(SAMPLES)))] = "logUniform"
    exploreWeight: _Weight = 0.2  # noqa: N815
    enforceLimits: Switch = False  # noqa: N815


_SPEC_NAMES = dict(zip(_FileEntry.model_fields, _SpecEntry.model_fields, strict=True))


def search_space_of(
    hps: Any, configuration: dict[str, Any], layers: Layers
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], list[str]]:
    """Return the search space as users' files write it, as `run.json` does, and notes.

    `configuration` is resolved but for `pbt.hps`, which is `hps`. Raises `InputError`.
    """
    key: Key = ("pbt", "hps")
    origin = layers.origin(key)
    if hps is None:
        hps = {}
    if not isinstance(hps, dict):
        raise InputError(f"{layers.where(key)}: found {shown(hps)}; expected a mapping")
    as_file: dict[str, dict[str, Any]] = {}
    as_json: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for path, entry in hps.items():
        if origin == DEFAULTS:
            lacking = _lacking(path, configuration)
            if lacking:
                notes.append(f"{path} is not tuned: the configuration has no {lacking}")
                continue
            path = _where_it_is(path, configuration)  # noqa: PLW2901
        checked, setting = _entry(entry, path, configuration, layers)
        as_file[path] = checked
        as_json[path] = _as_json(checked, setting)
    return as_file, as_json, notes


def overruled(space: dict[str, Any], layers: Layers) -> list[str]:
    """Return a note for each value that the user gave and a search space from elsewhere replaces.

    A file that gives both, as the existing pipeline's do, means it so.
    """
    giver = layers.origin(("pbt", "hps"))
    whose, change = "", ""
    if giver == DEFAULTS:
        whose, change = "default ", " (give a search space of your own to change that)"
    return [
        f"{layers.where(tuple(path.split('.')))}: is not used: the {whose}search space tunes it"
        + change
        for path in space
        if layers.origin(tuple(path.split("."))) not in (DEFAULTS, giver)
    ]


def _lacking(path: str, configuration: dict[str, Any]) -> str:
    """Return the part of the model that a default entry would tune and that is not there."""
    setting = next(s for s in SETTINGS if s.at(path))
    model = configuration["model"]
    there = {
        "": True,
        "controller": has_controller(model),
        "coordinated dropout": any(
            part["_target_"] == classes.COORDINATED_DROPOUT
            for part in model["train_aug_stack"]["transforms"]
        ),
    }
    return "" if there[setting.of] else setting.of


def _where_it_is(path: str, configuration: dict[str, Any]) -> str:
    """Return a default path with the index that its augmentation has in this configuration."""
    setting = next(s for s in SETTINGS if s.at(path))
    if INDEX not in setting.path:
        return path
    transforms = configuration["model"]["train_aug_stack"]["transforms"]
    index = next(
        number
        for number, part in enumerate(transforms)
        if part["_target_"] == classes.COORDINATED_DROPOUT
    )
    return setting.path.replace(INDEX, str(index))


def _entry(
    entry: Any, path: str, configuration: dict[str, Any], layers: Layers
) -> tuple[dict[str, Any], Setting]:
    key: Key = ("pbt", "hps", path)
    setting = setting_for(path, configuration, layers.where(key))
    if not isinstance(entry, dict):
        raise InputError(f"{layers.where(key)}: found {shown(entry)}; expected a mapping")
    names = dict.fromkeys(_FileEntry.model_fields, "")
    if layers.origin(key) == SPEC_SEARCH_SPACE:
        said = validate(_SpecEntry, entry, key, layers.where)
        names = _SPEC_NAMES
        checked = {name: said[names[name]] for name in names}
        checked["sample_fn"] = SAMPLES[checked["sample_fn"]]
    else:
        names = {name: name for name in names}
        entry = dict(entry)
        if "_target_" in entry:
            where = layers.where((*key, "_target_"))
            classes.class_for("hyperparameter", entry.pop("_target_"), where)
        checked = validate(_FileEntry, entry, key, layers.where)
    where_of = {name: layers.where((*key, names[name])) for name in names}
    _check_range(checked, setting, where_of, names)
    return checked, setting


def _check_range(
    entry: dict[str, Any], setting: Setting, where: dict[str, str], names: dict[str, str]
) -> None:
    low, high, init = entry["min_samp"], entry["max_samp"], entry["init"]
    span = f"the range {low:g} to {high:g}"
    if low > high:
        raise InputError(
            f"{where['min_samp']}: found {low:g}, above {names['max_samp']} {high:g};"
            " expected the smaller number first"
        )
    for name in ("min_samp", "max_samp", "init"):
        value = entry[name]
        if value is not None and not setting.allowed.hold(value):
            found = f"found {value:g}" + ("" if name == "init" else f" in {span}")
            raise InputError(
                f"{where[name]}: {found}; {setting.name} must be a number {setting.allowed}"
            )
    if entry["sample_fn"] == "loguniform" and low <= 0:
        raise InputError(
            f"{where['min_samp']}: found {low:g} in {span}; expected a number above 0, since"
            f" sampling is log-uniform ({names['sample_fn']}: uniform allows 0)"
        )
    if entry["sample_fn"] == "randint":
        if math.ceil(low) >= high:
            raise InputError(
                f"{where['max_samp']}: found {span}; expected a whole number from"
                f" {names['min_samp']} on and below {names['max_samp']}"
            )
        if init is not None and init != int(init):
            raise InputError(f"{where['init']}: found {init:g}; expected a whole number")
    if entry["enforce_limits"] and init is not None and not low <= init <= high:
        raise InputError(
            f"{where['init']}: found {init:g}; expected a number within {span}, since"
            f" {names['enforce_limits']} is true"
        )


def _as_json(entry: dict[str, Any], setting: Setting) -> dict[str, Any]:
    samples = {word: ours for ours, word in SAMPLES.items()}
    allowed = setting.allowed
    return {
        **{_SPEC_NAMES[name]: value for name, value in entry.items()},
        "sample": samples[entry["sample_fn"]],
        "lowest": allowed.lowest,
        "highest": allowed.highest,
        "highestIncluded": allowed.highest_included,
    }
