"""The parts of `model` that name a class: checked, completed, in one canonical shape.

`readin` and `reconstruction` become lists, `readout` a `torch.nn.ModuleList` with `modules`, one
item per session; every `_target_` is the existing pipeline's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.bounds import RATE, SCALE, Bounds
from autolfads_trainer.config.checks import (
    AboveZero,
    Key,
    NotNegative,
    Rate,
    Scale,
    Section,
    Switch,
    number,
    validate,
    whole,
)
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.layers import DEFAULTS, Layers
from autolfads_trainer.model.parameters import parameters_per_channel
from autolfads_trainer.own_classes import check_own
from autolfads_trainer.userinput import InputError, shown

_OptionalSize = Annotated[int | None, whole(1, or_null=True)]
_OptionalRate = Annotated[float | None, number(RATE, or_null=True)]
_OptionalShape = Annotated[int | None, whole(0, or_null=True)]


class _Nothing(Section):
    """A class without arguments."""


class _Readin(Section):
    in_features: _OptionalSize = None
    out_features: _OptionalSize = None
    pcr_init: Switch = False
    requires_grad: Switch = False


class _Readout(Section):
    in_features: _OptionalSize = None
    out_features: _OptionalSize = None
    pcr_init: Switch = False
    requires_grad: Switch = True


class _OfSessions(Section):
    """What is common to layers that are one for each file: `pcr_init` unless it is switched off."""

    datafile_pattern: Any = None
    pcr_init: Switch = True


class _MultisessionReadin(_OfSessions):
    out_features: _OptionalSize = None
    requires_grad: Switch = False


class _MultisessionReadout(_OfSessions):
    in_features: _OptionalSize = None
    requires_grad: Switch = True
    recon_params: _OptionalSize = None


class _MultisessionReconstruction(Section):
    datafile_pattern: Any = None
    recon: Any = None


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


class _StudentT(Section):
    loc: Annotated[float, number(Bounds())]
    scale: AboveZero
    df: AboveZero
    shape: _OptionalShape = None


class _SampleValidation(Section):
    sv_rate: _OptionalRate = None
    ic_enc_seq_len: _OptionalShape = None
    recon_reduce_mean: Any = None


class _SpikeJitter(Section):
    width: NotNegative = 2  # steps


class _TemporalShift(Section):
    std: Scale = 3.0  # steps
    max_shift: NotNegative = 6  # steps


class _CoordinatedDropout(Section):
    cd_rate: Rate
    cd_pass_rate: Rate = 0.0
    ic_enc_seq_len: _OptionalShape = None


@dataclass(frozen=True)
class Parts:
    """Checks the parts of one model whose plain settings (`model`) are checked already."""

    model: dict[str, Any]
    said: Mapping[str, Any]  # all of `model`, as it was said
    said_datamodule: Mapping[str, Any]
    sizes: DataSizes
    layers: Layers
    allow_import: Sequence[str]
    notes: list[str]

    def readin(self, value: Any) -> list[dict[str, Any]]:
        """Return the read-in of each session, and see that the encoder sees as much of each."""
        places = self._each(value, ("model", "readin"), "read-in")
        found = [self._readin(part, at, session) for part, at, session in places]
        seen = [
            part.get("out_features", session.encod_dim)
            for part, (_, _, session) in zip(found, places, strict=True)
        ]
        for channels, (_, at, session) in zip(seen, places, strict=True):
            if channels != seen[0]:
                raise InputError(
                    f"{self._where(at)}: gives {channels} channels of {session.path}; expected "
                    f"{seen[0]}, as of {self.sizes.path}: the sessions have one encoder"
                )
        self._what_the_encoder_sees(seen[0], linear="out_features" in found[0])
        return found

    def _what_the_encoder_sees(self, channels: int, *, linear: bool) -> None:
        """Check `encod_data_dim`: of one session the data's, or as users' files have it, this."""
        own = self.sizes.encod_dim if not self.sizes.others else channels
        said = self.model["encod_data_dim"]
        key = ("model", "encod_data_dim")
        if said not in (own, channels) and self.layers.origin(key) != DEFAULTS:
            what = "the channels of encod_data in " + self.sizes.path
            if linear:
                what = f"{channels}, what the read-in gives" + (
                    "" if self.sizes.others else f", or {own}, {what}"
                )
            else:
                what = f"{own}, {what}"
            raise InputError(
                f"{self._where(key)}: found {said}; expected {what}"
                " (without this key the size is read from there)"
            )
        self.model["encod_data_dim"] = own
        if linear and not self.sizes.others:
            self.notes.append(
                f"model.readin: the encoder sees {channels} channels;"
                f" model.encod_data_dim stays the data's {own}"
            )

    def _readin(self, part: dict[str, Any], at: Key, session: DataSizes) -> dict[str, Any]:
        target = part["_target_"]
        if target == classes.IDENTITY:
            return self._arguments(part, _Nothing, at)
        if target == classes.MULTISESSION_READIN:
            checked = self._arguments(part, _MultisessionReadin, at)
            checked |= {"_target_": classes.FAN_IN_LINEAR, "in_features": None}
            checked.pop("datafile_pattern")
        else:
            if target == classes.LINEAR:
                part = {"requires_grad": True, **part}
            checked = self._arguments(part, _Readin, at)
        self._same(checked, "in_features", session.encod_dim, _channels("encod", session), at)
        if checked["pcr_init"]:
            components = f"components of readin_weight in {session.path}"
            self._same(checked, "out_features", self._components(session, at), components, at)
        elif checked["out_features"] is None:
            where = self._where((*at, "out_features"))
            raise InputError(f"{where}: is missing; expected a whole number of at least 1")
        return checked

    def _components(self, session: DataSizes, at: Key) -> int:
        if not session.pcr_dim:
            raise InputError(
                f"{self._where((*at, 'pcr_init'))}: found true; {session.path} has no"
                " 'readin_weight' and 'readout_bias' to start from; expected false, or a file that"
                " 'autolfads pcr' made"
            )
        first = self.sizes
        if session.pcr_alignment and first.pcr_alignment not in ("", session.pcr_alignment):
            raise InputError(
                f"{session.path}: its readin_weight was not aligned with that of {first.path};"
                " expected start values of one 'autolfads pcr' of all files"
            )
        return session.pcr_dim

    def readout(self, value: Any) -> dict[str, Any]:
        """Return the read-out of each session: each channel's parameters of recon_data."""
        recons = self.reconstruction(self.said["reconstruction"])
        parts = self._each(value, ("model", "readout"), "read-out")
        modules = [
            self._readout(part, at, session, parameters_per_channel(recon))
            for (part, at, session), recon in zip(parts, recons, strict=True)
        ]
        return {"_target_": classes.MODULE_LIST, "modules": modules}

    def _readout(
        self, part: dict[str, Any], at: Key, session: DataSizes, each: int
    ) -> dict[str, Any]:
        channels = _channels("recon", session)
        if each > 1:
            channels = f"{each} for each of the {session.recon_dim} {channels}"
        outputs, factors = each * session.recon_dim, self.model["fac_dim"]
        target = part["_target_"]
        if target == classes.IDENTITY:
            self._arguments(part, _Nothing, at)
            if factors != outputs:
                raise InputError(
                    f"{self._where((*at, '_target_'))}: found {target}, with {factors} factors "
                    f"(model.fac_dim); expected {outputs}, {channels}, or a linear read-out"
                )
            return {**part, "out_features": outputs}
        if target == classes.MULTISESSION_READOUT:
            checked = self._arguments(part, _MultisessionReadout, at)
            checked |= {"_target_": classes.FAN_IN_LINEAR, "out_features": None}
            checked.pop("datafile_pattern")
            said = checked.pop("recon_params")
            if said not in (None, each):
                raise InputError(
                    f"{self._where((*at, 'recon_params'))}: found {said}; expected {each}, the "
                    "parameters that the reconstruction has for each channel"
                )
        else:
            checked = self._arguments(part, _Readout, at)
        self._same(checked, "in_features", factors, "model.fac_dim", at)
        self._same(checked, "out_features", outputs, channels, at)
        if checked["pcr_init"]:
            found = self._components(session, at)
            if found != factors:
                raise InputError(
                    f"{self._where(('model', 'fac_dim'))}: found {factors}; expected {found}, the "
                    f"components of readin_weight in {session.path}, since the read-out starts from"
                    " them (pcr_init)"
                )
            if each > 1:
                raise InputError(
                    f"{self._where((*at, 'pcr_init'))}: found true, and the reconstruction has"
                    f" {each} parameters for each channel; expected false: start values are of one"
                )
        return checked

    def reconstruction(self, value: Any) -> list[dict[str, Any]]:
        """Return the reconstruction of each session."""
        parts = self._each(value, ("model", "reconstruction"), "reconstruction")
        return [self._reconstruction(*each) for each in parts]

    def _reconstruction(self, part: dict[str, Any], at: Key, session: DataSizes) -> dict[str, Any]:
        if part["_target_"] == classes.MULTISESSION_RECONSTRUCTION:
            copies = self._arguments(part, _MultisessionReconstruction, at)["recon"]
            at = (*at, "recon")
            if isinstance(copies, dict):
                copies = {name: each for name, each in copies.items() if name != "_partial_"}
            part = self._part(copies, at, "reconstruction")
            if part["_target_"] == classes.MULTISESSION_RECONSTRUCTION:
                raise InputError(
                    f"{self._where(at)}: found another one of it; expected one of many"
                )
        if classes.is_own(part["_target_"]):
            return check_own("reconstruction", part, self._where(at))
        if part["_target_"] != classes.ZERO_INFLATED_GAMMA:
            return self._arguments(part, _Nothing, at)
        checked = self._arguments(part, _ZeroInflatedGamma, at)
        self._same(checked, "recon_dim", session.recon_dim, _channels("recon", session), at)
        return checked

    def ic_prior(self, value: Any) -> dict[str, Any]:
        """Return the prior of the initial condition."""
        return self._prior(value, "ic_prior", "prior of the initial condition", "ic_dim")

    def co_prior(self, value: Any) -> dict[str, Any]:
        """Return the prior of the controller's output."""
        role = "prior of the controller's output"
        return self._prior(value, "co_prior", role, "co_dim")

    def train_aug_stack(self, value: Any) -> dict[str, Any]:
        """Return the augmentations of training."""
        return self._stack(value, "train_aug_stack")

    def infer_aug_stack(self, value: Any) -> dict[str, Any]:
        """Return the augmentations of validation."""
        return self._stack(value, "infer_aug_stack")

    # What the parts have in common.

    def _prior(self, value: Any, name: str, role: str, dim: str) -> dict[str, Any]:
        at = ("model", name)
        part = self._part(value, at, role)
        if not self.model["variational"] and self.layers.origin((*at, "_target_")) == DEFAULTS:
            part = {"_target_": classes.NULL}
        own = classes.is_own(part["_target_"])
        checked = (
            check_own("prior", part, self._where(at))
            if own
            else self._arguments(part, _PRIORS[part["_target_"]], at)
        )
        none = part["_target_"] == classes.NULL
        if none is self.model["variational"]:
            expected = "a prior" if none else f"{classes.NULL}: nothing is sampled"
            raise InputError(
                f"{self._where((*at, '_target_'))}: found {part['_target_']};"
                f" expected {expected}, since model.variational is"
                f" {str(self.model['variational']).lower()}"
            )
        if not none and not own:
            self._same(checked, "shape", self.model[dim], f"model.{dim}", at)
        return checked

    def _stack(self, value: Any, name: str) -> dict[str, Any]:
        key = ("model", name)
        stack = self._part(value, key, "augmentation stack")
        unknown = [n for n in stack if n not in ("_target_", "transforms", *_ORDERS)]
        if unknown:  # tells the nearest
            validate(_Stack, {unknown[0]: None}, key, self._where)
        said = stack.get("transforms")
        said = self._list([] if said is None else said, (*key, "transforms"))
        orders = {}
        for order_name in _ORDERS:
            order = stack.get(order_name)
            if order is None or (not said and self._from_below(key, order_name)):
                order = []
            orders[order_name] = self._order(order, (*key, order_name), len(said))
        transforms = [
            self._transform(part, (*key, "transforms", str(index)))
            for index, part in enumerate(said)
        ]
        return self._without_idle(key, transforms, orders)

    def _transform(self, value: Any, at: Key) -> dict[str, Any]:
        part = self._part(value, at, "augmentation")
        if classes.is_own(part["_target_"]):
            return check_own("augmentation", part, self._where(at))
        checked = self._arguments(part, _AUGMENTATIONS[part["_target_"]], at)
        if "ic_enc_seq_len" in checked:
            steps = self.model["ic_enc_seq_len"]
            self._same(checked, "ic_enc_seq_len", steps, "model.ic_enc_seq_len", at)
        if "sv_rate" in checked:
            rate = self.said_datamodule.get("sv_rate") or 0.0
            self._same(checked, "sv_rate", rate, "datamodule.sv_rate", at)
            checked.pop("recon_reduce_mean")  # it is the model's
        return checked

    def _without_idle(
        self, key: Key, transforms: list[dict[str, Any]], orders: dict[str, list[int]]
    ) -> dict[str, Any]:
        """Return the stack without what does nothing, which a note tells of."""
        kept = []
        for index, part in enumerate(transforms):
            listed = any(index in order for order in orders.values())
            if listed and part.get("sv_rate") != 0:
                kept.append(index)
                continue
            named = part["_target_"].rpartition(".")[2]
            why = "but in neither order" if not listed else "with a datamodule.sv_rate of 0"
            self.notes.append(f"{'.'.join(key)}: {named} is listed {why}, so there is none")
        return {
            "_target_": classes.STACK,
            "transforms": [transforms[index] for index in kept],
            **{
                name: [kept.index(index) for index in order if index in kept]
                for name, order in orders.items()
            },
        }

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
                f"{self._where(key)}: found {shown(order)}; expected each index at most once"
            )
        return [int(index) for index in order]

    def _list(self, value: Any, key: Key) -> list[Any]:
        if isinstance(value, list):
            return value
        raise InputError(f"{self._where(key)}: found {shown(value)}; expected a list")

    def _each(self, value: Any, key: Key, role: str) -> list[tuple[dict[str, Any], Key, DataSizes]]:
        """Return the part of each session, where it is written, and the session's sizes.

        `value` is a list or a ModuleList with one for each session, one that is of all of them, or
        a class that makes one for each.
        """
        sessions = self.sizes.sessions
        items = self._places(value, key, role)
        if not items:
            raise InputError(f"{self._where(key)}: is empty; expected one {role}")
        if len(items) not in (1, len(sessions)):
            raise InputError(
                f"{self._where(key)}: found {len(items)}; expected one {role} for each of the"
                f" {len(sessions)} sessions, or one for all"
            )
        parts = [(self._part(item, at, role), at) for at, item in items]
        if len(parts) == 1:
            parts *= len(sessions)
        return [(dict(part), at, one) for (part, at), one in zip(parts, sessions, strict=True)]

    def _places(self, value: Any, key: Key, role: str = "") -> list[tuple[Key, Any]]:
        if isinstance(value, dict):
            target = classes.canonical(value.get("_target_"))
            if target in _ONE_FOR_EACH:
                return [(key, value)]
            if target != classes.MODULE_LIST:
                self._part(value, key, role)  # says what is wrong with a class of its own
                raise InputError(f"{self._where(key)}: found one {role}; expected a list of one")
            unknown = [name for name in value if name not in ("_target_", "modules")]
            if unknown:
                validate(_ModuleList, {unknown[0]: None}, key, self._where)
            value, key = value.get("modules"), (*key, "modules")
        return [((*key, str(i)), item) for i, item in enumerate(self._list(value, key))]

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

    def _same(self, part: dict[str, Any], name: str, size: float, of: str, key: Key) -> None:
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
    classes.STUDENT_T: _StudentT,
}
_AUGMENTATIONS: dict[str, type[Section]] = {
    classes.COORDINATED_DROPOUT: _CoordinatedDropout,
    classes.SAMPLE_VALIDATION: _SampleValidation,
    classes.SELECTIVE_BACKPROP: _Nothing,
    classes.SPIKE_JITTER: _SpikeJitter,
    classes.TEMPORAL_SHIFT: _TemporalShift,
}
_ONE_FOR_EACH = (
    classes.MULTISESSION_READIN,
    classes.MULTISESSION_READOUT,
    classes.MULTISESSION_RECONSTRUCTION,
)
_ORDERS = ("batch_order", "loss_order")


class _Stack(Section):
    transforms: Any = None
    batch_order: Any = None
    loss_order: Any = None


class _ModuleList(Section):
    modules: Any = None


def _channels(part: str, session: DataSizes) -> str:
    return f"channels of {part}_data in {session.path}"
