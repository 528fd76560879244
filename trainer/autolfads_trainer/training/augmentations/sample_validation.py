"""Sample validation: some elements are never seen, and say how well the model infers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.training.augmentations.base import Augmentation, Effect
from autolfads_trainer.training.hyperparameters import Hyperparameters


class SampleValidation(Augmentation):
    """Holds out a fixed share `sv_rate` of the input's elements, and scales the others.

    They are 0 in the input, their loss trains nothing, and the mean of it is told as `recon/sv`.
    The loss of the other held-in elements is scaled by 1 / (1 − sv_rate), so that the mean stays.
    The first `ic_enc_seq_len` steps are not touched. Keshtkaran & Pandarinath 2019 (NeurIPS).
    """

    def __init__(self, sv_rate: float, ic_enc_seq_len: int) -> None:
        self.sv_rate, self.ic_enc_seq_len = sv_rate, ic_enc_seq_len

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Hold out by the batch's mask."""
        del drawn, hp
        if batch.sv_mask is None:  # test trials have none
            return batch, Effect()
        start, kept = self.ic_enc_seq_len, 1 - self.sv_rate
        inside = batch.sv_mask[..., start:, :, :]
        scales = torch.ones_like(batch.sv_mask)
        scales[..., start:, :, :] = inside / kept
        heldout = torch.zeros_like(batch.sv_mask)
        heldout[..., start:, :, :] = 1 - inside
        weights = torch.ones_like(batch.recon)
        weights[..., : scales.shape[-3], :, : scales.shape[-1]] = scales
        changed = replace(batch, encod=batch.encod * scales)
        return changed, Effect(weights=weights, heldout=heldout)
