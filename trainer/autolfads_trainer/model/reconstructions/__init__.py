"""How outputs of the model describe the data: one class for each kind of data.

The names, parameters and equations are the existing pipeline's.
"""

from autolfads_trainer.model.reconstructions.base import Reconstruction
from autolfads_trainer.model.reconstructions.gamma import Gamma, ZeroInflatedGamma
from autolfads_trainer.model.reconstructions.gaussian import MSE, Gaussian
from autolfads_trainer.model.reconstructions.poisson import Poisson, PoissonBPS

__all__ = [
    "MSE",
    "Gamma",
    "Gaussian",
    "Poisson",
    "PoissonBPS",
    "Reconstruction",
    "ZeroInflatedGamma",
]
