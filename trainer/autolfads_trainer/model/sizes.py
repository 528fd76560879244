"""The sizes of a model, read from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from autolfads_trainer.config.classes import STUDENT_T
from autolfads_trainer.model.parameters import parameters_per_channel


@dataclass(frozen=True)
class SessionSizes:
    """The channels of one session."""

    encod_data_dim: int  # held in: what its read-in sees
    recon_data_dim: int  # held in and held out


@dataclass(frozen=True)
class Sizes:
    """Every size of one model. Names are the configuration's; see `autolfads_trainer.model`."""

    sessions: tuple[SessionSizes, ...]
    encod_seq_len: int
    recon_seq_len: int
    readin_dim: int  # channels that the encoder sees: those that every read-in gives
    ext_input_dim: int
    ic_enc_seq_len: int
    ic_enc_dim: int
    ci_enc_dim: int
    ci_lag: int
    con_dim: int
    co_dim: int
    ic_dim: int
    gen_dim: int
    fac_dim: int
    # Degrees of freedom of posteriors that are t-distributed, as their prior is; 0: normal.
    ic_df: float = 0.0
    co_df: float = 0.0

    @property
    def has_controller(self) -> bool:
        """Whether there is a controller: it needs its encoder, its state and its output."""
        return self.ci_enc_dim > 0

    @property
    def channels(self) -> int:
        """The channels of all sessions together, held in and held out."""
        return sum(session.recon_data_dim for session in self.sessions)

    def channels_of(self, session: int) -> slice:
        """Where a session's channels are among those of all."""
        before = sum(one.recon_data_dim for one in self.sessions[:session])
        return slice(before, before + self.sessions[session].recon_data_dim)

    def of_session(self, session: int) -> Sizes:
        """Return the same of a model that has one of the sessions alone."""
        return replace(self, sessions=(self.sessions[session],))

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Sizes:
        """Read the sizes from a resolved configuration's `model` section."""
        numbers = {
            name: int(model[name])
            for name in cls.__dataclass_fields__
            if name not in ("sessions", "readin_dim", "ic_df", "co_df")
        }
        if not (numbers["ci_enc_dim"] and numbers["con_dim"] and numbers["co_dim"]):
            # Without any one of them there is no controller, and none of the others is built.
            numbers |= {"ci_enc_dim": 0, "con_dim": 0, "co_dim": 0}
        seen = int(model["encod_data_dim"])
        parts = zip(
            model["readin"], model["readout"]["modules"], model["reconstruction"], strict=True
        )
        sessions = tuple(
            SessionSizes(
                int(readin.get("in_features", seen)),
                int(readout["out_features"]) // parameters_per_channel(reconstruction),
            )
            for readin, readout, reconstruction in parts
        )
        return cls(
            **numbers,
            sessions=sessions,
            readin_dim=int(model["readin"][0].get("out_features", seen)),
            ic_df=_degrees(model["ic_prior"]),
            co_df=_degrees(model["co_prior"]),
        )


def _degrees(prior: Mapping[str, Any]) -> float:
    return float(prior["df"]) if prior["_target_"] == STUDENT_T else 0.0
