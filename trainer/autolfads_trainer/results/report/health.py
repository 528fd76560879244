"""Does a run look underfitted, overfitted or healthy? A rule of thumb, with its reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.results.history import History, Leg, series

FEWEST_EPOCHS = 5  # fewer say nothing about a trend
WINDOW = 5  # trends are read from fifths of the curve
NOTABLE = 0.05  # change, as a share of all that was learned, that counts as a trend
SMALLEST_SCALE = 0.02  # where a curve is flat, shares are taken of this part of its value
LARGE_GAP = 0.5  # train–valid gap, as a share of all that was learned, that counts as large
GROWING_GAP = 0.1  # and its growth over two fifths that counts as growing
AT_LIMIT = 0.02  # distance from a limit, as a share of the range, that counts as pressed against it

Curve = NDArray[np.float64]
Word = Literal["healthy", "underfitted", "overfitted", "unclear"]


@dataclass(frozen=True)
class Verdict:
    """One word, the sentence that gives the reason, what to do, and what else was noticed."""

    word: Word
    sentence: str
    advice: str
    remarks: tuple[str, ...] = ()


def judge(history: History) -> Verdict:
    """Judge a run by the train and valid recon of its line: the last generation's best lineage.

    (That is the best lineage itself, unless the best score came earlier and training went on.)
    Curves are averaged over windows of a fifth of their epochs. *Scale* is what was learned: valid
    recon from the median of the first fifth to the lowest window, and at least 2 % of its value.
    *Noise* is twice the standard error of a difference of two windows, from the curve's second
    differences. A change counts when it exceeds both 5 % of the scale and the noise. In this order:

    - unclear: fewer than 5 epochs have both values;
    - overfitted: from its lowest window to the last, valid recon rose while train recon fell;
    - underfitted: from the window before to the last, valid recon still fell; or it never fell;
    - overfitted: the gap valid − train is above half the scale and grew by more than a tenth of it
      (and more than the noise) over the last two fifths, though valid recon no longer falls;
    - healthy: none of these.

    Remarks name lost members, and hyperparameters that at least half of the survivors have within
    2 % of the range (in logs over a range of more than a decade) of an enforced limit.
    """
    remarks = (*_lost(history), *_pressed(history), *_untuned(history))
    line = _line(history)
    epochs, train, valid = (np.asarray(values) for values in _finite(line))
    if len(epochs) < FEWEST_EPOCHS:
        sentence = f"Too little to tell: the best lineage has {_count(len(epochs), 'epoch')}."
        advice = f"Train for at least {FEWEST_EPOCHS} epochs, better for a few hundred."
        return Verdict("unclear", sentence, advice, remarks)
    word, sentence, advice = _trend(epochs, train, valid)
    return Verdict(word, sentence, advice, remarks)


def _trend(epochs: Curve, train: Curve, valid: Curve) -> tuple[Word, str, str]:
    width = max(2, len(epochs) // WINDOW)
    smooth_train, smooth_valid = _windows(train, width), _windows(valid, width)
    noise_train, noise_valid = _noise(train, width), _noise(valid, width)
    lowest = int(np.argmin(smooth_valid))
    low, end, before = smooth_valid[lowest], smooth_valid[-1], smooth_valid[-1 - width]
    scale = max(float(np.median(valid[:width])) - low, SMALLEST_SCALE * abs(low))
    notable = max(NOTABLE * scale, noise_valid)

    train_low, train_end = smooth_train[lowest], smooth_train[-1]
    if end - low > notable and train_low - train_end > noise_train:
        at = f"{epochs[lowest]:.0f}–{epochs[lowest + width - 1]:.0f}"
        return (
            "overfitted",
            f"Since epochs {at} valid recon has risen from {low:.4g} to {end:.4g}, while train "
            f"recon fell from {train_low:.4g} to {train_end:.4g}.",
            "The result is taken from the best checkpoint, so it suffers little. To gain more, "
            "add data, allow stronger regularisation (dropout, coordinated dropout, KL and L2 "
            "scales), or use a smaller generator.",
        )
    if float(np.median(valid[:3])) - low <= _noise(valid, 3):
        return (
            "underfitted",
            f"Valid recon has not fallen since the start ({np.median(valid[:3]):.4g} → "
            f"{end:.4g}): the model has learned nothing yet.",
            "Check the data, train longer, or allow a higher learning rate.",
        )
    if before - end > notable:
        return (
            "underfitted",
            f"Valid recon was still falling at the end: from {before:.4g} to {end:.4g} over the "
            f"last {width} epochs.",
            "Train longer: raise maxEpochs, or lower minImprovementRatio if the run ended by it.",
        )
    gap = smooth_valid - smooth_train
    growth = gap[-1] - gap[max(0, len(gap) - 1 - 2 * width)]
    if gap[-1] > LARGE_GAP * scale and growth > max(
        GROWING_GAP * scale, math.hypot(noise_valid, noise_train)
    ):
        return (
            "overfitted",
            f"Valid recon no longer falls ({end:.4g}), while train recon does ({train_end:.4g}): "
            f"the gap between them has grown by {growth:.2g} to {gap[-1]:.2g}.",
            "Add data, allow stronger regularisation (dropout, coordinated dropout, KL and L2 "
            "scales), or stop earlier.",
        )
    return (
        "healthy",
        f"Valid recon has levelled off at {end:.4g} and does not rise, with train recon at "
        f"{train_end:.4g}.",
        "More epochs are unlikely to change the rates much.",
    )


def _line(history: History) -> tuple[Leg, ...]:
    best = history.leg(history.best)
    last = [leg for leg in history.survivors() if leg.rows and leg.generation >= best.generation]
    if not last or best.generation == history.generations:
        return history.best_lineage()
    return history.lineage(min(last, key=lambda leg: (leg.score or 0.0, leg.member)))


def _finite(line: tuple[Leg, ...]) -> tuple[list[float], ...]:
    columns = series(line, "train/recon", "valid/recon")
    rows = [row for row in zip(*columns, strict=True) if all(math.isfinite(x) for x in row)]
    return tuple([row[i] for row in rows] for i in range(3))


def _windows(curve: Curve, width: int) -> Curve:
    """Return the means of all windows of `width` epochs: (epochs − width + 1)."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(curve, width).mean(axis=-1))


