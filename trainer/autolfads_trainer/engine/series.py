"""Trials of one session as steps are computed: time first, batches gathered by index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.poisson import log_factorial

_TRIALS_FIRST = ("log_factorials", "truth_sums")


@dataclass(frozen=True)
class Series:
    """Trials of one split, or batches of some members (then with a leading axis of members)."""

    encod: Tensor  # (T, B, D)
    recon: Tensor  # (R, B, N)
    ext_input: Tensor  # (T to R, B, X)
    truth: Tensor | None = None  # (R, B, N)  rates per bin
    observed: Tensor | None = None  # (R, B, N)  1 where `recon` is not missing; None: all 1
    sv_mask: Tensor | None = None  # (T, B, D)  0 where sample validation holds out; None: all 1
    # Of each trial, in double precision: what depends on the data alone is computed once. None:
    # not any more, since augmentations have changed the data.
    log_factorials: Tensor | None = None  # (B,)  of the counts, summed
    truth_sums: Tensor | None = None  # (B, 2, N)  over time, of the true rates and of their squares

    @classmethod
    def of(cls, split: Split) -> Series:
        """Lay a split out, once for all steps."""
        there = {name: value for name, value in vars(split).items() if value is not None}
        return cls(
            **{name: _time_first(value) for name, value in there.items()},
            log_factorials=log_factorial(split.recon).double().sum(dim=(1, 2)),
            truth_sums=None if split.truth is None else _sums(split.truth.double()),
        )

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return self.encod.shape[-2]

    @property
    def elements(self) -> Tensor:
        """How many numbers of `recon` are there, `()` or `(M,)`, in double precision."""
        whole = float(self.recon.shape[-3] * self.recon.shape[-2] * self.recon.shape[-1])
        if self.observed is None:
            return torch.full((), whole, dtype=torch.float64, device=self.recon.device)
        return self.observed.sum(dim=(-3, -2, -1), dtype=torch.float64)

    def take(self, trials: Tensor) -> Series:
        """Return the given trials; `trials` is `([M,] b)`, int64."""

        def gathered(values: Tensor) -> Tensor:
            found = values.index_select(1, trials.flatten())  # (T, M · b, …)
            apart = found.view(len(values), *trials.shape, *values.shape[2:])
            return apart.movedim(0, trials.dim() - 1)

        return self._each(gathered, lambda values: values[trials])

    def chunks(self, size: int) -> Iterator[tuple[slice, Series]]:
        """Go through all trials in order, at most `size` at a time."""
        for start in range(0, self.trials, size):
            part = slice(start, min(start + size, self.trials))
            yield part, self._part(part)

    def _part(self, part: slice) -> Series:
        lead = (slice(None),) * (self.encod.dim() - 3)
        return self._each(lambda values: values[..., part, :], lambda values: values[(*lead, part)])

    def of_all(self, members: int) -> Series:
        """Return the same trials for each of some members, on a leading axis; nothing is copied."""

        def spread(values: Tensor) -> Tensor:
            return values.expand(members, *values.shape)

        return self._each(spread, spread)

    def _each(self, by_time: Any, by_trial: Any) -> Series:
        there = {name: value for name, value in vars(self).items() if value is not None}
        found = {
            name: (by_trial if name in _TRIALS_FIRST else by_time)(value)
            for name, value in there.items()
        }
        return replace(self, **found)


def _time_first(values: Tensor) -> Tensor:
    return values.transpose(0, 1).contiguous()


def _sums(truth: Tensor) -> Tensor:
    return torch.stack([truth.sum(dim=1), (truth**2).sum(dim=1)], dim=1)
