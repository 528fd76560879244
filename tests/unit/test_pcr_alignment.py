"""Principal components regression: sessions of the same dynamics come into one space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_trainer.data.pcr.alignment import (
    align,
    correlation,
    dimensions,
    readout_weight,
    regressed,
)
from autolfads_trainer.data.pcr.smoothing import smoothed

ROWS, LATENTS, CHANNELS = 240, 3, (11, 17, 8)


def latents(seed=0):
    """Slow series of different sizes, `(ROWS, LATENTS)`."""
    walk = np.random.default_rng(seed).standard_normal((ROWS, LATENTS)).cumsum(axis=0)
    return walk / walk.std(axis=0) * np.array([3.0, 2.0, 1.0])


def recorded(noise, seed=0, channels=CHANNELS):
    """Averages of sessions that each see the latents through channels of their own."""
    random = np.random.default_rng(seed + 1)
    return [
        latents(seed) @ random.standard_normal((LATENTS, count))
        + random.uniform(0, 5, count)
        + noise * random.standard_normal((ROWS, count))
        for count in channels
    ]


def r2(inputs, targets):
    """Share of the targets' variance that is linear in the inputs."""
    design = np.column_stack([inputs, np.ones(len(inputs))])
    left = targets - design @ np.linalg.lstsq(design, targets, rcond=None)[0]
    return 1 - (left**2).sum() / ((targets - targets.mean(axis=0)) ** 2).sum()


# --- what alignment is for -----------------------------------------------------------------------


def test_sessions_of_the_same_latents_get_the_same_trajectories_and_those_span_the_latents():
    for noise, least in ((0.3, 0.98), (1.0, 0.92)):
        starts = align(recorded(noise), LATENTS, 0.01)
        for start in starts:
            assert start.trajectories.shape == (ROWS, LATENTS)
            assert r2(start.trajectories, latents()) > 0.95
            for other in starts:
                assert correlation(start.trajectories, other.trajectories) > least


def test_before_alignment_their_components_are_not_alike():
    first, second = recorded(0.3)[:2]
    alone = [align([one], LATENTS, 0.01)[0].trajectories for one in (first, second)]
    together = [start.trajectories for start in align([first, second], LATENTS, 0.01)]
    assert correlation(*together) > correlation(*alone) + 0.02


def test_without_noise_channels_are_reconstructed_exactly():
    for averages, start in zip(recorded(0), align(recorded(0), LATENTS, 0.0), strict=True):
        back = start.trajectories @ readout_weight(start.weight).T + start.mean
        assert back == pytest.approx(averages, abs=1e-9)
        assert start.explained == pytest.approx(1)
        assert start.trajectories == pytest.approx(align(recorded(0), LATENTS, 0)[0].trajectories)


def test_too_few_components_explain_less():
    explained = [
        [start.explained for start in align(recorded(0), count, 0.0)] for count in (1, 2, 3)
    ]
    assert np.all(np.diff(explained, axis=0) > 0.001)
    assert min(explained[0]) > 0.2


# --- the numbers ---------------------------------------------------------------------------------


def test_it_is_an_eigendecomposition_and_normal_equations():
    averages, ridge, count = recorded(0.5), 7.0, 4
    centred = [one - one.mean(axis=0) for one in averages]
    everything = np.hstack(centred)
    # The other way round: eigenvectors of the covariance of channels, and a projection on them.
    values, vectors = np.linalg.eigh(everything.T @ everything)
    shared = everything @ vectors[:, ::-1][:, :count]
    largest = shared[np.abs(shared).argmax(axis=0), np.arange(count)]
    shared *= np.sign(largest)
    for one, start in zip(centred, align(averages, count, ridge), strict=True):
        gram = one.T @ one + ridge * np.eye(one.shape[1])
        assert start.weight == pytest.approx(np.linalg.solve(gram, one.T @ shared), abs=1e-9)
        assert start.trajectories == pytest.approx(one @ start.weight)
        unit = shared / np.sqrt(values[::-1][:count])
        share = ((unit.T @ one) ** 2).sum() / (one**2).sum()
        assert start.explained == pytest.approx(share)
    for one, start in zip(averages, align(averages, count, ridge), strict=True):
        assert start.mean == pytest.approx(one.mean(axis=0))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 10), st.integers(1, 6))
