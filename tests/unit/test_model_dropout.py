"""Dropout by numbers that were drawn beforehand."""

from __future__ import annotations

import pytest
import torch
from small_models import small_model

from autolfads_trainer.model.noise import draw_noise, dropout


def uniform(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.75])
def test_elements_below_the_rate_are_zero_and_the_others_keep_the_mean(rate: float) -> None:
    drawn = uniform(200, 300)
    dropped = dropout(torch.full_like(drawn, 3.0), drawn, torch.tensor(rate, dtype=torch.float64))
    assert torch.equal(dropped == 0, drawn < rate)
    kept = dropped[drawn >= rate]
    assert torch.allclose(kept, torch.tensor(3.0 / (1 - rate), dtype=torch.float64))
    assert float(dropped.mean()) == pytest.approx(3.0, rel=0.02)


def test_a_rate_of_zero_drops_nothing_not_even_at_a_drawn_zero() -> None:
    values = torch.tensor([1.0, 2.0])
    assert torch.equal(dropout(values, torch.zeros(2), torch.tensor(0.0)), values)


def test_without_numbers_or_without_a_rate_nothing_is_dropped() -> None:
    values = torch.tensor([1.0, 2.0])
    assert torch.equal(dropout(values, None, torch.tensor(0.9)), values)
    assert torch.equal(dropout(values, torch.zeros(2), None), values)


def test_numbers_for_dropout_are_uniform_and_those_for_samples_normal() -> None:
    sizes = small_model(ext_input_dim=2).sizes
    noise = draw_noise(sizes, 2000, torch.Generator().manual_seed(0))
    for name in ("encoder", "initial_condition", "generator_start", "ext_input", "controller"):
        values = getattr(noise, name)
        assert 0 <= values.min() < 0.01, name
        assert 0.99 < values.max() < 1, name
        assert float(values.mean()) == pytest.approx(0.5, abs=0.02), name
    for values in (noise.ic_sample, noise.co_sample):
        assert float(values.mean()) == pytest.approx(0.0, abs=0.05)
        assert float(values.std()) == pytest.approx(1.0, abs=0.05)


def test_no_two_parts_of_the_noise_share_their_numbers() -> None:
    sizes = small_model(ext_input_dim=2).sizes
    noise = draw_noise(sizes, 3, torch.Generator().manual_seed(0))
    numbers = torch.cat([value.flatten() for value in vars(noise).values()])
    assert len(numbers.unique()) == len(numbers)
