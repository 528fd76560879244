"""Bits per spike and R², against their definitions written down in numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CPU, same, small_model

from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.training.scores import Scores

T, R, D, N = 6, 8, 3, 5  # small_models.DIMS
SIZES = small_model().sizes


def drawn(trials: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return log-rates, counts and true rates `(trials, R, N)`."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(trials, R, N, generator=generator) * 2 + 0.1
    log_rates = truth.log() + 0.3 * torch.randn(trials, R, N, generator=generator)
    return log_rates, torch.poisson(truth, generator=generator), truth


def read(
    log_rates: torch.Tensor,
    counts: torch.Tensor,
    truth: torch.Tensor | None = None,
    sizes: Sizes = SIZES,
    splits: list[int] | None = None,
) -> dict[str, float]:
    scores = Scores(sizes, CPU)
    splits = splits or [len(counts)]
    truths = [None] * len(splits) if truth is None else truth.split(splits)
    for batch in zip(log_rates.split(splits), counts.split(splits), truths, strict=True):
        scores.add(*batch)
    return scores.read()


def bits_per_spike(log_rates: np.ndarray, counts: np.ndarray) -> float:
    """By the definition, with log(count!) and all: it must cancel."""

    def nll(log_rate: float, count: int) -> float:
        return math.exp(log_rate) - count * log_rate + math.lgamma(count + 1)

    model = null = 0.0
    for channel in range(counts.shape[2]):
        mean = counts[:, :, channel].mean()
        for log_rate, count in zip(
            log_rates[:, :, channel].ravel(), counts[:, :, channel].ravel(), strict=True
        ):
            model += nll(log_rate, count)
            null += nll(math.log(mean), count) if mean > 0 else 0.0
    return float((null - model) / counts.sum() / math.log(2))


def test_bits_per_spike_are_those_of_their_own_channels_and_steps() -> None:
    log_rates, counts, _ = drawn(trials=7, seed=1)
    scores = read(log_rates, counts)
    rates, spikes = log_rates.double().numpy(), counts.double().numpy()
    parts = {
        "bps": (slice(0, T), slice(0, D)),
        "co_bps": (slice(0, T), slice(D, N)),
        "fp_bps": (slice(T, R), slice(0, N)),
    }
    for name, (steps, channels) in parts.items():
        expected = bits_per_spike(rates[:, steps, channels], spikes[:, steps, channels])
        assert scores[name] == pytest.approx(expected, rel=1e-5, abs=1e-6), name
    assert len({round(scores[name], 6) for name in parts}) == 3


def test_each_channel_s_own_mean_rate_scores_nothing() -> None:
    _, counts, _ = drawn(trials=7, seed=2)
    means = torch.cat(
        [part.mean(dim=(0, 1)).expand(7, part.shape[1], N) for part in counts.split([T, R - T], 1)],
        dim=1,
    )
    scores = read(means.log(), counts)
    for name in ("bps", "co_bps", "fp_bps"):
        assert scores[name] == pytest.approx(0, abs=1e-6)


def test_a_silent_channel_costs_what_the_model_expects_of_it() -> None:
    log_rates, counts, _ = drawn(trials=4, seed=3)
    counts[:, :, 1] = 0
    expected = bits_per_spike(log_rates[:, :T, :D].numpy(), counts[:, :T, :D].numpy())
    assert read(log_rates, counts)["bps"] == pytest.approx(expected, rel=1e-5)


def test_no_spike_at_all_is_no_score() -> None:
    log_rates, counts, _ = drawn(trials=4, seed=3)
    counts[:, T:] = 0
    counts[:, :, D:] = 0
    scores = read(log_rates, counts)
    assert [name for name, value in scores.items() if math.isnan(value)] == [
        *("co_bps", "fp_bps", "r2")
    ]


@pytest.mark.parametrize(
    ("case", "absent"),
    [
        ({"recon_data_dim": D}, {"co_bps"}),
        ({"recon_seq_len": T}, {"fp_bps"}),
        ({"recon_data_dim": D, "recon_seq_len": T}, {"co_bps", "fp_bps"}),
    ],
)
def test_what_is_not_held_out_has_no_score(case: dict[str, Any], absent: set[str]) -> None:
    sizes = small_model(**case).sizes
    parts = [values[:, : sizes.recon_seq_len, : sizes.channels] for values in drawn(4, seed=4)]
    scores = read(*parts, sizes=sizes)
    assert {name for name, value in scores.items() if math.isnan(value)} == absent


def test_without_truth_there_is_no_r2() -> None:
    log_rates, counts, _ = drawn(4, seed=5)
    assert math.isnan(read(log_rates, counts)["r2"])


def test_nothing_added_is_no_score() -> None:
    assert all(math.isnan(value) for value in Scores(SIZES, CPU).read().values())


def test_r2_is_pooled_around_each_channel_s_mean() -> None:
    log_rates, counts, truth = drawn(trials=6, seed=6)
    truth = truth * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])  # the means of channels differ
    exact, rates = truth.double().numpy(), np.exp(log_rates.double().numpy())
    error = ((rates - exact) ** 2).sum()
    spread = ((exact - exact.mean(axis=(0, 1), keepdims=True)) ** 2).sum()
    assert read(log_rates, counts, truth)["r2"] == pytest.approx(1 - error / spread, rel=1e-5)


def test_true_rates_have_an_r2_of_one() -> None:
    _, counts, truth = drawn(trials=6, seed=7)
    assert read(truth.log(), counts, truth)["r2"] == pytest.approx(1, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(splits=st.lists(st.integers(1, 4), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_how_trials_are_split_into_batches_does_not_matter(splits: list[int], seed: int) -> None:
    values = drawn(sum(splits), seed)
    whole, parts = read(*values), read(*values, splits=splits)
    assert parts == pytest.approx(whole, rel=1e-5, abs=1e-6, nan_ok=True)


def test_sums_saved_in_mid_epoch_go_on_exactly() -> None:
    first, second = drawn(3, seed=8), drawn(2, seed=9)
    straight, before, after = (Scores(SIZES, CPU) for _ in range(3))
    straight.add(*first)
    straight.add(*second)
    before.add(*first)
    after.restore([value.clone() for value in before.state()])
    after.add(*second)
    assert same(after.read(), straight.read())
