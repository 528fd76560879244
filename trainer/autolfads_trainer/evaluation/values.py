"""What an evaluation finds: scores by split, and how the fitted ones came about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Scores:
    """One split's scores; NaN where there is nothing to score."""

    bps: float = math.nan  # bits/spike, held-in channels, observed steps
    co_bps: float = math.nan  # bits/spike, held-out channels, observed steps
    fp_bps: float = math.nan  # bits/spike, all channels, forecast steps
    r2: float = math.nan  # of rates to true rates, pooled
    behaviour_r2: float = math.nan  # of behaviour decoded from rates
    psth_r2: float = math.nan  # of condition means of rates to PSTHs


METRICS = tuple(field.name for field in fields(Scores))


@dataclass(frozen=True)
class Decoder:
    """One ridge regression: what cross-validation within the training trials chose."""

    lag_bins: int  # by which behaviour follows rates
    penalty: float  # per sample, of standardised rates
    cross_validated_r2: float


@dataclass(frozen=True)
class Decoding:
    """What was decoded, by one decoder for each group of trials that has one of its own."""

    key: str
    decoders: tuple[Decoder, ...]


@dataclass(frozen=True)
class Psth:
    """What the PSTHs are of. `kernel_bins` is the Gaussian's sd; None: the file holds PSTHs."""

    key: str
    conditions: int
    kernel_bins: float | None


@dataclass(frozen=True)
class Evaluation:
    """One session's scores by split, and what to tell of them."""

    session: str
    splits: Mapping[str, Scores]
    bin_ms: float | None = None
    decoding: Decoding | None = None
    psth: Psth | None = None
    notes: tuple[str, ...] = ()


def mean_scores(evaluations: Sequence[Evaluation]) -> dict[str, Scores]:
    """Return each split's scores, each a mean over the sessions that have it."""
    means = {}
    for split in SPLITS:
        found = [one.splits[split] for one in evaluations if split in one.splits]
        if found:
            values = ({name: getattr(one, name) for name in METRICS} for one in found)
            means[split] = _mean(values)
    return means


def _mean(found: Iterable[Mapping[str, float]]) -> Scores:
    finite: dict[str, list[float]] = {name: [] for name in METRICS}
    for scores in found:
        for name, value in scores.items():
            if math.isfinite(value):
                finite[name].append(value)
    return Scores(**{name: math.fsum(some) / len(some) for name, some in finite.items() if some})


def to_json(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return all of it as plain values; what is not finite becomes None."""
    return {
        "sessions": [_session(one) for one in evaluations],
        "mean": {split: _plain(vars(one)) for split, one in mean_scores(evaluations).items()},
    }


def _session(one: Evaluation) -> dict[str, Any]:
    decoding, psth = one.decoding, one.psth
    return {
        "session": one.session,
        "bin_ms": one.bin_ms,
        "splits": {split: _plain(vars(scores)) for split, scores in one.splits.items()},
        "behaviour": decoding
        and {
            "key": decoding.key,
            "decoders": [_plain(vars(decoder)) for decoder in decoding.decoders],
        },
        "psth": psth and vars(psth).copy(),
        "notes": list(one.notes),
    }


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
