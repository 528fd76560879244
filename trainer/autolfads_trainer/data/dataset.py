"""A recording as tensors on the device, from which batches are taken by index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:  # who trains on data that are in memory already needs no HDF5
    from autolfads_trainer.data.hdf5 import Recording, SplitArrays


@dataclass(frozen=True)
class Split:
    """Trials of one split (or of one batch), all on one device."""

    encod: Tensor  # (B, T, D)
    recon: Tensor  # (B, R, N)
    ext_input: Tensor  # (B, T to R, X)
    truth: Tensor | None  # (B, R, N)  rates per bin

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return self.encod.shape[0]

    def take(self, trials: Tensor) -> Split:
        """Return the given trials; `trials` is `(b,)`, int64."""
        return Split(
            self.encod.index_select(0, trials),
            self.recon.index_select(0, trials),
            self.ext_input.index_select(0, trials),
            None if self.truth is None else self.truth.index_select(0, trials),
        )

    def chunks(self, size: int) -> Iterator[tuple[slice, Split]]:
        """Go through all trials in order, at most `size` at a time."""
        for start in range(0, self.trials, size):
            part = slice(start, min(start + size, self.trials))
            truth = None if self.truth is None else self.truth[part]
            yield part, Split(self.encod[part], self.recon[part], self.ext_input[part], truth)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Both splits of one session."""

    train: Split
    valid: Split

    @classmethod
    def of(cls, recording: Recording, device: torch.device) -> Dataset:
        """Copy a recording to the device, once for the whole run."""

        def split(arrays: SplitArrays) -> Split:
            def tensor(array: object) -> Tensor:
                return torch.as_tensor(array, dtype=torch.float32, device=device)

            truth = None if arrays.truth is None else tensor(arrays.truth)
            return Split(
                tensor(arrays.encod), tensor(arrays.recon), tensor(arrays.ext_input), truth
            )

        return cls(split(recording.train), split(recording.valid))
