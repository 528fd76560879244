"""Read-ins, read-outs and reconstructions: one of each session.

`readin` and `reconstruction` become lists, `readout` a `torch.nn.ModuleList` with `modules`, one
item per session; every `_target_` is the existing pipeline's name.
"""

from __future__ import annotations

from typing import Any

from autolfads_trainer.config import arguments, classes
from autolfads_trainer.config.checks import Key, validate
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.layers import DEFAULTS
from autolfads_trainer.config.reading import PartReader
from autolfads_trainer.model.parameters import parameters_per_channel
from autolfads_trainer.own_classes import check_own
from autolfads_trainer.userinput import InputError

_ONE_FOR_EACH = (
    classes.MULTISESSION_READIN,
    classes.MULTISESSION_READOUT,
    classes.MULTISESSION_RECONSTRUCTION,
)


class SessionParts(PartReader):
    """Checks what each session has of its own."""

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
                    f"{self.where(at)}: gives {channels} channels of {session.path}; expected "
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
                f"{self.where(key)}: found {said}; expected {what}"
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
            return self.arguments(part, arguments.Nothing, at)
        if target == classes.MULTISESSION_READIN:
            checked = self.arguments(part, arguments.MultisessionReadin, at)
            checked |= {"_target_": classes.FAN_IN_LINEAR, "in_features": None}
            checked.pop("datafile_pattern")
        else:
            if target == classes.LINEAR:
                part = {"requires_grad": True, **part}
            checked = self.arguments(part, arguments.Readin, at)
        self.same(checked, "in_features", session.encod_dim, _channels("encod", session), at)
        if checked["pcr_init"]:
            components = f"components of readin_weight in {session.path}"
            self.same(checked, "out_features", self._components(session, at), components, at)
        elif checked["out_features"] is None:
            where = self.where((*at, "out_features"))
            raise InputError(f"{where}: is missing; expected a whole number of at least 1")
        return checked

    def _components(self, session: DataSizes, at: Key) -> int:
        if not session.pcr_dim:
            raise InputError(
                f"{self.where((*at, 'pcr_init'))}: found true; {session.path} has no"
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
            checked = self.arguments(part, arguments.Unread, at)
            self.same(checked, "out_features", outputs, channels, at)
            if factors != outputs:
                raise InputError(
                    f"{self.where((*at, '_target_'))}: found {target}, with {factors} factors "
                    f"(model.fac_dim); expected {outputs}, {channels}, or a linear read-out"
                )
            return checked
        if target == classes.MULTISESSION_READOUT:
            checked = self.arguments(part, arguments.MultisessionReadout, at)
            checked |= {"_target_": classes.FAN_IN_LINEAR, "out_features": None}
            checked.pop("datafile_pattern")
            said = checked.pop("recon_params")
            if said not in (None, each):
                raise InputError(
                    f"{self.where((*at, 'recon_params'))}: found {said}; expected {each}, the "
                    "parameters that the reconstruction has for each channel"
                )
        else:
            checked = self.arguments(part, arguments.Readout, at)
        self.same(checked, "in_features", factors, "model.fac_dim", at)
        self.same(checked, "out_features", outputs, channels, at)
        if checked["pcr_init"]:
            found = self._components(session, at)
            if found != factors:
                raise InputError(
                    f"{self.where(('model', 'fac_dim'))}: found {factors}; expected {found}, the "
                    f"components of readin_weight in {session.path}, since the read-out starts from"
                    " them (pcr_init)"
                )
            if each > 1:
                raise InputError(
                    f"{self.where((*at, 'pcr_init'))}: found true, and the reconstruction has"
                    f" {each} parameters for each channel; expected false: start values are of one"
                )
        return checked

    def reconstruction(self, value: Any) -> list[dict[str, Any]]:
        """Return the reconstruction of each session."""
        parts = self._each(value, ("model", "reconstruction"), "reconstruction")
        return [self._reconstruction(*each) for each in parts]

    def _reconstruction(self, part: dict[str, Any], at: Key, session: DataSizes) -> dict[str, Any]:
        if part["_target_"] == classes.MULTISESSION_RECONSTRUCTION:
            copies = self.arguments(part, arguments.MultisessionReconstruction, at)["recon"]
            at = (*at, "recon")
            if isinstance(copies, dict):
                copies = {name: each for name, each in copies.items() if name != "_partial_"}
            part = self.part(copies, at, "reconstruction")
            if part["_target_"] == classes.MULTISESSION_RECONSTRUCTION:
                raise InputError(f"{self.where(at)}: found another one of it; expected one of many")
        if classes.is_own(part["_target_"]):
            return check_own("reconstruction", part, self.where(at), session.recon_dim)
        if part["_target_"] != classes.ZERO_INFLATED_GAMMA:
            return self.arguments(part, arguments.Nothing, at)
        checked = self.arguments(part, arguments.ZeroInflatedGamma, at)
        self.same(checked, "recon_dim", session.recon_dim, _channels("recon", session), at)
        return checked

    def _each(self, value: Any, key: Key, role: str) -> list[tuple[dict[str, Any], Key, DataSizes]]:
        """Return the part of each session, where it is written, and the session's sizes.

        `value` is a list or a ModuleList with one for each session, one that is of all of them, or
        a class that makes one for each.
        """
        sessions = self.sizes.sessions
        items = self._places(value, key, role)
        if not items:
            raise InputError(f"{self.where(key)}: is empty; expected one {role}")
        if len(items) not in (1, len(sessions)):
            raise InputError(
                f"{self.where(key)}: found {len(items)}; expected one {role} for each of the"
                f" {len(sessions)} sessions, or one for all"
            )
        parts = [(self.part(item, at, role), at) for at, item in items]
        if len(parts) == 1:
            parts *= len(sessions)
        return [(dict(part), at, one) for (part, at), one in zip(parts, sessions, strict=True)]

    def _places(self, value: Any, key: Key, role: str = "") -> list[tuple[Key, Any]]:
        if isinstance(value, dict):
            target = classes.canonical(value.get("_target_"))
            if target in _ONE_FOR_EACH:
                return [(key, value)]
            if target != classes.MODULE_LIST:
                self.part(value, key, role)  # says what is wrong with a class of its own
                raise InputError(f"{self.where(key)}: found one {role}; expected a list of one")
            unknown = [name for name in value if name not in ("_target_", "modules")]
            if unknown:
                validate(arguments.ModuleList, {unknown[0]: None}, key, self.where)
            value, key = value.get("modules"), (*key, "modules")
        return [((*key, str(i)), item) for i, item in enumerate(self.list_at(value, key))]


def _channels(part: str, session: DataSizes) -> str:
    return f"channels of {part}_data in {session.path}"
