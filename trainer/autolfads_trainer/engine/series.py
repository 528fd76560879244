"""A split of the data as the engine reads it: time first, batches gathered by index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.poisson import log_factorial


@dataclass(frozen=True)
class Series:
    """Trials of one split, or batches of some members (then with a leading axis of members)."""

    encod: Tensor  # (T, B, D)
    recon: Tensor  # (R, B, N)
    ext_input: Tensor  # (T to R, B, X)
    truth: Tensor | None  # (R, B, N)  rates per bin
    # Of each trial, in double precision: what depends on the data alone is computed once.
    log_factorials: Tensor  # (B,)  what the likelihood has of the counts alone, summed
    truth_sums: Tensor | None  # (B, 2, N)  over time, of the true rates and of their squares

    @classmethod
    def of(cls, split: Split) -> Series:
        """Lay a split out, once for all steps."""
        truth = None if split.truth is None else _time_first(split.truth)
        return cls(
            _time_first(split.encod),
            _time_first(split.recon),
            _time_first(split.ext_input),
            truth,
            log_factorial(split.recon).double().sum(dim=(1, 2)),
            None if split.truth is None else _sums(split.truth.double()),
        )

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return self.encod.shape[-2]

    def take(self, trials: Tensor) -> Series:
        """Return the given trials; `trials` is `([M,] b)`, int64."""

        def gathered(values: Tensor) -> Tensor:
            found = values.index_select(1, trials.flatten())  # (T, M · b, …)
            apart = found.view(len(values), *trials.shape, *values.shape[2:])
            return apart.movedim(0, trials.dim() - 1)

        return Series(
            gathered(self.encod),
            gathered(self.recon),
            gathered(self.ext_input),
            None if self.truth is None else gathered(self.truth),
            self.log_factorials[trials],
            None if self.truth_sums is None else self.truth_sums[trials],
        )

    def chunks(self, size: int) -> Iterator[tuple[slice, Series]]:
        """Go through all trials in order, at most `size` at a time."""
        for start in range(0, self.trials, size):
            part = slice(start, min(start + size, self.trials))
            yield (
                part,
                Series(
                    self.encod[..., part, :],
                    self.recon[..., part, :],
                    self.ext_input[..., part, :],
                    None if self.truth is None else self.truth[..., part, :],
                    self.log_factorials[..., part],
                    None if self.truth_sums is None else self.truth_sums[..., part, :, :],
                ),
            )

    def of_all(self, members: int) -> Series:
        """Return the same trials for each of some members, on a leading axis; nothing is copied."""

        def spread(values: Tensor) -> Tensor:
            return values.expand(members, *values.shape)

        found = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: spread(value) for name, value in found.items()})


def _time_first(values: Tensor) -> Tensor:
    return values.transpose(0, 1).contiguous()


def _sums(truth: Tensor) -> Tensor:
    return torch.stack([truth.sum(dim=1), (truth**2).sum(dim=1)], dim=1)
