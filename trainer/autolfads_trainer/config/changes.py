"""Changing what may be tuned, and saying why something else may not."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from autolfads_trainer.config.checks import Key
from autolfads_trainer.config.sections import ModelSection
from autolfads_trainer.config.tunable import INDEX, SETTINGS, Setting
from autolfads_trainer.userinput import InputError, nearest, shown

# Numbers of `model` that are neither tunable nor part of the weights' shape.
_NOT_SHAPE = re.compile(
    r"(lr_|l2_|kl_|loss_|recon_reduce|variational|cell_clip|ic_post_var_min|ci_lag|.*_seq_len)"
)


_TUNABLE = "expected one of " + ", ".join(setting.path for setting in SETTINGS)


def setting_for(path: str, configuration: Mapping[str, Any], where: str) -> Setting:
    """Return the setting at `path` of a resolved configuration.

    Raises `InputError`, which begins with `where`, when there is none that can be tuned.
    """
    found = next((setting for setting in SETTINGS if setting.at(path)), None)
    exists = _exists(configuration, tuple(path.split(".")))
    if found is not None and exists:
        return found
    if found is not None:
        raise InputError(f"{where}: cannot be tuned: the configuration has no such {found.of}")
    if exists:
        raise InputError(f"{where}: cannot be tuned: {_why_not(path)}; {_TUNABLE}")
    hint = _hint(path)
    raise InputError(f"{where}: unknown setting{hint or '; ' + _TUNABLE}")


def with_hyperparameters(
    configuration: Mapping[str, Any], values: Mapping[str, float]
) -> dict[str, Any]:
    """Return a copy of a resolved configuration with tunable settings changed.

    `values` are by path, `{"model.lr_init": 1e-3}`. Raises `InputError` for a path that cannot be
    tuned and a value that the setting does not allow.
    """
    changed = copy.deepcopy(dict(configuration))
    for path, value in values.items():
        where = f"hyperparameters: {path}"
        setting = setting_for(path, changed, where)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not setting.allowed.hold(value):
            raise InputError(f"{where}: found {shown(value)}; expected a number {setting.allowed}")
        *parents, last = path.split(".")
        holder: Any = changed
        for name in parents:
            holder = holder[int(name)] if isinstance(holder, list) else holder[name]
        holder[last] = float(value)
    return changed


def _exists(configuration: Any, key: Key) -> bool:
    for name in key:
        if isinstance(configuration, Mapping) and name in configuration:
            configuration = configuration[name]
        elif (
            isinstance(configuration, list) and name.isdecimal() and int(name) < len(configuration)
        ):
            configuration = configuration[int(name)]
        else:
            return False
    return True


def _why_not(path: str) -> str:
    section, _, name = path.partition(".")
    if section != "model":
        return "it is the same for all members"
    if name in ModelSection.model_fields and not _NOT_SHAPE.match(name):
        return "it changes the shape of the weights, so that members could not copy one another"
    if name.endswith(("in_features", "out_features", "shape")):
        return "it changes the shape of the weights, so that members could not copy one another"
    return "it stays as it is for the whole run"


def _hint(path: str) -> str:
    last = path.rsplit(".", 1)[-1]  # `cd_rate` is how it is called in the results
    concrete = [setting.path.replace(INDEX, "0") for setting in SETTINGS]
    same_end = [known for known in concrete if known.endswith("." + last)]
    return f" (did you mean '{same_end[0]}'?)" if same_end else nearest(path, concrete)
