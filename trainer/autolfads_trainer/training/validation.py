"""What validation trials cost, put together from parts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.noise import Samples
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import Posteriors, Reconstructed, compute_loss


class Validation:
    """Takes batches of each session, in order, to the loss over all of them.

    Each session's reconstruction is the mean over all its elements, and divergences are over the
    trials of all sessions: the result does not depend on how many trials a batch has (but for
    `PoissonBPS`, which is defined by its batch).
    """

    def __init__(
        self,
        model: LFADS,
        parameters: Mapping[str, Tensor],
        data: Sequence[Series],
        noise: Samples,
        hp: Hyperparameters,
    ) -> None:
        """Take all of the `data`; `noise` serves to estimate divergences, of all its trials."""
        self.model, self.parameters, self.hp, self.noise = model, parameters, hp, noise
        self.elements = [series.elements for series in data]
        self.recons: list[list[Reconstructed]] = [[] for _ in data]
        self.posteriors: list[Posteriors] = []

    def add(
        self,
        session: int,
        batch: Series,
        recon: Reconstructed,
        posteriors: Posteriors,
    ) -> None:
        """Add a batch, the next of a session's trials, and what came of it."""
        share = batch.elements / self.elements[session]
        weighed = recon._replace(mean=recon.mean * share.to(recon.mean.dtype))
        self.recons[session].append(weighed)
        self.posteriors.append(posteriors)

    def parts(self) -> dict[str, Tensor]:
        """Return the parts of the loss."""
        recons = [
            Reconstructed(*(torch.stack(values).sum(dim=0) for values in zip(*some, strict=True)))
            for some in self.recons
        ]
        together = zip(*self.posteriors, strict=True)
        posteriors = Posteriors(*(torch.cat(values, dim=-2) for values in together))
        loss = compute_loss(self.model, self.parameters, recons, posteriors, self.noise, self.hp)
        return loss.parts
