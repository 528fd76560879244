"""Behaviour decoded from rates: R² on trials that the decoder was not fitted to.

As the Neural Latents Benchmark does for velocity (Pei et al. 2021): a ridge regression from the
rates of all channels in one bin to the behaviour some time later, fitted to training trials, with a
penalty chosen by cross-validation; R² is a mean over the behaviour's dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.evaluation.behaviour import Behaviour
from autolfads_trainer.evaluation.ridge import Floats, Moments, Ridge, cross_validated, fit
from autolfads_trainer.evaluation.trials import Trials
from autolfads_trainer.evaluation.values import Decoder

FOLDS = 5
PENALTIES: Floats = np.logspace(-6, 0, 13)  # per sample
_AT_ONCE = 100_000  # samples that are copied at a time
_SEED = 0  # of the folds: the same file gives the same numbers


@dataclass(frozen=True)
class Pairs:
    """Rates and the behaviour that is decoded from them, of one group of trials.

    Rates are of observed steps alone: forecasts are not decoded from.
    """

    rates: NDArray[np.float32]  # (trials, T, N)
    behaviour: Floats  # (trials, steps, dimensions)
    usable: NDArray[np.bool_]  # (trials, steps)

    @classmethod
    def of(cls, trials: Trials, behaviour: Behaviour, group: int) -> Pairs:
        """Put them together."""
        rates = trials.rates[:, : trials.observed]
        return cls(rates, behaviour.values, behaviour.usable[group])

    def steps(self, *lags: int) -> range:
        """Return the steps of behaviour that every one of these lags leads to from some rates."""
        first, last = max(0, *lags), min(self.usable.shape[1], self.rates.shape[1] + min(lags))
        return range(first, max(first, last))

    def samples(
        self, lag: int, steps: range, trials: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[Floats, Floats]]:
        """Yield rates `(samples, N)` and behaviour `(samples, dimensions)` `lag` bins later."""
        chosen = np.arange(len(self.rates)) if trials is None else trials
        few = max(1, _AT_ONCE // max(1, len(steps)))
        later, sooner = np.s_[steps.start : steps.stop], np.s_[steps.start - lag : steps.stop - lag]
        for start in range(0, len(chosen), few):
            some = chosen[start : start + few]
            usable = self.usable[some, later]
            rates = self.rates[some, sooner][usable].astype(np.float64)
            yield rates, self.behaviour[some, later][usable]

    def moments(
        self, lag: int, steps: range, trials: NDArray[np.int64] | None = None
    ) -> Moments | None:
        """Return the sums over all samples, or None where there is no sample."""
        total = None
        for rates, behaviour in self.samples(lag, steps, trials):
            if len(rates):
                some = Moments.of(rates, behaviour)
                total = some if total is None else total + some
        return total


def fit_decoder(train: Pairs, lags: tuple[int, ...]) -> tuple[Decoder, Ridge] | None:
    """Return the decoder that cross-validation chooses, fitted; None where there are too few data.

    All lags are compared on the same bins of behaviour: else a lag could win by what it leaves out.
    With its lag and penalty the decoder is fitted to every bin that there is.
    """
    folds = _folds(train, train.steps(*lags))
    if len(folds) < 2:
        return None
    best: tuple[float, int, float] | None = None
    for lag in sorted(lags, key=abs):  # of equals the nearest to 0, and the largest penalty
        parts = [train.moments(lag, train.steps(*lags), trials) for trials in folds]
        r2 = cross_validated([part for part in parts if part is not None], PENALTIES[::-1])
        place = int(np.argmax(r2))
        if math.isnan(r2[place]):
            return None
        if best is None or r2[place] > best[0]:
            best = float(r2[place]), lag, float(PENALTIES[::-1][place])
    assert best is not None  # noqa: S101  (there is a lag)
    r2_found, lag, penalty = best
    every = train.moments(lag, train.steps(lag))
    assert every is not None  # noqa: S101  (the folds have samples)
    return Decoder(lag, penalty, r2_found), fit(every, np.array([penalty]))[0]


def _folds(train: Pairs, steps: range) -> list[NDArray[np.int64]]:
    """Return trials that have anything to compare lags on, in up to five parts."""
    some = train.usable[:, steps.start : steps.stop].any(axis=1)
    trials = np.random.default_rng(_SEED).permutation(np.flatnonzero(some))
    return [part for part in np.array_split(trials, FOLDS) if len(part)]


def decoded_r2(fitted: Ridge, lag: int, data: Pairs) -> float:
    """Return the mean R² over the behaviour's dimensions that vary; NaN where none does."""
    total = data.moments(lag, data.steps(lag))
    if total is None or not (total.spread > 0).any():
        return math.nan
    errors = np.zeros_like(total.spread)
    for rates, behaviour in data.samples(lag, data.steps(lag)):
        errors += ((rates @ fitted.weights + fitted.intercept - behaviour) ** 2).sum(axis=0)
    varies = total.spread > 0
    return float((1 - errors[varies] / total.spread[varies]).mean())


def decode(
    splits: Mapping[str, Trials], behaviour: Mapping[str, Behaviour], lags: tuple[int, ...]
) -> tuple[tuple[Decoder, ...], dict[str, float]]:
    """Fit one decoder for each group of trials, and score it on the splits other than `train`.

    Returns the decoders, and each split's R²: a mean over groups. Groups with too few data to fit
    or to score are left out; without any, the R² is NaN.
    """
    decoders = []
    found: dict[str, list[float]] = {split: [] for split in behaviour if split != "train"}
    for group in range(len(behaviour["train"].usable)):
        fitted = fit_decoder(Pairs.of(splits["train"], behaviour["train"], group), lags)
        if fitted is None:
            continue
        decoder, ridge = fitted
        decoders.append(decoder)
        for split, values in found.items():
            pairs = Pairs.of(splits[split], behaviour[split], group)
            values.append(decoded_r2(ridge, decoder.lag_bins, pairs))
    return tuple(decoders), {split: _mean(values) for split, values in found.items()}


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan
