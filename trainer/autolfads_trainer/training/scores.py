"""Bits per spike and R², summed up batch by batch and read once an epoch."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from autolfads_trainer.model.sizes import Sizes


class Scores:
    """Sums over an epoch from which bps, co_bps, fp_bps and r2 follow exactly.

    They are those of all trials together, not a mean over batches. Nothing here waits for the
    device until `read`. All sums may have a leading axis of members.

    bits/spike = (NLL_null − NLL_model) / spikes / ln 2, where null predicts each channel's mean
    rate in the scored data. `bps` scores held-in channels at steps < T, `co_bps` held-out channels
    at steps < T, `fp_bps` all channels at steps ≥ T (Pei et al. 2021, Neural Latents Benchmark).
    `r2` is pooled: 1 − SSE / SST around each channel's mean, of rates per bin to the true ones.
    """

    SUMS: ClassVar = ("nll", "spikes", "bins", "truth", "truth_bins")

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        channels = sizes.recon_data_dim
        self.sizes = sizes
        # Per channel, for observed steps [0] and forecast steps [1].
        self.nll = torch.zeros(2, channels, dtype=torch.float64, device=device)
        self.spikes = torch.zeros_like(self.nll)
        self.bins = torch.zeros(2, dtype=torch.float64, device=device)
        # Per channel: squared error, sum and sum of squares of the truth.
        self.truth = torch.zeros(3, channels, dtype=torch.float64, device=device)
        self.truth_bins = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, log_rates: Tensor, counts: Tensor, truth: Tensor | None) -> None:
        """Add one batch: `log_rates`, `counts` and `truth` (rates per bin) are `(B, R, N)`."""
        self.add_counts(log_rates, counts)
        self.add_rates(torch.exp(log_rates), truth)

    def add_counts(self, log_rates: Tensor, counts: Tensor) -> None:
        """Add one batch, without a truth."""
        rates = torch.exp(log_rates)
        # Terms that depend on the counts alone are the same for model and null, and cancel.
        nll = (rates - counts * log_rates).double().sum(dim=0)
        self.add_sums(nll, counts.double().sum(dim=0), counts.shape[0])

    def add_sums(self, nll: Tensor, spikes: Tensor, trials: int) -> None:
        """Add the sums over a batch's `trials`, each `(R, N)`."""
        observed = self.sizes.encod_seq_len
        for part, steps in enumerate((slice(None, observed), slice(observed, None))):
            some = nll[..., steps, :]
            self.nll[..., part, :] += some.sum(dim=-2, dtype=torch.float64)
            self.spikes[..., part, :] += spikes[..., steps, :].sum(dim=-2, dtype=torch.float64)
            self.bins[..., part] += trials * some.shape[-2]

    def add_rates(self, rates: Tensor, truth: Tensor | None) -> None:
        """Add rates and, if there are any, the true ones, whose last axis is of channels."""
        if truth is not None:
            exact = truth.double()
            errors = ((rates - exact) ** 2).sum(dim=(0, 1))
            sums = torch.stack([exact.sum(dim=(0, 1)), (exact**2).sum(dim=(0, 1))])
            self.add_errors(errors, sums, truth.shape[0] * truth.shape[1])

    def add_errors(self, errors: Tensor, truth: Tensor, bins: int) -> None:
        """Add squared errors of rates `(N,)`, and the sums `(2, N)` of true ones and their squares.

        Both are sums over all `bins` of a batch's trials.
        """
        self.truth[..., 0, :] += errors
        self.truth[..., 1:, :] += truth
        self.truth_bins += bins

    def read(self) -> dict[str, float]:
        """Return bps, co_bps, fp_bps and r2; NaN where there is nothing to score."""
        return {name: float(value) for name, value in self._values().items()}

    def read_all(self) -> list[dict[str, float]]:
        """Return the same for each of the members that are the sums' leading axis."""
        found = {name: value.tolist() for name, value in self._values().items()}
        return [dict(zip(found, each, strict=True)) for each in zip(*found.values(), strict=True)]

    def _values(self) -> dict[str, Tensor]:
        nll, spikes, bins = self.nll.cpu(), self.spikes.cpu(), self.bins.cpu()
        heldin = self.sizes.encod_data_dim

        def bits(part: int, channels: slice) -> Tensor:
            one = nll[..., part, channels], spikes[..., part, channels], bins[..., part]
            return _bits_per_spike(*one)

        return {
            "bps": bits(0, slice(heldin)),
            "co_bps": bits(0, slice(heldin, None)),
            "fp_bps": bits(1, slice(None)),
            "r2": self._r2(),
        }

    def _r2(self) -> Tensor:
        error, total, squares = self.truth.cpu().unbind(-2)
        spread = (squares - total**2 / self.truth_bins.cpu().unsqueeze(-1)).sum(dim=-1)
        return torch.where(spread > 0, 1 - error.sum(dim=-1) / spread, math.nan)

    def state(self) -> list[Tensor]:
        """Return the sums, to be saved in mid-epoch."""
        return [getattr(self, name) for name in self.SUMS]

    def reset(self) -> None:
        """Begin again, in the same tensors."""
        for held in self.state():
            held.zero_()

    def restore(self, state: list[Tensor]) -> None:
        """Take over sums that `state` returned."""
        for mine, saved in zip(self.state(), state, strict=True):
            mine.copy_(saved)


def _bits_per_spike(nll: Tensor, spikes: Tensor, bins: Tensor) -> Tensor:
    total = spikes.sum(dim=-1)
    # A silent channel costs its null nothing: 0 · log 0 = 0.
    null = (spikes - torch.special.xlogy(spikes, spikes / bins.unsqueeze(-1))).sum(dim=-1)
    return torch.where(total > 0, (null - nll.sum(dim=-1)) / total / math.log(2), math.nan)