def _noise(curve: Curve, width: int) -> float:
    # Second differences are free of trend, and their median of the jumps that PBT makes;
    # 1.4826 turns a median deviation into a standard one, and each sums three values (1, −2, 1).
    sigma = 1.4826 * float(np.median(np.abs(np.diff(curve, n=2)))) / math.sqrt(6)
    return 2 * sigma * math.sqrt(2 / width)


def _lost(history: History) -> tuple[str, ...]:
    lost = history.lost()
    if not lost:
        return ()
    named = ", ".join(f"member {leg.member} in generation {leg.generation}" for leg in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    last = sum(leg.lost for leg in history.tips())
    end = f" {_count(last, 'member')} had no score at the end." if last else ""
    return (f"Lost, without a finite score: {named}{more}.{end}",)


def _pressed(history: History) -> tuple[str, ...]:
    survivors = history.survivors()
    if history.generations < 2 or history.population < 2:
        return ()  # nothing has been tuned, so nothing was pressed anywhere
    remarks = []
    for path, (low, high) in sorted(history.limits.items()):
        values = [leg.hyperparameters[path] for leg in survivors if path in leg.hyperparameters]
        for side, limit in (("lower", low), ("upper", high)):
            near = sum(_near(value, limit, low, high) for value in values)
            if near and 2 * near >= len(values):
                found = f"{near} of {_count(len(values), 'member')}"
                wider = ": a wider range may do better" if limit else ""  # below 0 there is nothing
                remarks.append(
                    f"{path} is pressed against its {side} limit {limit:g} in {found}{wider}."
                )
    return tuple(remarks)


def _near(value: float, limit: float, low: float, high: float) -> bool:
    if not low < high or not math.isfinite(value):
        return False
    if low > 0 and high / low > 10 and value > 0:
        value, limit, low, high = (math.log(x) for x in (value, limit, low, high))
    return abs(value - limit) <= AT_LIMIT * (high - low)


def _untuned(history: History) -> tuple[str, ...]:
    if history.population > 1:
        return ()
    return ("The population is 1: the model was trained without tuning.",)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
