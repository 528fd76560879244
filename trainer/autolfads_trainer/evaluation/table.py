"""An evaluation as a person reads it: a table, and lines on how it came about."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autolfads_trainer.evaluation.values import (
    METRICS,
    Decoder,
    Evaluation,
    Scores,
    mean_scores,
)

HEADS = {
    "bps": "bps",
    "co_bps": "co_bps",
    "fp_bps": "fp_bps",
    "r2": "R² truth",
    "behaviour_r2": "R² behaviour",
    "psth_r2": "R² PSTH",
}


def lines_of(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Yield the table of all sessions and splits, the mean over sessions, and remarks."""
    heads = ("session", "split", *HEADS.values())
    rows = rows_of(evaluations)
    table = [heads, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads))]
    for row in table:
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
    for one in evaluations:
        for remark in remarks_of(one):
            yield f"{one.session}: {remark}" if len(evaluations) > 1 else remark


def rows_of(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """Return the table's rows as words: session, split and the scores in the order of `HEADS`."""
    rows = [
        (one.session, split, *_words(scores))
        for one in evaluations
        for split, scores in one.splits.items()
    ]
    if len(evaluations) > 1:
        means = mean_scores(evaluations)
        rows += [("mean", split, *_words(scores)) for split, scores in means.items()]
    return rows


def remarks_of(one: Evaluation) -> Iterator[str]:
    """Yield how the fitted scores came about, and what there is to note."""
    if one.decoding is not None:
        several = len(one.decoding.decoders) > 1
        for number, decoder in enumerate(one.decoding.decoders, 1):
            which = f", decoder {number}" if several else ""
            yield f"behaviour: {one.decoding.key}{which}: {_decoder(decoder, one.bin_ms)}"
    if one.psth is not None:
        made = "those of the file"
        if one.psth.kernel_bins is not None:
            sd = _bins(one.psth.kernel_bins, one.bin_ms)
            made = f"spikes smoothed by a Gaussian with an sd of {sd}"
        yield f"PSTH: {one.psth.conditions} conditions of {one.psth.key}, {made}"
    if one.bin_ms is None and (one.decoding is not None or one.psth is not None):
        yield "bins: the file does not say how wide they are (--bin-ms)"
    yield from (f"note: {note}" for note in one.notes)


def _decoder(decoder: Decoder, bin_ms: float | None) -> str:
    return (
        f"lag {_bins(decoder.lag_bins, bin_ms)}, penalty {decoder.penalty:.3g}, "
        f"R² {decoder.cross_validated_r2:.3f} in cross-validation within train"
    )


def _bins(count: float, bin_ms: float | None) -> str:
    bins = f"{count:g} bin{'' if count == 1 else 's'}"
    return bins if bin_ms is None else f"{count * bin_ms:g} ms ({bins})"


def _words(scores: Scores) -> list[str]:
    values = [getattr(scores, name) for name in METRICS]
    return [f"{value:.4f}" if math.isfinite(value) else "–" for value in values]
