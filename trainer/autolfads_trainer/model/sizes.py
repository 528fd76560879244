"""The sizes of a model, read from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.config.classes import PARAMETERS


@dataclass(frozen=True)
class Sizes:
    """Every size of one model. Names are the configuration's; see `autolfads_trainer.model`."""

    encod_data_dim: int
    encod_seq_len: int
    recon_seq_len: int
    recon_data_dim: int
    readin_dim: int  # channels that the encoder sees: those of the read-in's output
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

    @property
    def has_controller(self) -> bool:
        """Whether there is a controller: it needs its encoder, its state and its output."""
        return self.ci_enc_dim > 0

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> Sizes:
        """Read the sizes from a resolved configuration's `model` section."""
        numbers = {
            name: int(model[name])
            for name in cls.__dataclass_fields__
            if name not in ("recon_data_dim", "readin_dim")
        }
        if not (numbers["ci_enc_dim"] and numbers["con_dim"] and numbers["co_dim"]):
            # Without any one of them there is no controller, and none of the others is built.
            numbers |= {"ci_enc_dim": 0, "con_dim": 0, "co_dim": 0}
        readin = model["readin"][0]
        return cls(
            **numbers,
            recon_data_dim=int(model["readout"]["modules"][0]["out_features"])
            // PARAMETERS[model["reconstruction"][0]["_target_"]],
            readin_dim=int(readin.get("out_features", numbers["encod_data_dim"])),
        )
