"""A split of the data as the engine reads it: time first, batches gathered by index."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.poisson import log_factorial


@dataclass(frozen=True)
class Series:
    """Trials of one split, or of one batch."""

    encod: Tensor  # (T, B, D)
    recon: Tensor  # (R, B, N)
    ext_input: Tensor  # (T to R, B, X)
    truth: Tensor | None  # (R, B, N)  rates per bin
    log_factorials: Tensor  # (B,)  what the likelihood has of the counts alone, summed per trial

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
        )

    def take(self, trials: Tensor) -> Series:
        """Return the given trials; `trials` is `(b,)`, int64."""
        return Series(
            self.encod.index_select(1, trials),
            self.recon.index_select(1, trials),
            self.ext_input.index_select(1, trials),
            None if self.truth is None else self.truth.index_select(1, trials),
            self.log_factorials.index_select(0, trials),
        )


def _time_first(values: Tensor) -> Tensor:
    return values.transpose(0, 1).contiguous()
