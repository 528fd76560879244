"""Ridge regression from sums of products, so that many penalties and folds cost little more.

Inputs are standardised and outputs centred within whatever is fitted; the penalty is per sample:

    minimise  mean ‖y − b − W z‖² + penalty · ‖W‖²,   z the standardised inputs
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CONSTANT = 1e-12  # of the largest square: inputs that vary less are float32's rounding


@dataclass(frozen=True)
class Moments:
    """Sums over samples of inputs, outputs, and of all their products."""

    samples: int
    inputs: int  # the first so many are inputs, the rest outputs
    sums: Floats  # (inputs + outputs,)
    products: Floats  # (inputs + outputs, inputs + outputs)

    @classmethod
    def of(cls, inputs: Floats, outputs: Floats) -> Moments:
        """Sum over samples: `(samples, inputs)` and `(samples, outputs)`."""
        both = np.concatenate([inputs, outputs], axis=1)
        return cls(len(both), inputs.shape[1], both.sum(axis=0), both.T @ both)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.samples + other.samples,
            self.inputs,
            self.sums + other.sums,
            self.products + other.products,
        )

    @property
    def spread(self) -> Floats:
        """The outputs' squared distances from their means, summed: `(outputs,)`."""
        squares = np.diag(self.products)[self.inputs :]
        left = squares - self.sums[self.inputs :] ** 2 / self.samples
        spread: Floats = np.where(left > _CONSTANT * squares, left, 0.0)
        return spread


@dataclass(frozen=True)
class Ridge:
    """Fitted: outputs are `inputs @ weights + intercept`."""

    weights: Floats  # (inputs, outputs)
    intercept: Floats  # (outputs,)

    def squared_errors(self, data: Moments) -> Floats:
        """Return the sums of squared errors on other samples, `(outputs,)`."""
        mixed = np.concatenate([-self.weights, np.eye(len(self.intercept))])
        squares = np.einsum("io,ij,jo->o", mixed, data.products, mixed, optimize=True)
        sums = data.sums @ mixed
        errors: Floats = squares - 2 * self.intercept * sums + data.samples * self.intercept**2
        return np.maximum(errors, 0.0)  # rounding


def fit(data: Moments, penalties: Floats) -> list[Ridge]:
    """Return one fit for each penalty (above 0). Inputs that are constant get no weight."""
    count, mean = data.inputs, data.sums / data.samples
    covariance = data.products / data.samples - np.outer(mean, mean)
    variance = np.diag(covariance)[:count].copy()
    constant = variance <= _CONSTANT * np.diag(data.products)[:count] / data.samples
    scale = np.where(constant, 1.0, np.sqrt(np.where(constant, 1.0, variance)))
    alive = np.where(constant, 0.0, 1 / scale)
    within = covariance[:count, :count] * np.outer(alive, alive)
    across = covariance[:count, count:] * alive[:, None]
    values, vectors = np.linalg.eigh(within)
    turned = vectors.T @ across
    fits = []
    for penalty in penalties:
        shrunk = turned / (np.maximum(values, 0.0) + penalty)[:, None]
        weights = (vectors @ shrunk) * alive[:, None]
        fits.append(Ridge(weights, mean[count:] - mean[:count] @ weights))
    return fits


def cross_validated(folds: list[Moments], penalties: Floats) -> Floats:
    """Return each penalty's R² on samples that its fit has not seen, `(penalties,)`.

    Squared errors are summed over folds; R² is a mean over outputs that vary, NaN if none does.
    """
    total = folds[0]
    for fold in folds[1:]:
        total = total + fold
    varies = total.spread > 0
    if not varies.any():
        return np.full(len(penalties), np.nan)
    errors = np.zeros((len(penalties), len(total.sums) - total.inputs))
    for number, held_out in enumerate(folds):
        others = [fold for place, fold in enumerate(folds) if place != number]
        seen = others[0]
        for fold in others[1:]:
            seen = seen + fold
        for place, fitted in enumerate(fit(seen, penalties)):
            errors[place] += fitted.squared_errors(held_out)
    r2: Floats = (1 - errors[:, varies] / total.spread[varies]).mean(axis=1)
    return r2
