"""How outputs of the model describe the data: one class for each kind of data.

The names, parameters and equations are the existing pipeline's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autolfads_trainer.config.classes import is_own
from autolfads_trainer.model.reconstructions.base import Reconstruction
from autolfads_trainer.model.reconstructions.gamma import Gamma, ZeroInflatedGamma
from autolfads_trainer.model.reconstructions.gaussian import MSE, Gaussian
from autolfads_trainer.model.reconstructions.poisson import Poisson, PoissonBPS
from autolfads_trainer.own_classes import made

_KINDS = {
    kind.__name__: kind for kind in (Poisson, PoissonBPS, MSE, Gaussian, Gamma, ZeroInflatedGamma)
}


def reconstruction_of(configuration: Mapping[str, Any]) -> Reconstruction:
    """Return the one that an item of `model.reconstruction` in a resolved configuration names."""
    if is_own(configuration["_target_"]):
        own: Reconstruction = made(configuration, Reconstruction, {"own": True})
        return own
    arguments = {name: value for name, value in configuration.items() if name != "_target_"}
    return _KINDS[configuration["_target_"].rpartition(".")[2]](**arguments)


__all__ = [
    "MSE",
    "Gamma",
    "Gaussian",
    "Poisson",
    "PoissonBPS",
    "Reconstruction",
    "ZeroInflatedGamma",
    "reconstruction_of",
]
