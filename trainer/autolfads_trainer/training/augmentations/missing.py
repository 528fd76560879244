"""Training on data of which some are missing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.training.augmentations.base import Augmentation, Effect
from autolfads_trainer.training.hyperparameters import Hyperparameters


class SelectiveBackpropThruTime(Augmentation):
    """Counts the loss of what was observed alone, and takes the mean over it.

    What is missing (NaN in the data) is 0 in the input. Zhu, Grier et al. 2021 (arXiv:2111.00070).
    """

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Leave the batch: it was read so."""
        del drawn, hp
        return batch, Effect(observed=batch.observed)
