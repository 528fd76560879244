"""The parts of `model` that name a class: checked, completed, in one canonical shape.

`readin` and `reconstruction` become lists, `readout` a `torch.nn.ModuleList` with `modules`, one
item per session; every `_target_` is the existing pipeline's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.bounds import SCALE, Bounds
from autolfads_trainer.config.checks import (
    AboveZero,
    Key,
    Positive,
    Rate,
    Scale,
    Section,
    number,
    validate,
    whole,
)
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.layers import DEFAULTS, Layers
from autolfads_trainer.userinput import InputError, shown

_OptionalSize = Annotated[int | None, whole(1, or_null=True)]
_OptionalShape = Annotated[int | None, whole(0, or_null=True)]


class _Nothing(Section):
    """A class without arguments."""


class _ReadinLinear(Section):
    in_features: _OptionalSize = None
    out_features: Positive


class _ReadoutLinear(Section):
    in_features: _OptionalSize = None
    out_features: _OptionalSize = None


class _ZeroInflatedGamma(Section):
    recon_dim: _OptionalSize = None
    gamma_loc: Annotated[float, number(SCALE)]
    scale_init: AboveZero
    scale_prior: AboveZero
    scale_penalty: Scale


class _Normal(Section):
    mean: Annotated[float, number(Bounds())]
    variance: AboveZero
    shape: _OptionalShape = None


class _Autoregressive(Section):
    tau: AboveZero  # bins
    nvar: AboveZero
    shape: _OptionalShape = None


class _CoordinatedDropout(Section):
    cd_rate: Rate
    cd_pass_rate: Rate = 0.0
    ic_enc_seq_len: _OptionalShape = None


@dataclass(frozen=True)
class Parts:
    """Checks the parts of one model whose plain settings (`model`) are checked already."""

    model: dict[str, Any]
    said: Mapping[str, Any]  # all of `model`, as it was said
    sizes: DataSizes
    layers: Layers
    allow_import: Sequence[str]
    notes: list[str]

    def readin(self, value: Any) -> list[dict[str, Any]]:
        """Return the read-in of the one session."""
        role, key = "read-in", ("model", "readin")
        part, at = self._only(value, key, role)
        if part["_target_"] == classes.IDENTITY:
            return [self._arguments(part, _Nothing, at)]
        checked = self._arguments(part, _ReadinLinear, at)
        self._same(checked, "in_features", self.model["encod_data_dim"], "encod_data_dim", at)
        self.notes.append(
            f"model.readin: the encoder sees {checked['out_features']} channels;"
            f" model.encod_data_dim stays the data's {self.model['encod_data_dim']}"
        )
        return [checked]

    def readout(self, value: Any) -> dict[str, Any]:
        """Return the read-out of the one session: each channel's parameters of recon_data."""
        part, at = self._only(value, ("model", "readout"), "read-out")
        checked = self._arguments(part, _ReadoutLinear, at)
        self._same(checked, "in_features", self.model["fac_dim"], "model.fac_dim", at)
        (reconstruction,) = self.reconstruction(self.said["reconstruction"])
        each = classes.PARAMETERS[reconstruction["_target_"]]
        channels = f"channels of recon_data in {self.sizes.path}"
        if each > 1:
            channels = f"{each} for each of the {self.sizes.recon_dim} {channels}"
        self._same(checked, "out_features", each * self.sizes.recon_dim, channels, at)
        return {"_target_": classes.MODULE_LIST, "modules": [checked]}

    def reconstruction(self, value: Any) -> list[dict[str, Any]]:
        """Return the reconstruction of the one session."""
        part, at = self._only(value, ("model", "reconstruction"), "reconstruction")
        if part["_target_"] != classes.ZERO_INFLATED_GAMMA:
            return [self._arguments(part, _Nothing, at)]
        checked = self._arguments(part, _ZeroInflatedGamma, at)
        channels = f"channels of recon_data in {self.sizes.path}"
        self._same(checked, "recon_dim", self.sizes.recon_dim, channels, at)
        return [checked]

    def ic_prior(self, value: Any) -> dict[str, Any]:
        """Return the prior of the initial condition."""
        return self._prior(value, "ic_prior", "prior of the initial condition", "ic_dim")

    def co_prior(self, value: Any) -> dict[str, Any]:
        """Return the prior of the controller's output."""
        role = "prior of the controller's output"
        return self._prior(value, "co_prior", role, "co_dim")

    def train_aug_stack(self, value: Any) -> dict[str, Any]:
        """Return the augmentations of training: none, or coordinated dropout."""
        key = ("model", "train_aug_stack")
        transforms, orders = self._stack(value, key)
        if not transforms:
            return _stack_of([])
        if len(transforms) > 1:
            raise InputError(
                f"{self._where((*key, 'transforms'))}: not supported yet: {len(transforms)}"
                " augmentations; expected at most one"
            )
        at = (*key, "transforms", "0")
        part = self._part(transforms[0], at, "augmentation")
        checked = self._arguments(part, _CoordinatedDropout, at)
        steps = self.model["ic_enc_seq_len"]
        self._same(checked, "ic_enc_seq_len", steps, "model.ic_enc_seq_len", at)
        if orders["batch_order"] != orders["loss_order"]:
            raise InputError(
                f"{self._where((*key, 'loss_order'))}: not supported yet:"
                f" {shown(orders['loss_order'])} with a batch_order of"
                f" {shown(orders['batch_order'])}; expected both the same"
            )
        if not orders["batch_order"]:
            self.notes.append(
                "model.train_aug_stack: coordinated dropout is listed, but in neither order,"
                " so there is none"
            )
            return _stack_of([])
        return _stack_of([checked])

    def infer_aug_stack(self, value: Any) -> dict[str, Any]:
        """Return the augmentations of validation: none are supported."""
        key = ("model", "infer_aug_stack")
        transforms, _ = self._stack(value, key)
        if transforms:
            raise InputError(
                f"{self._where((*key, 'transforms'))}: not supported yet: {shown(transforms)};"
                " expected none"
            )
        return _stack_of([])

    # What the parts have in common.

    def _prior(self, value: Any, name: str, role: str, dim: str) -> dict[str, Any]:
        at = ("model", name)
        part = self._part(value, at, role)
        if not self.model["variational"] and self.layers.origin((*at, "_target_")) == DEFAULTS:
            part = {"_target_": classes.NULL}
        checked = self._arguments(part, _PRIORS[part["_target_"]], at)
        none = part["_target_"] == classes.NULL
        if none is self.model["variational"]:
            expected = "a prior" if none else f"{classes.NULL}: nothing is sampled"
            raise InputError(
                f"{self._where((*at, '_target_'))}: found {part['_target_']};"
                f" expected {expected}, since model.variational is"
                f" {str(self.model['variational']).lower()}"
            )
        if not none:
            self._same(checked, "shape", self.model[dim], f"model.{dim}", at)
        return checked

    def _stack(self, value: Any, key: Key) -> tuple[list[Any], dict[str, list[int]]]:
        stack = self._part(value, key, "augmentation stack")
        unknown = [n for n in stack if n not in ("_target_", "transforms", *_ORDERS)]
        if unknown:  # tells the nearest
            validate(_Stack, {unknown[0]: None}, key, self._where)
        transforms = stack.get("transforms")
        transforms = self._list([] if transforms is None else transforms, (*key, "transforms"))
        orders = {}
        for name in _ORDERS:
            order = stack.get(name)
            if order is None or (not transforms and self._from_below(key, name)):
                order = []
            orders[name] = self._order(order, (*key, name), len(transforms))
        return transforms, orders

    def _from_below(self, key: Key, order: str) -> bool:
        """Whether the stack was emptied by a layer that left the order as it was beneath."""
        origin = self.layers.origin((*key, order))
        return origin == DEFAULTS or origin != self.layers.origin((*key, "transforms"))

    def _order(self, value: Any, key: Key, transforms: int) -> list[int]:
        order = self._list(value, key)
        for i, index in enumerate(order):
            whole_number = isinstance(index, int | float) and not isinstance(index, bool)
            if not whole_number or index not in range(transforms):
                have = f"0 to {transforms - 1}" if transforms else "no index: transforms is empty"
                raise InputError(
                    f"{self._where((*key, str(i)))}: found {shown(index)}; expected {have}"
                )
        if len(set(order)) != len(order):
            raise InputError(
                f"{self._where(key)}: not supported yet: {shown(order)}; expected each index once"
            )
        return [int(index) for index in order]

    def _list(self, value: Any, key: Key) -> list[Any]:
        if isinstance(value, list):
            return value
        raise InputError(f"{self._where(key)}: found {shown(value)}; expected a list")

    def _only(self, value: Any, key: Key, role: str) -> tuple[dict[str, Any], Key]:
        """Return the one part in `value`, a list or a ModuleList of one per session."""
        if isinstance(value, dict):
            if classes.canonical(value.get("_target_")) != classes.MODULE_LIST:
                self._part(value, key, role)  # says what is wrong with a class of its own
                raise InputError(f"{self._where(key)}: found one {role}; expected a list of one")
            unknown = [name for name in value if name not in ("_target_", "modules")]
            if unknown:
                validate(_ModuleList, {unknown[0]: None}, key, self._where)
            value, key = value.get("modules"), (*key, "modules")
        items = self._list(value, key)
        if len(items) > 1:
            raise InputError(
                f"{self._where(key)}: not supported yet: {len(items)} sessions; expected one {role}"
            )
        if not items:
            raise InputError(f"{self._where(key)}: is empty; expected one {role}")
        return self._part(items[0], (*key, "0"), role), (*key, "0")

    def _part(self, value: Any, key: Key, role: str) -> dict[str, Any]:
        """Return the mapping `value` with the canonical name of its class."""
        if not isinstance(value, dict) or "_target_" not in value:
            raise InputError(
                f"{self._where(key)}: found {shown(value)};"
                f" expected a mapping whose _target_ names a {role}"
            )
        where = self._where((*key, "_target_"))
        name = classes.class_for(role, value["_target_"], where, self.allow_import)
        return {**value, "_target_": name}

    def _arguments(self, part: dict[str, Any], section: type[Section], key: Key) -> dict[str, Any]:
        arguments = {name: value for name, value in part.items() if name != "_target_"}
        return {
            "_target_": part["_target_"],
            **validate(section, arguments, key, self._where),
        }

    def _same(self, part: dict[str, Any], name: str, size: int, of: str, key: Key) -> None:
        """Fill in `name`, or check that it is the `size` that it repeats."""
        if part[name] is None:
            part[name] = size
        elif part[name] != size:
            raise InputError(
                f"{self._where((*key, name))}: found {part[name]}; expected {size}, {of}"
            )

    @property
    def _where(self) -> Callable[[Key], str]:
        return self.layers.where


_PRIORS: dict[str, type[Section]] = {
    classes.NULL: _Nothing,
    classes.NORMAL: _Normal,
    classes.AUTOREGRESSIVE: _Autoregressive,
}
_ORDERS = ("batch_order", "loss_order")


class _Stack(Section):
    transforms: Any = None
    batch_order: Any = None
    loss_order: Any = None


class _ModuleList(Section):
    modules: Any = None


def _stack_of(transforms: list[dict[str, Any]]) -> dict[str, Any]:
    order = list(range(len(transforms)))
    return {
        "_target_": classes.STACK,
        "transforms": transforms,
        "batch_order": order,
        "loss_order": list(order),
    }
