"""Scores of the rates in the results, against the same scores worked out with SciPy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import poisson
from small_models import DIMS, small_data, small_model

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.results.quality import Quality
from autolfads_trainer.results.sampling import in_parts, joined

SIZES = small_model().sizes
T, D = DIMS["encod_seq_len"], DIMS["encod_data_dim"]
PARTS = {
    "bps": np.s_[:, :T, :D],
    "co_bps": np.s_[:, :T, D:],
    "fp_bps": np.s_[:, T:, :],
}


@pytest.fixture(scope="module")
def data() -> Split:
    return small_data().valid


def quality(data: Split, rates: object, sizes=SIZES, *, counts: bool = True) -> dict[str, float]:
    """Score rates, two trials at a time."""
    found, rates = Quality(sizes, data, counts=counts), np.asarray(rates, np.float32)
    for start in range(0, data.trials, 2):
        part = slice(start, min(start + 2, data.trials))
        found.add(part, {"output_params": rates[part]})
    return found.read()


def bits_per_spike(rates: np.ndarray, counts: np.ndarray) -> float:
    means = np.broadcast_to(counts.mean(axis=(0, 1)), counts.shape)
    gain = poisson.logpmf(counts, rates).sum() - poisson.logpmf(counts, means).sum()
    return float(gain / counts.sum() / math.log(2))


@pytest.mark.parametrize("part", PARTS)
def test_bits_per_spike_are_those_of_the_poisson_likelihood(part, data):
    rates = np.random.default_rng(1).gamma(2, 0.5, data.recon.shape)

    found = quality(data, rates)[part]

    where = PARTS[part]
    assert found == pytest.approx(bits_per_spike(rates[where], data.recon.numpy()[where]), rel=1e-4)


@pytest.mark.parametrize("part", PARTS)
def test_each_channels_mean_rate_is_worth_nothing(part, data):
    rates = np.ones(data.recon.shape)
    where = PARTS[part]
    rates[where] = data.recon.numpy()[where].mean(axis=(0, 1))

    assert quality(data, rates)[part] == pytest.approx(0, abs=1e-5)


def test_the_true_rates_have_an_r2_of_one(data):
    assert quality(data, data.truth)["r2"] == pytest.approx(1)


def test_r2_is_pooled_over_channels_around_each_ones_mean(data):
    truth = data.truth.numpy()
    rates = truth * np.random.default_rng(2).uniform(0.7, 1.3, truth.shape)
    spread = ((truth - truth.mean(axis=(0, 1))) ** 2).sum()

    expected = 1 - ((rates - truth) ** 2).sum() / spread

    assert quality(data, rates)["r2"] == pytest.approx(expected, rel=1e-4)


def test_what_cannot_be_scored_is_nan(data):
    # No truth, no held-out channel, no forecast.
    model = small_model(recon_data_dim=D, recon_seq_len=T)
    bare = Split(data.encod, data.encod, data.ext_input, None)

    scores = quality(bare, np.ones(bare.recon.shape), model.sizes)

    assert math.isfinite(scores["bps"])
    assert all(math.isnan(scores[name]) for name in ("co_bps", "fp_bps", "r2"))


def test_no_spikes_at_all_cannot_be_scored(data):
    silent = replace(data, recon=torch.zeros_like(data.recon))

    scores = quality(silent, np.ones(data.recon.shape))

    assert all(math.isnan(scores[part]) for part in PARTS)


def test_a_rate_of_zero_at_a_spike_costs_much_and_not_everything(data):
    rates = np.ones(data.recon.shape)
    trial, step, channel = np.argwhere(data.recon.numpy()[:, :T, :D] > 0)[0]
    before = quality(data, rates)["bps"]
    rates[trial, step, channel] = 0

    after = quality(data, rates)["bps"]

    assert math.isfinite(after)
    assert after < before - 0.1


def test_sampled_rates_are_scored_as_they_are_written(data):
    outputs = joined(in_parts(small_model(), data, samples=3, batch_size=2, seed=0))

    scores = quality(data, outputs["output_params"])

    where = PARTS["co_bps"]
    expected = bits_per_spike(outputs["output_params"][where], data.recon.numpy()[where])
    assert scores["co_bps"] == pytest.approx(expected, rel=1e-4)
    assert set(scores) == {"bps", "co_bps", "fp_bps", "r2"}


def test_of_what_are_no_counts_the_truth_alone_is_scored():
    data = small_data().valid
    truth = data.truth - 2  # below zero, too
    scores = quality(replace(data, truth=truth), truth, counts=False)
    assert scores["r2"] == pytest.approx(1)
    assert all(math.isnan(scores[name]) for name in ("bps", "co_bps", "fp_bps"))
