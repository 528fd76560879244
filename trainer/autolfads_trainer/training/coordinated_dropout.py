"""Coordinated dropout: what the model has seen it is not asked for.

Keshtkaran & Pandarinath 2019 (NeurIPS): without it a large model copies each spike that it sees
into the rate that is scored against that very spike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autolfads_trainer.model.noise import at_least


def drop_input(
    encod: Tensor, uniform: Tensor, rate: Tensor, ic_enc_seq_len: int
) -> tuple[Tensor, Tensor]:
    """Drop elements of `encod (B, T, D)` with `rate` and scale the others by 1 / (1 − rate).

    The first `ic_enc_seq_len` steps are not touched. Returns the new input and which elements
    were kept `(B, T, D)` (True also for the steps not touched).
    """
    kept = at_least(uniform, rate)
    whole = torch.ones_like(encod[:, :ic_enc_seq_len], dtype=torch.bool)
    masked = encod[:, ic_enc_seq_len:] * kept / (1 - rate)
    return torch.cat([encod[:, :ic_enc_seq_len], masked], dim=1), torch.cat([whole, kept], dim=1)


def block_gradients(
    loss: Tensor, kept: Tensor, uniform: Tensor, rate: Tensor, pass_rate: Tensor
) -> Tensor:
    """Let gradients of `loss (B, R, N)` flow only from elements that the input lacked.

    Besides those dropped, elements flow that are passed with `pass_rate` (by `uniform`, which
    covers the last steps of `kept (B, T, D)`), held-out channels, forecast steps, and everything
    when `rate` is 0. The value of the loss is unchanged.
    """
    steps, channels = kept.shape[1:]
    passed = torch.nn.functional.pad(
        ~at_least(uniform, pass_rate), (0, 0, steps - uniform.shape[1], 0), value=False
    )
    flows = torch.ones_like(loss, dtype=torch.bool)
    flows[:, :steps, :channels] = ~kept | passed | (rate == 0)
    return torch.where(flows, loss, loss.detach())
