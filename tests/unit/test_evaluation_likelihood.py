"""Bits per spike and R² to the truth, against SciPy and against what they must be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from evaluation_files import NAME, D, T, bits, contents, write
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autolfads_trainer.evaluation import likelihood
from autolfads_trainer.evaluation.evaluate import evaluate_file
from autolfads_trainer.evaluation.likelihood import are_counts, bits_per_spike, pooled_r2
from autolfads_trainer.evaluation.values import Evaluation

PARTS = {"bps": np.s_[:, :T, :D], "co_bps": np.s_[:, :T, D:], "fp_bps": np.s_[:, T:, :]}


def evaluated(folder: Path, held: dict) -> Evaluation:
    return evaluate_file(write(folder / NAME, held))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("split", ["train", "valid"])
def test_bits_per_spike_are_those_of_the_poisson_likelihood(tmp_path, split, part):
    held = contents()
    held[f"{split}_output_params"] = np.random.default_rng(1).gamma(
        2, 0.5, held[f"{split}_recon_data"].shape
    )

    found = getattr(evaluated(tmp_path, held).splits[split], part)

    where = PARTS[part]
    expected = bits(held[f"{split}_output_params"][where], held[f"{split}_recon_data"][where])
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("part", PARTS)
def test_each_channels_mean_is_worth_nothing(tmp_path, part):
    held = contents()
    where = PARTS[part]
    counts = held["valid_recon_data"]
    held["valid_output_params"][where] = counts[where].mean(axis=(0, 1))

    assert getattr(evaluated(tmp_path, held).splits["valid"], part) == pytest.approx(0, abs=1e-6)


def test_missing_data_are_not_scored_and_not_in_the_mean(tmp_path):
    held = contents()
    counts = held["valid_recon_data"]
    counts[np.random.default_rng(3).random(counts.shape) < 0.3] = np.nan

    scores = evaluated(tmp_path, held).splits["valid"]

    for part, where in PARTS.items():
        expected = bits(held["valid_output_params"][where], counts[where])
        assert getattr(scores, part) == pytest.approx(expected, rel=1e-5)


def test_without_held_out_channels_and_forecast_there_is_one_score(tmp_path):
    held = {name: array[:, :T, :D] for name, array in contents().items()}

    scores = evaluated(tmp_path, held).splits["valid"]

    assert math.isfinite(scores.bps)
    assert math.isnan(scores.co_bps)
    assert math.isnan(scores.fp_bps)


def test_many_trials_are_scored_as_few_at_a_time_are(monkeypatch):
    held = contents()
    rates, counts = held["train_output_params"] * 1.3, held["train_recon_data"]
    at_once = bits_per_spike(rates, counts), pooled_r2(rates, counts)

    monkeypatch.setattr(likelihood, "_AT_ONCE", 1)

    assert (bits_per_spike(rates, counts), pooled_r2(rates, counts)) == pytest.approx(at_once)


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_trials_does_not_matter(order):
    held = contents()
    rates, counts = held["valid_output_params"], held["valid_recon_data"]

    assert bits_per_spike(rates[order], counts[order]) == pytest.approx(
        bits_per_spike(rates, counts), rel=1e-9
    )
    assert pooled_r2(rates[order], counts[order]) == pytest.approx(pooled_r2(rates, counts))


@settings(deadline=None)
@given(
    arrays.arrays(np.float32, (3, 4, 2), elements=st.integers(0, 5)),
    arrays.arrays(np.float32, (3, 4, 2), elements=st.floats(0.125, 8, width=32)),
)
def test_no_rates_score_better_than_the_counts_themselves(counts, rates):
    if counts.any():
        assert bits_per_spike(rates, counts) <= bits_per_spike(counts, counts) + 1e-9
    else:
        assert math.isnan(bits_per_spike(rates, counts))


def test_a_rate_of_zero_at_a_spike_costs_much_and_not_everything():
    held = contents()
    rates, counts = held["valid_output_params"], held["valid_recon_data"]
    before = bits_per_spike(rates, counts)
    rates[tuple(np.argwhere(counts > 0)[0])] = 0

    assert math.isfinite(bits_per_spike(rates, counts))
    assert bits_per_spike(rates, counts) < before - 0.01


@pytest.mark.parametrize(
    ("value", "counts"), [(2.0, True), (np.nan, True), (0.5, False), (-1.0, False)]
)
def test_counts_are_whole_numbers_of_zero_or_more(value, counts):
    values = np.zeros((2, 3, 1), np.float32)
    values[1, 2, 0] = value

    assert are_counts(values) is counts


def test_what_are_no_counts_have_no_bits_per_spike_and_that_is_said(tmp_path):
    held = contents()
    held["valid_recon_data"] = held["valid_recon_data"] + np.float32(0.5)

    found = evaluated(tmp_path, held)

    assert all(math.isnan(getattr(found.splits["valid"], part)) for part in PARTS)
    assert math.isfinite(found.splits["train"].bps)
    assert found.notes == ("valid: no bits per spike: data are no counts",)


def test_rates_below_zero_have_no_bits_per_spike_and_that_is_said(tmp_path):
    held = contents()
    held["train_output_params"][0, 0, 0] = -0.1

    found = evaluated(tmp_path, held)

    assert math.isnan(found.splits["train"].bps)
    assert found.notes == ("train: no bits per spike: rates are below 0",)


def test_r2_to_the_truth_is_pooled_over_channels_around_each_ones_mean(tmp_path):
    held = contents()
    truth = held["valid_output_params"] * np.random.default_rng(2).uniform(
        0.7, 1.3, held["valid_output_params"].shape
    )
    held |= {"valid_truth": 50 * truth, "conversion_factor": 50.0}

    found = evaluated(tmp_path, held).splits

    spread = ((truth - truth.mean(axis=(0, 1))) ** 2).sum()
    expected = 1 - ((held["valid_output_params"] - truth) ** 2).sum() / spread
    assert found["valid"].r2 == pytest.approx(expected, rel=1e-5)
    assert math.isnan(found["train"].r2)


def test_true_rates_have_an_r2_of_one_and_means_one_of_zero(tmp_path):
    held = contents()
    held |= {"conversion_factor": 1.0}
    for split in ("train", "valid"):
        held[f"{split}_truth"] = held[f"{split}_output_params"].copy()
    mean = held["valid_truth"].mean(axis=(0, 1))
    held["valid_output_params"] = np.broadcast_to(mean, held["valid_truth"].shape)

    found = evaluated(tmp_path, held).splits

    assert found["train"].r2 == pytest.approx(1)
    assert found["valid"].r2 == pytest.approx(0, abs=1e-5)


def test_a_test_split_without_data_has_what_can_be_computed(tmp_path):
    held = contents({"train": 6, "valid": 4, "test": 5})
    truth = held["test_output_params"].copy()
    del held["test_recon_data"]
    held |= {"test_truth": truth, "conversion_factor": 1.0}

    found = evaluated(tmp_path, held).splits

    assert tuple(found) == ("train", "valid", "test")
    assert found["test"].r2 == pytest.approx(1)
    assert math.isnan(found["test"].bps)
