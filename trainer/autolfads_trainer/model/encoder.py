"""The encoder: spikes to the posterior of the initial condition, and to the controller's input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autolfads_trainer.model.linear import FanInLinear
from autolfads_trainer.model.noise import Noise, dropout
from autolfads_trainer.model.recurrent import BidirectionalGRU
from autolfads_trainer.model.sizes import Sizes


class Encoder(nn.Module):
    """Two bidirectional GRUs with trained start states, one for each thing to be inferred."""

    def __init__(
        self, sizes: Sizes, cell_clip: float, ic_post_var_min: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.ic_post_var_min = ic_post_var_min
        inputs = sizes.readin_dim
        self.ic_enc_h0 = nn.Parameter(torch.zeros(2, 1, sizes.ic_enc_dim))
        self.ic_enc = BidirectionalGRU(inputs, sizes.ic_enc_dim, cell_clip, generator)
        self.ic_linear = FanInLinear(2 * sizes.ic_enc_dim, 2 * sizes.ic_dim, generator)
        if sizes.has_controller:
            self.ci_enc_h0 = nn.Parameter(torch.zeros(2, 1, sizes.ci_enc_dim))
            self.ci_enc = BidirectionalGRU(inputs, sizes.ci_enc_dim, cell_clip, generator)

    def forward(
        self, data: Tensor, noise: Noise | None, dropout_rate: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode `data (T, B, channels)`.

        Returns the mean and the standard deviation of the initial condition, each `(B, I)`, and
        the controller's input `(R, B, 2C)`. With S > 0 the first S steps are seen by the initial
        condition's encoder alone, and the other steps by the controller's alone.
        """
        data = dropout(data, noise.encoder if noise else None, dropout_rate)
        split = self.sizes.ic_enc_seq_len
        forward, backward = self.ic_enc(data[:split] if split else data, self.ic_enc_h0)
        summary = torch.cat([forward[-1], backward[0]], dim=1)
        summary = dropout(summary, noise.initial_condition if noise else None, dropout_rate)
        mean, logvar = self.ic_linear(summary).chunk(2, dim=1)
        std = torch.sqrt(torch.exp(logvar) + self.ic_post_var_min)
        if not self.sizes.has_controller:
            return mean, std, data.new_zeros(self.sizes.recon_seq_len, data.shape[1], 0)
        states = self.ci_enc(data[split:], self.ci_enc_h0)
        return mean, std, controller_input(self.sizes, *states)


def controller_input(sizes: Sizes, forward: Tensor, backward: Tensor) -> Tensor:
    """Take both directions' states `(T − S, B, C)` to what the controller sees `(R, B, 2C)`."""
    start, lag = sizes.ic_enc_seq_len, sizes.ci_lag
    forecast = sizes.recon_seq_len - sizes.encod_seq_len
    # The controller must not see the very step that it acts on: what came before is delayed
    # by the lag, what comes after advanced by it.
    before = forward[..., : forward.shape[-3] - lag, :, :]
    before = nn.functional.pad(before, (0, 0, 0, 0, start + lag, forecast))
    after = nn.functional.pad(backward[..., lag:, :, :], (0, 0, 0, 0, start, forecast + lag))
    return torch.cat([before, after], dim=-1)