def test_the_order_of_channels_changes_nothing_else(seed, ridge, count):
    averages = recorded(0.5, seed)
    random = np.random.default_rng(seed)
    orders = [random.permutation(one.shape[1]) for one in averages]
    turned = [one[:, order] for one, order in zip(averages, orders, strict=True)]
    pairs = zip(align(averages, count, ridge), align(turned, count, ridge), orders, strict=True)
    for start, moved, order in pairs:
        assert moved.weight == pytest.approx(start.weight[order], abs=1e-7)
        assert moved.mean == pytest.approx(start.mean[order])
        assert moved.trajectories == pytest.approx(start.trajectories, abs=1e-7)


def test_the_order_of_sessions_changes_nothing_else():
    averages = recorded(0.5)
    there, back = align(averages, 4, 0.1), align(averages[::-1], 4, 0.1)[::-1]
    for one, other in zip(there, back, strict=True):
        assert other.weight == pytest.approx(one.weight)


def test_of_one_session_it_is_a_principal_component_analysis():
    averages = recorded(0.5)[0]
    start = align([averages], LATENTS, 0.0)[0]
    # Weights are then the components themselves: unit vectors, and the way back is the same.
    assert start.weight.T @ start.weight == pytest.approx(np.eye(LATENTS), abs=1e-9)
    assert readout_weight(start.weight) == pytest.approx(start.weight)


def test_a_ridge_makes_weights_small():
    sizes = [
        np.linalg.norm(align(recorded(0.5), LATENTS, ridge)[0].weight) for ridge in (0, 10, 1000)
    ]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_silent_channels_and_copies_get_finite_weights():
    averages = recorded(0.5)[0]
    odd = np.column_stack([averages, np.full(ROWS, 2.0), averages[:, 0]])
    start = align([odd], LATENTS, 0.0)[0]
    assert start.weight[-2] == pytest.approx(np.zeros(LATENTS), abs=1e-12)
    assert start.weight[-1] == pytest.approx(start.weight[0])
    assert np.isfinite(readout_weight(start.weight)).all()


def test_regression_without_ridge_is_least_squares_of_the_smallest_size():
    random = np.random.default_rng(3)
    inputs, targets = random.standard_normal((30, 5)), random.standard_normal((30, 2))
    inputs[:, 4] = inputs[:, 3]
    expected = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    assert regressed(inputs, targets, 0.0) == pytest.approx(expected)


def test_dimensions_are_counted_without_the_mean():
    averages = recorded(0)[0]
    assert dimensions(averages) == LATENTS
    assert dimensions(np.full((20, 4), 3.0)) == 0
    assert dimensions(np.random.default_rng(0).standard_normal((5, 9))) == 4


def test_correlation_is_that_of_all_components_as_one_series():
    random = np.random.default_rng(0)
    one, other = random.standard_normal((2, 50, 3))
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert correlation(one, other) == pytest.approx(expected)
    assert correlation(one, -2 * one) == pytest.approx(-1)
    assert correlation(one, np.zeros_like(one)) == 0


def test_what_cannot_be_aligned_is_refused():
    with pytest.raises(ValueError, match="rows; expected the same rows"):
        align([recorded(1)[0], recorded(1)[1][:-1]], 2, 0.0)
    for count in (0, 9):
        with pytest.raises(ValueError, match=f"{count} components; expected 1 to 8"):
            align(recorded(1), count, 0.0)


# --- smoothing -----------------------------------------------------------------------------------


def test_smoothing_is_a_gaussian_that_knows_nothing_beyond_the_ends():
    rates = np.random.default_rng(0).uniform(0, 3, (2, 30, 4))
    steps = np.arange(30)
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / 1.5) ** 2)
    weights[np.abs(steps[:, None] - steps) > 6] = 0  # four standard deviations
    expected = np.einsum("st,ctn->csn", weights / weights.sum(axis=1, keepdims=True), rates)
    assert smoothed(rates, 1.5) == pytest.approx(expected)
    assert smoothed(np.full((1, 9, 1), 0.7), 3.0) == pytest.approx(np.full((1, 9, 1), 0.7))
    assert np.array_equal(smoothed(rates, 0), rates)
