"""Dropout by numbers that were drawn beforehand."""

from __future__ import annotations

import pytest
import torch
from small_models import draw_levels, draw_noise, numbers, of_64_bits, small_model

from autolfads_trainer.model.noise import LEVELS, dropout


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.75])
def test_elements_below_the_rate_are_zero_and_the_others_keep_the_mean(rate: float) -> None:
    held = draw_levels(0, 200, 300)
    drawn = numbers(held)
    dropped = dropout(torch.full_like(drawn, 3.0), held, torch.tensor(rate, dtype=torch.float64))
    assert torch.equal(dropped == 0, drawn < rate)
    kept = dropped[drawn >= rate]
    assert torch.allclose(kept, torch.tensor(3.0 / (1 - rate), dtype=torch.float64))
    assert float(dropped.mean()) == pytest.approx(3.0, rel=0.02)


def test_a_rate_of_zero_drops_nothing_not_even_at_a_drawn_zero() -> None:
    values = torch.tensor([1.0, 2.0])
    least = torch.full((2,), -LEVELS // 2, dtype=torch.int16)
    assert torch.equal(dropout(values, least, torch.tensor(0.0)), values)


def test_without_numbers_or_without_a_rate_nothing_is_dropped() -> None:
    values = torch.tensor([1.0, 2.0])
    assert torch.equal(dropout(values, None, torch.tensor(0.9)), values)
    assert torch.equal(dropout(values, draw_levels(0, 2), None), values)


def test_numbers_for_dropout_are_uniform_and_those_for_samples_normal() -> None:
    sizes = small_model(ext_input_dim=2).sizes
    noise = draw_noise(sizes, 2000)
    for name in ("encoder", "initial_condition", "generator_start", "ext_input", "controller"):
        values = numbers(getattr(noise, name))
        assert 0 <= values.min() < 0.01, name
        assert 0.99 < values.max() < 1, name
        assert float(values.mean()) == pytest.approx(0.5, abs=0.02), name
    for values in (noise.ic_sample, noise.co_sample):
        assert float(values.mean()) == pytest.approx(0.0, abs=0.05)
        assert float(values.std()) == pytest.approx(1.0, abs=0.05)


def test_no_two_parts_of_the_noise_share_their_numbers() -> None:
    sizes = small_model(ext_input_dim=2).sizes
    noise = draw_noise(sizes, 3)
    found = torch.cat([of_64_bits(value) for value in vars(noise).values()])
    assert len(found.unique()) == len(found) > 50


@pytest.mark.parametrize("rate", [0.3, 1 / 3, 2**-17, 1 - 2**-17])
def test_as_many_are_dropped_as_the_rate_says(rate: float) -> None:
    """To one in 65,536: of every number that can be drawn."""
    every = torch.arange(-LEVELS // 2, LEVELS // 2).to(torch.int16)
    dropped = dropout(torch.ones(LEVELS), every, torch.tensor(rate)) == 0
    assert float(dropped.double().mean()) == pytest.approx(rate, abs=1 / LEVELS)
    assert not dropped.all()
