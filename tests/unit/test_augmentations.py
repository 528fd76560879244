"""Augmentations: what may change, what may not, and where gradients flow."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, norm
from small_models import (
    CD,
    CPU,
    OTHERS,
    configuration,
    data_for,
    draw_levels,
    model_settings,
    small_member,
    stack,
)
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.sizes import SessionSizes, Sizes
from autolfads_trainer.training.augmentations.base import Effect, heldout_sum, mean_of
from autolfads_trainer.training.augmentations.jitter import SpikeJitter, TemporalShift
from autolfads_trainer.training.augmentations.missing import SelectiveBackpropThruTime
from autolfads_trainer.training.augmentations.sample_validation import SampleValidation
from autolfads_trainer.training.augmentations.stack import AugmentationStack, stack_of
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.userinput import InputError

T, R, B, D, N = 7, 9, 4, 3, 5
SIZES = Sizes.of(
    model_settings(encod_data_dim=D, encod_seq_len=T, recon_seq_len=R, recon_data_dim=N)
)
HP = Hyperparameters(model_settings(), CPU)


def counts(seed: int, *shape: int, rate: float = 0.8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.poisson(torch.full(shape, rate), generator=generator)


def batch_of(seed: int, **more: Any) -> Series:
    recon = counts(seed, R, B, N)
    return Series(recon[:T, :, :D].clone(), recon, torch.zeros(T, B, 0), **more)


def drawn_for(augmentation: Any, seed: int) -> list[Tensor]:
    shapes = augmentation.shapes(SIZES, SessionSizes(D, N), B)
    return [draw_levels(seed + number, *shape) for number, shape in enumerate(shapes)]


seeds = st.integers(0, 10_000)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, width=st.integers(0, 4))
def test_jitter_moves_every_spike_a_little_and_loses_none(seed: int, width: int) -> None:
    batch = batch_of(seed)
    jitter = SpikeJitter(width, int(batch.recon.max()))
    changed, effect = jitter(batch, drawn_for(jitter, seed), HP)
    assert effect == Effect()
    for before, after in ((batch.encod, changed.encod), (batch.recon, changed.recon)):
        assert torch.equal(after.sum(dim=0), before.sum(dim=0))  # of each trial and channel
        assert torch.equal(after, after.round())
        # No spike is further away than the width: what is counted up to a step stays between what
        # was counted so many steps earlier and later. Reflection only shortens a way.
        steps = len(before)
        total, earlier = before.cumsum(dim=0), after.cumsum(dim=0)
        for step in range(steps):
            low = total[step - width] if step >= width else torch.zeros_like(total[0])
            high = total[min(step + width, steps - 1)]
            assert torch.all((low <= earlier[step]) & (earlier[step] <= high))
    assert torch.equal(batch.recon[:T, :, :D], batch.encod)  # the batch itself is as it was
    if width == 0:
        assert torch.equal(changed.recon, batch.recon)


def test_jitter_goes_to_each_step_as_often() -> None:
    jitter = SpikeJitter(2, 1)
    spike = torch.zeros(11, 6000, 1)
    spike[5] = 1
    sizes = replace(SIZES, encod_seq_len=11, recon_seq_len=11)
    shapes = jitter.shapes(sizes, SessionSizes(1, 1), 6000)
    drawn = [draw_levels(number, *shape) for number, shape in enumerate(shapes)]
    changed, _ = jitter(Series(spike, spike, torch.zeros(11, 6000, 0)), drawn, HP)
    for found in (changed.encod, changed.recon):
        where = found.sum(dim=(1, 2))
        assert where[:3].sum() == where[8:].sum() == 0
        assert chisquare(where[3:8].numpy()).pvalue > 1e-3
    assert not torch.equal(changed.encod, changed.recon)  # each moves by itself


def test_at_the_edges_spikes_are_reflected() -> None:
    jitter = SpikeJitter(2, 1)
    spike = torch.zeros(6, 3000, 1)
    spike[0] = 1
    drawn = [draw_levels(1, 1, 6, 3000, 1)] * 2
    changed, _ = jitter(Series(spike, spike.flip(0), torch.zeros(6, 3000, 0)), drawn, HP)
    there = changed.encod.sum(dim=(1, 2)) / 3000  # by −2 and 2 to step 2, by −1 and 1 to step 1
    assert there[:3].tolist() == pytest.approx([0.2, 0.4, 0.4], abs=0.04)
    there = changed.recon.sum(dim=(1, 2)) / 3000
    assert there[3:].tolist() == pytest.approx([0.4, 0.4, 0.2], abs=0.04)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, std=st.floats(0, 6), most=st.integers(0, 5))
def test_a_shift_moves_whole_channels_and_repeats_the_outermost_values(
    seed: int, std: float, most: int
) -> None:
    batch, shift = batch_of(seed), TemporalShift(std, most)
    changed, effect = shift(batch, drawn_for(shift, seed), HP)
    assert effect == Effect()
    for before, after in ((batch.encod, changed.encod), (batch.recon, changed.recon)):
        steps = len(before)
        for trial in range(B):
            for channel in range(before.shape[2]):
                was, now = before[:, trial, channel].numpy(), after[:, trial, channel].numpy()
                moved = [
                    was[np.clip(np.arange(steps) - by, 0, steps - 1)]
                    for by in range(-most, most + 1)
                ]
                assert any((now == one).all() for one in moved)


def test_shifts_are_those_of_a_rounded_and_limited_normal_distribution() -> None:
    shift = TemporalShift(std=1.5, max_shift=2)
    found = shift._shifts(draw_levels(3, 1, 100, 300)).flatten().tolist()
    told = Counter(found)
    edges = norm.cdf(np.array([-np.inf, -1.5, -0.5, 0.5, 1.5, np.inf]) / 1.5)
    expected = np.diff(edges) * len(found)
    observed = [told[by] for by in range(-2, 3)]
    assert sum(observed) == len(found)
    assert chisquare(observed, expected).pvalue > 1e-3


def test_what_is_missing_is_shifted_with_what_is_there() -> None:
    observed = (counts(9, R, B, N) > 0).float()
    batch, shift = batch_of(9, observed=observed), TemporalShift(3, 6)
    drawn = drawn_for(shift, 2)
    changed, _ = shift(batch, drawn, HP)
    as_data, _ = shift(replace(batch, recon=observed), drawn, HP)
    assert changed.observed is not None
    assert torch.equal(changed.observed, as_data.recon)
    assert not torch.equal(changed.observed, observed)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, rate=st.floats(0.05, 0.9), start=st.integers(0, 3))
def test_sample_validation_hides_its_elements_and_trains_on_the_others(
    seed: int, rate: float, start: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(T, B, D, generator=generator) >= rate).float()
    batch = batch_of(seed, sv_mask=mask)
    changed, effect = SampleValidation(rate, start)(batch, [], HP)
    inside = mask.clone()
    inside[:start] = 1  # the initial condition's own steps are not touched
    assert torch.equal(changed.encod == 0, (inside == 0) | (batch.encod == 0))
    kept = inside[start:] > 0
    shown, was = changed.encod[start:][kept], batch.encod[start:][kept]
    assert torch.allclose(shown, was / (1 - rate))
    assert torch.equal(changed.encod[:start], batch.encod[:start])
    losses = torch.rand(R, B, N, generator=generator, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(mean_of(losses, effect), losses)
    assert torch.equal(gradient[:T, :, :D] == 0, inside == 0)
    assert torch.all(gradient[T:] == 1 / losses.numel())
    assert torch.all(gradient[:, :, D:] == 1 / losses.numel())
    held = losses.detach()[:T, :, :D][inside == 0]
    total, count = heldout_sum(losses, effect)
    assert torch.allclose(total, held.sum())
    assert int(count) == held.numel()
    assert not total.requires_grad


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_of_missing_data_only_what_is_there_counts_and_is_averaged(seed: int) -> None:
    observed = (torch.rand(R, B, N, generator=torch.Generator().manual_seed(seed)) > 0.4).float()
    batch = batch_of(seed, observed=observed)
    same, effect = SelectiveBackpropThruTime()(batch, [], HP)
    assert same is batch
    losses = counts(seed + 1, R, B, N).double().requires_grad_()
    found = mean_of(losses, effect)
    assert torch.allclose(found, losses[observed > 0].mean())
    (gradient,) = torch.autograd.grad(found, losses)
    assert torch.equal(gradient > 0, observed > 0)


def test_without_anything_missing_it_changes_nothing() -> None:
    _, effect = SelectiveBackpropThruTime()(batch_of(1), [], HP)
    assert effect == Effect()


def test_a_member_learns_of_gaps_what_it_learns_where_their_loss_is_removed() -> None:
    """Of the full data, with the loss of some elements taken out by hand: the same gradient."""
    settings_ = OTHERS["missing data"] | {
        "train_aug_stack": stack({"_target_": "SelectiveBackpropThruTime"})
    }
    data = data_for(settings_)
    member = small_member(data=data, dropout_rate=0.2, **settings_)
    draws = member.drawer.draw()
    loss = member.way.training_loss(member.model, member.train_stack, draws, member.hp)
    trained = [p for p in member.model.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss.total, trained)

    train = data.train.take(draws.trials[0])
    assert train.observed is not None
    full = torch.where(train.observed > 0, train.recon, train.recon + 3)  # whatever is there
    output = member.model(
        train.encod, train.ext_input, noise=draws.noise, dropout_rate=torch.tensor(0.2), sample=True
    )
    elements = member.model.reconstruction.compute_loss(full, output.output_params)
    recon = elements[train.observed > 0].mean()
    scale = float(member.model.configuration["loss_scale"])
    rest = loss.total - scale * loss.parts["recon"]  # penalties and divergences are as they were
    whole = torch.autograd.grad(scale * recon, trained, retain_graph=True, materialize_grads=True)
    assert float(loss.parts["recon"]) == pytest.approx(float(recon.detach()), rel=1e-5)
    member2 = small_member(data=data, dropout_rate=0.2, **settings_)
    for name in ("kl_ic_scale", "kl_co_scale"):
        member2.hp.values[name].zero_()
    alone = member2.way.training_loss(member2.model, member2.train_stack, draws, member2.hp)
    trained2 = [p for p in member2.model.parameters() if p.requires_grad]
    found = torch.autograd.grad(alone.total, trained2, materialize_grads=True)
    biggest = max(float(each.abs().max()) for each in whole)
    for ours, theirs in zip(found, whole, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-5 * biggest)
    assert rest.isfinite()


def test_a_stack_goes_by_its_orders() -> None:
    batch = batch_of(3, sv_mask=(counts(4, T, B, D) > 0).float())
    parts = [TemporalShift(3, 4), SampleValidation(0.3, 0)]
    session, drawn = SessionSizes(D, N), drawn_for(parts[0], 5)
    first, _ = AugmentationStack(parts, [0, 1], [1])(SIZES, session, batch, drawn, HP)
    last, _ = AugmentationStack(parts, [1, 0], [1])(SIZES, session, batch, drawn, HP)
    shifted, _ = parts[0](batch, drawn, HP)
    by_hand, effect = parts[1](shifted, [], HP)
    assert torch.equal(first.encod, by_hand.encod)
    assert not torch.equal(first.encod, last.encod)
    same, found = AugmentationStack(parts, [], [1])(SIZES, session, batch, [], HP)
    assert torch.equal(same.encod, batch.encod)
    assert found.weights is not None
    assert effect.weights is not None
    assert torch.equal(found.weights, effect.weights)
    assert AugmentationStack(parts, [0], [])(SIZES, session, batch, drawn, HP)[1] == Effect()


def test_a_stack_is_made_of_what_the_configuration_names() -> None:
    shift = {"_target_": "TemporalShift", "std": 2, "max_shift": 3}
    section = model_settings(train_aug_stack=stack(shift, {"_target_": "SpikeJitter"}, CD))
    made = stack_of(section["train_aug_stack"], most_spikes=7)
    assert [type(one).__name__ for one in made.transforms] == [
        *("TemporalShift", "SpikeJitter", "CoordinatedDropout")
    ]
    first, second = made.transforms[:2]
    assert isinstance(first, TemporalShift)
    assert (first.std, first.max_shift) == (2, 3)
    assert isinstance(second, SpikeJitter)
    assert (second.width, second.most) == (2, 7)


@pytest.mark.parametrize("first", ["CoordinatedDropout", "SampleValidation"])
@pytest.mark.parametrize("moving", ["SpikeJitter", "TemporalShift"])
def test_what_moves_data_comes_before_what_knows_their_places(first: str, moving: str) -> None:
    parts = {"CoordinatedDropout": CD, "SampleValidation": {"_target_": "SampleValidation"}}
    order = stack(parts[first], {"_target_": moving})
    infer = stack(parts[first]) if first == "SampleValidation" else stack()
    with pytest.raises(InputError, match=f"{moving} moves data, and comes after {first}"):
        configuration(train_aug_stack=order, infer_aug_stack=infer, datamodule={"sv_rate": 0.3})


def test_jitter_stays_within_the_trial() -> None:
    wide = stack({"_target_": "SpikeJitter", "width": 6})
    with pytest.raises(InputError, match="found a width of 6; expected less than the 6 time"):
        configuration(train_aug_stack=wide)


def test_the_loss_of_what_is_held_out_does_not_depend_on_the_batches() -> None:
    settings_ = OTHERS["two sessions and all of them"]
    member = small_member(data=data_for(settings_), **settings_)
    found = []
    for size in (1, 3, 99):
        member.batch_size = size
        found.append(member.validated())
    assert found[0]["recon/sv"] > 0
    assert found[0] == pytest.approx(found[2], rel=1e-4, nan_ok=True)
    assert found[1] == pytest.approx(found[2], rel=1e-4, nan_ok=True)
