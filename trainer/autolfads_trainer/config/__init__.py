"""The configuration of a run: read, merged, checked and resolved. No torch, no data.

`resolve` is the way in; the rest of this package is its steps: `manifest` reads the layers,
`layers` merges them, `keys` tells the used from the ignored, `interpolation` follows `${…}`,
`sections`, `parts` and `consistency` check, `search_space` and `tunable` say what may be tuned.
"""

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import Resolved, resolve
from autolfads_trainer.config.tunable import hyperparameters_of, with_hyperparameters

__all__ = ["DataSizes", "Resolved", "hyperparameters_of", "resolve", "with_hyperparameters"]
