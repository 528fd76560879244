"""Coordinated dropout: gradients come only from what the input lacked."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CPU, draw_levels, model_settings, numbers

from autolfads_trainer.engine.series import Series
from autolfads_trainer.training.augmentations.base import mean_of
from autolfads_trainer.training.augmentations.coordinated_dropout import CoordinatedDropout
from autolfads_trainer.training.hyperparameters import Hyperparameters

B, T, D, R, N = 4, 6, 3, 8, 5


def uniform(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def at_rates(rate: float, pass_rate: float) -> Hyperparameters:
    hp = Hyperparameters(model_settings(), CPU)
    for name, value in (("cd_rate", rate), ("cd_pass_rate", pass_rate)):
        hp.values[name] = torch.tensor(value, dtype=torch.float64)
    return hp


def dropped(
    encod: torch.Tensor, rate: float, pass_rate: float, split: int, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what is left of `encod (T, B, D)`, what stays of it, and where gradients flow."""
    steps, trials, channels = encod.shape
    drawn = [draw_levels(seed + more, steps - split, trials, channels) for more in (2, 3)]
    batch = Series(encod.clone(), torch.ones(R, trials, N), torch.zeros(steps, trials, 0))
    changed, effect = CoordinatedDropout(split)(batch, drawn, at_rates(rate, pass_rate))
    assert effect.flows is not None
    assert effect.only_flows
    whole = torch.ones(split, trials, channels, dtype=torch.bool)
    return changed.encod, torch.cat([whole, numbers(drawn[0]) >= rate]), effect.flows > 0


def flowing(
    rate: float, pass_rate: float, split: int = 0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, float, float]:
    """Return which log-rates get a gradient, which inputs were kept, the loss before and after."""
    log_rates = uniform(seed + 1, R, B, N).requires_grad_()
    encod = torch.ones(T, B, D, dtype=torch.float64)
    _, kept, _ = dropped(encod, rate, pass_rate, split, seed)
    drawn = [draw_levels(seed + more, T - split, B, D) for more in (2, 3)]
    batch = Series(encod.clone(), torch.ones(R, B, N), torch.zeros(T, B, 0))
    _, effect = CoordinatedDropout(split)(batch, drawn, at_rates(rate, pass_rate))
    loss = torch.exp(log_rates)
    found = mean_of(loss, effect)
    (gradient,) = torch.autograd.grad(found, log_rates)
    whole = loss.detach() / loss.numel()
    # What flows is the whole gradient, not a part of it.
    assert torch.all((gradient == 0) | torch.isclose(gradient, whole, rtol=1e-12))
    return gradient != 0, kept, float(loss.detach().mean()), float(found.detach())


rates = st.floats(0, 0.95)


@settings(max_examples=40, deadline=None)
@given(rate=rates, pass_rate=rates, split=st.integers(0, T - 1), seed=st.integers(0, 50))
def test_the_value_of_the_loss_is_unchanged(
    rate: float, pass_rate: float, split: int, seed: int
) -> None:
    _, _, before, after = flowing(rate, pass_rate, split, seed)
    assert before == after


@settings(max_examples=40, deadline=None)
@given(rate=rates, pass_rate=rates, split=st.integers(0, T - 1), seed=st.integers(0, 50))
def test_held_out_channels_and_steps_to_forecast_always_count(
    rate: float, pass_rate: float, split: int, seed: int
) -> None:
    flows, *_ = flowing(rate, pass_rate, split, seed)
    assert flows[:, :, D:].all()
    assert flows[T:].all()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_of_what_the_model_was_shown_only_dropped_elements_count(rate: float) -> None:
    flows, kept, *_ = flowing(rate, 0.0)
    assert torch.equal(flows[:T, :, :D], ~kept)
    assert torch.equal(kept, numbers(draw_levels(2, T, B, D)) >= rate)


def test_elements_that_are_passed_count_besides() -> None:
    flows, kept, *_ = flowing(0.4, 0.5)
    passed = numbers(draw_levels(3, T, B, D)) < 0.5
    assert torch.equal(flows[:T, :, :D], ~kept | passed)
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
    encod = uniform(5, T, B, D)
    seen, kept, _ = dropped(encod, 0.5, pass_rate, 2)
    assert torch.equal(seen[:2], encod[:2])
    assert not kept[2:].all()
    assert not flowing(0.5, pass_rate, split=2)[0][:2, :, :D].any()


def test_kept_elements_are_raised_so_that_the_expected_input_is_unchanged() -> None:
    encod = uniform(6, 40, 50, 30)
    seen, kept, _ = dropped(encod, 0.6, 0.0, 0)
    assert torch.equal(seen == 0, ~kept)
    assert torch.allclose(seen[kept], encod[kept] / 0.4)
    assert float(seen.sum() / encod.sum()) == pytest.approx(1, abs=0.02)
