"""Where a member's random numbers come from, and that they come from nowhere else."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import (
    BATCH,
    CPU,
    TRAIN_TRIALS,
    model_settings,
    never,
    of_64_bits,
    same,
    small_data,
    small_member,
    small_model,
    take_step,
    weights,
)

from autolfads_trainer.model.noise import Noise
from autolfads_trainer.training.augmentations.stack import stack_of
from autolfads_trainer.training.draws import StepDrawer, StepDraws, seed_of
from autolfads_trainer.training.member import Member

SIZES = small_model().sizes
STACK = stack_of(model_settings()["train_aug_stack"])


def plain(draws: StepDraws) -> dict[str, Any]:
    return vars(draws) | {"noise": vars(draws.noise)}


def step(member: Member, draws: StepDraws) -> dict[str, torch.Tensor]:
    """Take one step and return the loss and the weights after it."""
    return {"loss": take_step(member, draws)["loss"]} | weights(member.model)


@settings(max_examples=30, deadline=None)
@given(trials=st.integers(1, 12), batch=st.integers(1, 12), seed=st.integers(0, 9))
def test_an_epoch_goes_through_every_trial_once_but_for_the_dropped_last(
    trials: int, batch: int, seed: int
) -> None:
    batch = min(batch, trials)
    drawer = StepDrawer(SIZES, STACK, [trials], batch, seed, CPU)
    for _ in range(3):
        seen = torch.cat([drawer.draw().trials[0] for _ in range(trials // batch)])
        assert len(seen) == trials // batch * batch
        assert len(seen.unique()) == len(seen)
        assert ((seen >= 0) & (seen < trials)).all()
        assert drawer.step == 0


def test_every_epoch_has_another_order_and_drops_other_trials() -> None:
    drawer = StepDrawer(SIZES, STACK, [TRAIN_TRIALS], BATCH, 0, CPU)
    orders = [
        tuple(torch.cat([drawer.draw().trials[0] for _ in range(3)]).tolist()) for _ in range(20)
    ]
    assert len(set(orders)) == 20
    dropped = {next(iter(set(range(TRAIN_TRIALS)) - set(order))) for order in orders}
    assert len(dropped) > 4


@settings(max_examples=20, deadline=None)
@given(before=st.integers(0, 7), after=st.integers(1, 5))
def test_a_drawer_goes_on_where_its_state_was_taken(before: int, after: int) -> None:
    drawer = StepDrawer(SIZES, STACK, [TRAIN_TRIALS], BATCH, 1, CPU)
    for _ in range(before):
        drawer.draw()
    restored = StepDrawer(SIZES, STACK, [TRAIN_TRIALS], BATCH, 2, CPU)
    restored.restore(drawer.state())
    for _ in range(after):
        assert same(plain(restored.draw()), plain(drawer.draw()))


def test_a_step_s_numbers_are_never_used_twice() -> None:
    drawer = StepDrawer(SIZES, STACK, [TRAIN_TRIALS], BATCH, 0, CPU)
    drawn = [drawer.draw() for _ in range(4)]
    tensors = [tensor for d in drawn for tensor in (*d.augmented[0], *vars(d.noise).values())]
    found = torch.cat([of_64_bits(tensor) for tensor in tensors])
    assert len(found.unique()) == len(found) > 200


def test_members_and_generations_draw_each_their_own_numbers() -> None:
    seeds = (0, 1)
    keys = [(seed, member, gen) for seed in seeds for member in (0, 1) for gen in (0, 1)]
    draws = {
        key: small_member(key[1], key[2], seed=key[0]).drawer.draw().noise.ic_sample for key in keys
    }
    for one, other in combinations(keys, 2):
        assert not torch.equal(draws[one], draws[other]), (one, other)
    assert torch.equal(draws[0, 1, 1], small_member(1, 1).drawer.draw().noise.ic_sample)


def test_members_start_from_weights_of_their_own_the_same_in_every_generation() -> None:
    first, other = weights(small_member(0).model), weights(small_member(1).model)
    assert not torch.equal(first["readout.0.weight"], other["readout.0.weight"])
    assert same(first, weights(small_member(0, generation=4).model))
    assert not same(first, weights(small_member(0, seed=1).model))


def test_all_members_are_validated_with_the_same_numbers() -> None:
    one, other = small_member(0, 0), small_member(3, 2)
    assert same(one.valid_noise, other.valid_noise)
    assert not same(one.valid_noise, small_member(0, 0, seed=1).valid_noise)


def test_seeds_are_the_same_for_ever_and_fit_a_generator() -> None:
    # Known numbers: a change would make an interrupted run go on with others.
    assert seed_of(0, "weights", 0) == 5194615726227730
    assert seed_of(7, "training", 3, 12) == 2005862832276365
    # The parts of a key are told apart.
    assert seed_of(0, 1, 11) != seed_of(0, 11, 1)
    torch.Generator().manual_seed(seed_of(2**63, "weights", 10**6))


@given(
    st.tuples(st.integers(0, 2**32), st.integers(0, 99)),
    st.tuples(st.integers(0, 2**32), st.integers(0, 99)),
)
def test_different_keys_give_different_seeds(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (seed_of(*one) == seed_of(*other)) == (one == other)


def test_the_numbers_drawn_do_not_depend_on_any_hyperparameter() -> None:
    usual = small_member()
    other = small_member(
        dropout_rate=0.0, kl_co_scale=0.3, lr_init=1e-4, cd={"cd_rate": 0.0, "cd_pass_rate": 0.9}
    )
    for member in (usual, other):
        member.train(never)
    assert same(plain(usual.drawer.draw()), plain(other.drawer.draw()))


def test_a_step_is_determined_by_its_draws() -> None:
    drawn = small_member(4).drawer.draw()
    first, second = (step(small_member(dropout_rate=0.5), drawn) for _ in range(2))
    assert same(first, second)


@pytest.mark.parametrize("name", ["trials", "augmented", "noise"])
def test_a_step_uses_everything_that_was_drawn(name: str) -> None:
    settings_: dict[str, Any] = {"dropout_rate": 0.5, "cd": {"cd_rate": 0.5, "cd_pass_rate": 0.4}}
    one, other = small_member(4).drawer.draw(), small_member(5).drawer.draw()
    changed = replace(one, **{name: getattr(other, name)})
    after = [step(small_member(**settings_), draws) for draws in (one, changed)]
    assert not same(*(weights_["decoder.ic_to_g0.weight"] for weights_ in after))


@pytest.mark.parametrize(
    "name",
    [field.name for field in fields(Noise)],
)
def test_a_step_uses_every_part_of_the_noise(name: str) -> None:
    settings_: dict[str, Any] = {"dropout_rate": 0.5, "ext_input_dim": 2}
    data = small_data(ext_input_dim=2)
    one, other = (small_member(n, data=data, **settings_).drawer.draw() for n in (4, 5))
    noise = replace(one.noise, **{name: getattr(other.noise, name)})
    after = [
        step(small_member(data=data, **settings_), draws)
        for draws in (one, replace(one, noise=noise))
    ]
    assert not same(*(weights_["decoder.ic_to_g0.weight"] for weights_ in after))


def test_nothing_touches_or_uses_the_global_generators() -> None:
    rows = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
        member = small_member(dropout_rate=0.5, epochs=1)
        member.train(never)
        assert torch.equal(torch.get_rng_state(), before)
        assert (np.random.get_state()[1] == numpys).all()
        rows.append(member.progress.rows)
    assert same(*rows)
