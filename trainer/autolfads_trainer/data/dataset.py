"""Recordings as tensors on the device, from which batches are taken by index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:  # who trains on data that are in memory already needs no HDF5
    from autolfads_trainer.data.hdf5 import Recording, SplitArrays
    from autolfads_trainer.data.starts import StartArrays


@dataclass(frozen=True)
class Split:
    """Trials of one split (or of one batch), all on one device."""

    encod: Tensor  # (B, T, D)  what is missing is 0
    recon: Tensor  # (B, R, N)  what is missing is some number that there is elsewhere
    ext_input: Tensor  # (B, T to R, X)
    truth: Tensor | None  # (B, R, N)  rates per bin
    observed: Tensor | None = None  # (B, R, N)  1 where `recon` is not missing, else 0; None: all 1
    sv_mask: Tensor | None = None  # (B, T, D)  0 where sample validation holds out; None: all 1

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return self.encod.shape[0]

    def take(self, trials: Tensor | slice) -> Split:
        """Return the given trials; `trials` is `(b,)`, int64, or a slice."""
        there = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: value[trials] for name, value in there.items()})

    def chunks(self, size: int) -> Iterator[tuple[slice, Split]]:
        """Go through all trials in order, at most `size` at a time."""
        for start in range(0, self.trials, size):
            part = slice(start, min(start + size, self.trials))
            yield part, self.take(part)


@dataclass(frozen=True)
class PCRStart:
    """What a session's read-in and read-out start from (Pandarinath et al. 2018)."""

    readin_weight: Tensor  # (D, F)
    readin_bias: Tensor  # (F,)
    readout_weight: Tensor  # (N, F)
    readout_bias: Tensor  # (N,)


@dataclass(frozen=True)
class Session:
    """The splits of one session."""

    train: Split
    valid: Split
    test: Split | None = None
    pcr: PCRStart | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """All that a run trains on: one session or more."""

    sessions: tuple[Session, ...]

    @classmethod
    def alone(cls, train: Split, valid: Split) -> Dataset:
        """Return what one session makes."""
        return cls((Session(train, valid),))

    @classmethod
    def of(
        cls,
        recordings: Sequence[Recording],
        device: torch.device,
        *,
        sv_rate: float = 0.0,
        sv_seed: int = 0,
    ) -> Dataset:
        """Copy recordings to the device, once for the whole run.

        With `sv_rate` a fixed share of what is encoded is held out for sample validation.
        """
        generator = torch.Generator().manual_seed(sv_seed)

        def split(arrays: SplitArrays, rate: float) -> Split:
            return _split(arrays, device, rate, generator)

        return cls(
            tuple(
                Session(
                    split(recording.train, sv_rate),
                    split(recording.valid, sv_rate),
                    None if recording.test is None else split(recording.test, 0.0),
                    None if recording.pcr is None else _start(recording.pcr, device),
                )
                for recording in recordings
            )
        )

    @property
    def train(self) -> Split:
        """The training trials of the first session."""
        return self.sessions[0].train

    @property
    def valid(self) -> Split:
        """The validation trials of the first session."""
        return self.sessions[0].valid

    @property
    def most_spikes(self) -> int:
        """The largest count in any bin: so many spikes can move on their own."""
        splits = (split for one in self.sessions for split in (one.train, one.valid))
        return max(int(max(split.encod.max(), split.recon.max())) for split in splits)

    @property
    def device(self) -> torch.device:
        """Where all of it is."""
        return self.train.encod.device


def _split(
    arrays: SplitArrays, device: torch.device, sv_rate: float, generator: torch.Generator
) -> Split:
    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=device)

    encod, recon = tensor(arrays.encod), tensor(arrays.recon)
    missing = recon.isnan()
    observed = None
    if missing.any():
        observed = (~missing).to(recon.dtype)
        # Of what is there the largest: every distribution takes it, and no loss is infinite.
        recon = recon.nan_to_num(nan=float(recon[~missing].max()))
    sv_mask = None
    if sv_rate:
        held = torch.rand(encod.shape, generator=generator) < sv_rate
        sv_mask = (~held).to(device, encod.dtype)
    return Split(
        encod.nan_to_num(nan=0.0) if encod.isnan().any() else encod,
        recon,
        tensor(arrays.ext_input),
        None if arrays.truth is None else tensor(arrays.truth),
        observed,
        sv_mask,
    )


def _start(arrays: StartArrays, device: torch.device) -> PCRStart:
    found = (arrays.readin_weight, arrays.readin_bias, arrays.readout_weight, arrays.readout_bias)
    return PCRStart(*(torch.as_tensor(array, device=device) for array in found))
