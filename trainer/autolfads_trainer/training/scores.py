"""Bits per spike and R², summed up batch by batch and read once an epoch."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.training.parts import SCORES, scores_of


class Scores:
    """Sums over an epoch from which bps, co_bps, fp_bps and r2 follow exactly, of each session.

    They are those of all trials together, not a mean over batches. Nothing here waits for the
    device until `read`. All sums may have a leading axis of members; their last is of the channels
    of all sessions, one session after another.

    bits/spike = (NLL_null − NLL_model) / spikes / ln 2, where null predicts each channel's mean
    rate in the scored data. `bps` scores held-in channels at steps < T, `co_bps` held-out channels
    at steps < T, `fp_bps` all channels at steps ≥ T (Pei et al. 2021, Neural Latents Benchmark).
    `r2` is pooled: 1 − SSE / SST around each channel's mean, of rates per bin to the true ones.
    What is missing in the data is not scored. Of several sessions the mean is over those that have
    something to score.
    """

    SUMS: ClassVar = ("nll", "spikes", "bins", "truth", "truth_bins")

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        channels = sizes.channels
        self.sizes = sizes
        # Per channel, for observed steps [0] and forecast steps [1].
        self.nll = torch.zeros(2, channels, dtype=torch.float64, device=device)
        self.spikes = torch.zeros_like(self.nll)
        self.bins = torch.zeros_like(self.nll)
        # Per channel: squared error, sum and sum of squares of the truth.
        self.truth = torch.zeros(3, channels, dtype=torch.float64, device=device)
        self.truth_bins = torch.zeros(channels, dtype=torch.float64, device=device)

    def add(
        self, log_rates: Tensor, counts: Tensor, truth: Tensor | None, session: int = 0
    ) -> None:
        """Add one batch: `log_rates`, `counts` and `truth` (rates per bin) are `(B, R, N)`."""
        self.add_counts(log_rates, counts, session)
        self.add_rates(torch.exp(log_rates), truth, session)

    def add_counts(
        self, log_rates: Tensor, counts: Tensor, session: int = 0, observed: Tensor | None = None
    ) -> None:
        """Add one batch, without a truth. `observed` is 0 where counts are missing."""
        # Terms that depend on the counts alone are the same for model and null, and cancel.
        nll = (torch.exp(log_rates) - counts * log_rates).double()
        spikes = counts.double()
        bins: Tensor | float = float(counts.shape[0])
        if observed is not None:
            nll, spikes, bins = nll * observed, spikes * observed, observed.double().sum(dim=0)
        self.add_sums(nll.sum(dim=0), spikes.sum(dim=0), bins, session)

    def add_sums(self, nll: Tensor, spikes: Tensor, bins: Tensor | float, session: int = 0) -> None:
        """Add the sums over a batch's trials, each `(R, N)`; `bins` may be a number for all."""
        seen, steps = self.sizes.encod_seq_len, nll.shape[-2]
        mine = self.sizes.channels_of(session)
        for part, (start, end) in enumerate(((0, seen), (seen, steps))):
            for sums, of_steps in ((self.nll, nll), (self.spikes, spikes), (self.bins, bins)):
                if isinstance(of_steps, Tensor):
                    some = of_steps[..., start:end, :].sum(dim=-2, dtype=torch.float64)
                    sums[..., part, mine] += some
                else:
                    sums[..., part, mine] += of_steps * (end - start)

    def add_rates(self, rates: Tensor, truth: Tensor | None, session: int = 0) -> None:
        """Add rates and, if there are any, the true ones, whose last axis is of channels."""
        if truth is not None:
            exact = truth.double()
            errors = ((rates - exact) ** 2).sum(dim=(0, 1))
            sums = torch.stack([exact.sum(dim=(0, 1)), (exact**2).sum(dim=(0, 1))])
            self.add_errors(errors, sums, truth.shape[0] * truth.shape[1], session)

    def add_errors(self, errors: Tensor, truth: Tensor, bins: int, session: int = 0) -> None:
        """Add squared errors of rates `(N,)`, and the sums `(2, N)` of true ones and their squares.

        Both are sums over all `bins` of a batch's trials.
        """
        mine = self.sizes.channels_of(session)
        self.truth[..., 0, mine] += errors
        self.truth[..., 1:, mine] += truth
        self.truth_bins[..., mine] += bins

    def read(self) -> dict[str, float]:
        """Return bps, co_bps, fp_bps and r2; NaN where there is nothing to score."""
        return {name: float(value) for name, value in self._values().items()}

    def read_all(self) -> list[dict[str, float]]:
        """Return the same for each of the members that are the sums' leading axis."""
        found = {name: value.tolist() for name, value in self._values().items()}
        return [dict(zip(found, each, strict=True)) for each in zip(*found.values(), strict=True)]

    def _values(self) -> dict[str, Tensor]:
        sums = [held.cpu() for held in self.state()]
        each = [self._of_session(number, *sums) for number in range(len(self.sizes.sessions))]
        found = {name: torch.stack([one[name] for one in each]).nanmean(dim=0) for name in SCORES}
        for number, one in enumerate(each):
            found |= {f"{name}/sess{number}": value for name, value in one.items()}
        return {name: found[name] for name in scores_of(len(each))}

    def _of_session(
        self,
        number: int,
        nll: Tensor,
        spikes: Tensor,
        bins: Tensor,
        truth: Tensor,
        truth_bins: Tensor,
    ) -> dict[str, Tensor]:
        mine = self.sizes.channels_of(number)
        heldin = mine.start + self.sizes.sessions[number].encod_data_dim

        def bits(part: int, first: int, after: int) -> Tensor:
            some = slice(first, after)
            return _bits_per_spike(*(sums[..., part, some] for sums in (nll, spikes, bins)))

        return {
            "bps": bits(0, mine.start, heldin),
            "co_bps": bits(0, heldin, mine.stop),
            "fp_bps": bits(1, mine.start, mine.stop),
            "r2": _r2(truth[..., mine], truth_bins[..., mine]),
        }

    def state(self) -> list[Tensor]:
        """Return the sums, to be saved in mid-epoch."""
        return [getattr(self, name) for name in self.SUMS]

    def reset(self) -> None:
        """Begin again, in the same tensors."""
        for held in self.state():
            held.zero_()

    def restore(self, state: list[Tensor]) -> None:
        """Take over sums that `state` returned; older versions had bins of all channels alike."""
        for mine, saved in zip(self.state(), state, strict=True):
            mine.copy_(saved if saved.dim() == mine.dim() else saved.unsqueeze(-1))


def _r2(sums: Tensor, bins: Tensor) -> Tensor:
    error, total, squares = sums.unbind(-2)
    spread = (squares - total**2 / bins).sum(dim=-1)
    return torch.where(spread > 0, 1 - error.sum(dim=-1) / spread, math.nan)


def _bits_per_spike(nll: Tensor, spikes: Tensor, bins: Tensor) -> Tensor:
    total = spikes.sum(dim=-1)
    # A silent channel costs its null nothing: 0 · log 0 = 0. Nor does one that is never observed.
    mean = spikes / bins.clamp_min(1)
    null = (spikes - torch.special.xlogy(spikes, mean)).sum(dim=-1)
    return torch.where(total > 0, (null - nll.sum(dim=-1)) / total / math.log(2), math.nan)
