"""Coordinated dropout: what the model has seen it is not asked for.

Keshtkaran & Pandarinath 2019 (NeurIPS): without it a large model copies each spike that it sees
into the rate that is scored against that very spike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autolfads_trainer.engine.dropping import mask, spread
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.sizes import SessionSizes, Sizes
from autolfads_trainer.training.augmentations.base import Augmentation, Effect
from autolfads_trainer.training.hyperparameters import Hyperparameters


class CoordinatedDropout(Augmentation):
    """Drops elements of the input with `cd_rate`, and scales the others by 1 / (1 − cd_rate).

    The first `ic_enc_seq_len` steps are not touched. Gradients flow from elements that the input
    lacked: those dropped, or passed with `cd_pass_rate`; from held-out channels and forecast steps;
    and from everything when `cd_rate` is 0. The value of the loss is unchanged. Both rates are
    hyperparameters.
    """

    def __init__(self, ic_enc_seq_len: int) -> None:
        self.ic_enc_seq_len = ic_enc_seq_len

    def shapes(self, sizes: Sizes, session: SessionSizes, trials: int) -> list[tuple[int, ...]]:
        """Return the shapes of what decides on dropping, and of what decides on passing."""
        steps = sizes.encod_seq_len - self.ic_enc_seq_len
        return [(steps, trials, session.encod_data_dim)] * 2

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Drop, in place."""
        drop, passing = drawn
        encod = batch.encod
        rate = spread(hp["cd_rate"], encod)
        stays = mask(drop, hp["cd_rate"], encod)
        encod[..., self.ic_enc_seq_len :, :, :].mul_(stays).div_(1 - rate)
        # What was dropped, and of what was not, what is passed: 1 − stays · (not passed).
        flows = mask(passing, hp["cd_pass_rate"], encod).mul_(stays).neg_().add_(1.0)
        flows = torch.maximum(flows, (rate == 0).to(flows.dtype))
        if self.ic_enc_seq_len:
            seen = flows
            flows = encod.new_zeros(encod.shape).add_(rate == 0)
            flows[..., self.ic_enc_seq_len :, :, :] = seen
        return batch, Effect(flows=flows)
