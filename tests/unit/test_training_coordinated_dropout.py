"""Coordinated dropout: gradients come only from what the input lacked."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import draw_levels, numbers

from autolfads_trainer.training.coordinated_dropout import block_gradients, drop_input

B, T, D, R, N = 4, 6, 3, 8, 5


def uniform(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def flowing(
    rate: float, pass_rate: float, split: int = 0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return which log-rates get a gradient, which were kept, the loss before and after."""
    encod = torch.ones(B, T, D, dtype=torch.float64)
    log_rates = uniform(seed + 1, B, R, N).requires_grad_()
    drop, through = (draw_levels(seed + more, B, T - split, D) for more in (2, 3))
    rates = torch.tensor(rate, dtype=torch.float64), torch.tensor(pass_rate, dtype=torch.float64)
    _, kept = drop_input(encod, drop, rates[0], split)
    loss = torch.exp(log_rates)
    found = block_gradients(loss, kept, through, *rates)
    (gradient,) = torch.autograd.grad(found.sum(), log_rates)
    # What flows is the whole gradient, not a part of it.
    assert torch.all((gradient == 0) | (gradient == loss.detach()))
    return gradient != 0, kept, loss.detach(), found.detach()


rates = st.floats(0, 0.95)


@settings(max_examples=40, deadline=None)
@given(rate=rates, pass_rate=rates, split=st.integers(0, T - 1), seed=st.integers(0, 50))
def test_the_value_of_the_loss_is_unchanged(
    rate: float, pass_rate: float, split: int, seed: int
) -> None:
    _, _, before, after = flowing(rate, pass_rate, split, seed)
    assert torch.equal(before, after)


@settings(max_examples=40, deadline=None)
@given(rate=rates, pass_rate=rates, split=st.integers(0, T - 1), seed=st.integers(0, 50))
def test_held_out_channels_and_steps_to_forecast_always_count(
    rate: float, pass_rate: float, split: int, seed: int
) -> None:
    flows, *_ = flowing(rate, pass_rate, split, seed)
    assert flows[:, :, D:].all()
    assert flows[:, T:].all()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_of_what_the_model_was_shown_only_dropped_elements_count(rate: float) -> None:
    flows, kept, *_ = flowing(rate, 0.0)
    assert torch.equal(flows[:, :T, :D], ~kept)
    assert torch.equal(kept, numbers(draw_levels(2, B, T, D)) >= rate)


def test_elements_that_are_passed_count_besides() -> None:
    flows, kept, *_ = flowing(0.4, 0.5)
    passed = numbers(draw_levels(3, B, T, D)) < 0.5
    assert torch.equal(flows[:, :T, :D], ~kept | passed)
    assert (passed & kept).any()


def test_passing_everything_lets_everything_count() -> None:
    flows, *_ = flowing(0.4, 1 - 1e-6)
    assert flows.all()


@pytest.mark.parametrize("pass_rate", [0.0, 0.3])
@pytest.mark.parametrize("split", [0, 2])
def test_a_rate_of_zero_drops_nothing_and_everything_counts(pass_rate: float, split: int) -> None:
    flows, kept, *_ = flowing(0.0, pass_rate, split)
    assert kept.all()
    assert flows.all()


@pytest.mark.parametrize("pass_rate", [0.0, 0.999])
def test_the_initial_condition_s_own_steps_are_shown_whole_and_so_do_not_count(
    pass_rate: float,
) -> None:
    encod = uniform(5, B, T, D)
    seen, kept = drop_input(encod, draw_levels(2, B, T - 2, D), torch.tensor(0.5).double(), 2)
    assert torch.equal(seen[:, :2], encod[:, :2])
    assert kept[:, :2].all()
    assert not kept[:, 2:].all()
    assert not flowing(0.5, pass_rate, split=2)[0][:, :2, :D].any()


def test_kept_elements_are_raised_so_that_the_expected_input_is_unchanged() -> None:
    encod = uniform(6, 50, 40, 30)
    drop = draw_levels(7, 50, 40, 30)
    seen, kept = drop_input(encod, drop, torch.tensor(0.6).double(), 0)
    assert torch.equal(seen == 0, numbers(drop) < 0.6)
    assert torch.allclose(seen[kept], encod[kept] / 0.4)
    assert float(seen.sum() / encod.sum()) == pytest.approx(1, abs=0.02)
