"""Ridge regression from sums of products, against least squares with rows for the penalty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_trainer.evaluation.ridge import Moments, cross_validated, fit

PENALTIES = np.array([1e-4, 1e-2, 1.0])


def some_data(seed: int, samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    inputs = random.normal(3, (0.1, 1, 10, 2), (samples, 4))
    outputs = inputs @ random.normal(size=(4, 2)) + random.normal(size=(samples, 2)) - 5
    return inputs, outputs


def by_least_squares(inputs, outputs, penalty):
    """Return predictions' weights and intercept: the penalty as rows of zeros to be met."""
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    samples, count = inputs.shape
    rows = np.vstack([(inputs - mean) / scale, np.sqrt(penalty * samples) * np.eye(count)])
    wanted = np.vstack([outputs - outputs.mean(axis=0), np.zeros((count, outputs.shape[1]))])
    weights = np.linalg.lstsq(rows, wanted, rcond=None)[0] / scale[:, None]
    return weights, outputs.mean(axis=0) - mean @ weights


@pytest.mark.parametrize("place", range(len(PENALTIES)))
def test_a_fit_is_the_least_squares_solution_with_rows_for_the_penalty(place):
    inputs, outputs = some_data(0)

    found = fit(Moments.of(inputs, outputs), PENALTIES)[place]

    weights, intercept = by_least_squares(inputs, outputs, PENALTIES[place])
    assert found.weights == pytest.approx(weights, rel=1e-8)
    assert found.intercept == pytest.approx(intercept, rel=1e-8)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 59))
def test_sums_of_parts_are_the_sums_of_all(seed, cut):
    inputs, outputs = some_data(seed)

    whole = Moments.of(inputs, outputs)
    parts = Moments.of(inputs[:cut], outputs[:cut]) + Moments.of(inputs[cut:], outputs[cut:])

    assert parts.samples == whole.samples
    assert parts.sums == pytest.approx(whole.sums)
    assert parts.products == pytest.approx(whole.products)


def test_squared_errors_are_those_of_the_predictions():
    inputs, outputs = some_data(1)
    other_inputs, other_outputs = some_data(2, 37)
    found = fit(Moments.of(inputs, outputs), PENALTIES)[1]

    errors = found.squared_errors(Moments.of(other_inputs, other_outputs))

    predicted = other_inputs @ found.weights + found.intercept
    assert errors == pytest.approx(((predicted - other_outputs) ** 2).sum(axis=0))


def test_the_spread_is_the_squared_distance_from_the_mean():
    inputs, outputs = some_data(3)
    outputs[:, 1] = 7.1

    spread = Moments.of(inputs, outputs).spread

    assert spread[0] == pytest.approx(((outputs[:, 0] - outputs[:, 0].mean()) ** 2).sum())
    assert spread[1] == 0


def test_inputs_that_are_constant_but_for_rounding_get_no_weight():
    inputs, outputs = some_data(4)
    rounding = np.random.default_rng(0).uniform(-1e-8, 1e-8, len(inputs))
    inputs = np.column_stack([inputs, 1 + rounding, np.zeros(len(inputs))])

    found = fit(Moments.of(inputs, outputs), PENALTIES)[0]

    assert (found.weights[4:] == 0).all()
    assert found.weights[:4] == pytest.approx(
        fit(Moments.of(inputs[:, :4], outputs), PENALTIES)[0].weights
    )


def test_cross_validation_scores_what_each_fit_has_not_seen():
    inputs, outputs = some_data(5)
    parts = [np.arange(60)[place::3] for place in range(3)]

    found = cross_validated([Moments.of(inputs[p], outputs[p]) for p in parts], PENALTIES)

    for penalty, r2 in zip(PENALTIES, found, strict=True):
        errors = np.zeros(2)
        for part in parts:
            others = np.setdiff1d(np.arange(60), part)
            weights, intercept = by_least_squares(inputs[others], outputs[others], penalty)
            errors += ((inputs[part] @ weights + intercept - outputs[part]) ** 2).sum(axis=0)
        spread = ((outputs - outputs.mean(axis=0)) ** 2).sum(axis=0)
        assert r2 == pytest.approx((1 - errors / spread).mean())


def test_what_does_not_vary_is_left_out_of_the_mean_over_outputs():
    inputs, outputs = some_data(6)
    constant = np.column_stack([outputs[:, 0], np.full(60, 4.0)])

    both, alone, none = (
        cross_validated([Moments.of(inputs[:30], one[:30]), Moments.of(inputs[30:], one[30:])],
                        PENALTIES)
        for one in (constant, outputs[:, :1], constant[:, 1:])
    )  # fmt: skip

    assert both == pytest.approx(alone)
    assert np.isnan(none).all()
