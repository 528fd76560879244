"""Members trained side by side: each learns what it learns alone, and can be saved alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import DATA, NO_CONTROLLER, never, same, small_data, small_member, weights

from autolfads_trainer.training.group import Group
from autolfads_trainer.training.member import Member

MEMBERS, STEPS = 3, 6  # two epochs
CASES: list[dict[str, Any]] = [
    {},
    NO_CONTROLLER,
    {"ext_input_dim": 2, "ic_enc_seq_len": 2},
    {"readin": [{"_target_": "lfads_torch.modules.readin_readout.FanInLinear", "out_features": 2}]},
]


def members(settings: dict[str, Any], *, epochs: int = 3) -> list[Member]:
    """Members of which each has another rate, weight decay and learning rate."""
    data = small_data(**{name: settings[name] for name in DATA if name in settings})
    return [
        small_member(
            number,
            epochs=epochs,
            data=data,
            lr_init=1e-3 * (number + 1),
            dropout_rate=0.1 * number,
            weight_decay=0.1 * number,
            **settings,
        )
        for number in range(MEMBERS)
    ]


def alone(member: Member, steps: int) -> None:
    for _ in range(steps):
        member.advance()


def close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    for name, value in other.items():
        assert torch.allclose(one[name], value, rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize("settings", CASES)
def test_each_learns_what_it_learns_alone(settings: dict[str, Any]) -> None:
    group, others = Group.of(members(settings)), members(settings)
    for _ in range(STEPS):
        group.step()
    for ours, theirs in zip(group.members, others, strict=True):
        alone(theirs, STEPS)
        close(weights(ours.model), weights(theirs.model))
        assert float(ours.optimizer.steps) == STEPS
        close(ours.optimizer.squares, theirs.optimizer.squares)
        assert len(ours.progress.rows) == STEPS // ours.drawer.steps_per_epoch
        for ours_row, row in zip(ours.progress.rows, theirs.progress.rows, strict=True):
            assert ours_row == pytest.approx(row, rel=1e-3, nan_ok=True)


def test_one_that_is_not_finite_touches_no_other() -> None:
    group, usual = Group.of(members({})), Group.of(members({}))
    with torch.no_grad():
        for parameter in group.members[1].model.parameters():
            parameter.fill_(math.nan)
    for _ in range(STEPS):
        group.step()
        usual.step()
    for number in (0, 2):
        pair = (group.members[number], usual.members[number])
        assert same(*(weights(member.model) for member in pair))
    assert group.members[1].lost
    assert not group.members[0].lost


def test_a_hyperparameter_that_changes_acts_in_the_next_step() -> None:
    group, still = Group.of(members({})), Group.of(members({}))
    group.step()
    still.step()
    still.members[1].hp.lr.fill_(0.0)
    before = weights(still.members[1].model)
    group.step()
    still.step()
    assert same(weights(still.members[1].model), before)
    assert not same(weights(group.members[1].model), before)
    assert same(weights(group.members[0].model), weights(still.members[0].model))


def test_each_is_saved_and_gone_on_with_alone(tmp_path: Path) -> None:
    group = Group.of(members({}))
    for _ in range(2):  # within an epoch
        group.step()
    path = tmp_path / "member.ckpt"
    group.members[1].save(path)
    resumed = members({})[1]
    resumed.resume(path)
    assert same(weights(resumed.model), weights(group.members[1].model))
    group.step()
    alone(resumed, 1)
    close(weights(group.members[1].model), weights(resumed.model))
    lone = members({})[1]
    lone.save(tmp_path / "lone.ckpt")
    # A slice is saved, and not the memory of all.
    assert path.stat().st_size < 1.1 * (tmp_path / "lone.ckpt").stat().st_size


def test_members_of_other_shapes_are_refused() -> None:
    each = [small_member(0), small_member(1, gen_dim=9)]
    with pytest.raises(ValueError, match="differ in more than what can be tuned"):
        Group.of(each)


def test_what_was_summed_before_is_not_lost(tmp_path: Path) -> None:
    """Members that are gone on with in mid-epoch have sums of it."""
    each = members({})
    first = Group.of(each)
    first.step()
    sums = [member.sums.clone() for member in each]
    for number, member in enumerate(each):
        member.save(tmp_path / f"{number}.ckpt")
    again = members({})
    for number, member in enumerate(again):
        member.resume(tmp_path / f"{number}.ckpt")
    second = Group.of(again)
    second.step()
    first.step()
    for ours, theirs, before in zip(again, each, sums, strict=True):
        assert torch.allclose(ours.sums, theirs.sums, rtol=1e-5)
        assert float(theirs.sums[0]) > float(before[0]) > 0


def test_a_member_that_was_in_a_group_trains_on_alone() -> None:
    each = members({}, epochs=2)
    group = Group.of(each)
    group.step()
    assert each[0].train(never)
    assert each[0].progress.epoch == 2


def test_one_that_is_released_keeps_what_it_has_learned() -> None:
    group, others = Group.of(members({})), members({})
    group.step()
    gone = group.members[1]
    assert gone is not None
    group.release(gone)
    assert group.empty_places == [1]
    learned = weights(gone.model)
    for _ in range(STEPS - 1):
        group.step()
    assert same(weights(gone.model), learned)  # no more of its place
    alone(gone, STEPS - 1)
    for ours, theirs in zip([group.members[0], gone, group.members[2]], others, strict=True):
        assert ours is not None
        alone(theirs, STEPS)
        close(weights(ours.model), weights(theirs.model))


def test_a_place_is_taken_by_another_member() -> None:
    each, others = members({}), members({})
    group = Group.of(each[:2])
    group.step()
    group.release(each[0])
    group.hold(0, each[2])
    assert not group.empty_places
    for _ in range(STEPS):
        group.step()
    for number, steps in ((1, STEPS + 1), (2, STEPS), (0, 1)):
        alone(others[number], steps)
        close(weights(each[number].model), weights(others[number].model))


def test_members_may_be_at_different_steps_of_their_epochs() -> None:
    each, others = members({}), members({})
    alone(each[0], 1)
    group = Group.of(each)
    for _ in range(STEPS):
        group.step()
    for ours, theirs, steps in zip(each, others, (STEPS + 1, STEPS, STEPS), strict=True):
        alone(theirs, steps)
        close(weights(ours.model), weights(theirs.model))
        last, expected = ours.progress.rows[-1], theirs.progress.rows[-1]
        assert last == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_members_come_into_places_that_were_empty() -> None:
    each, others = members({}), members({})
    group = Group(each[0], 4)
    for _ in range(2):  # of nobody
        group.step()
    group.hold(1, each[0])
    group.step()
    group.hold(3, each[1])
    for _ in range(STEPS):
        group.step()
    for number, steps in ((0, STEPS + 1), (1, STEPS)):
        alone(others[number], steps)
        close(weights(each[number].model), weights(others[number].model))
        assert len(each[number].progress.rows) == steps // each[number].drawer.steps_per_epoch


def test_those_that_the_model_itself_trains_are_no_group() -> None:
    with pytest.raises(TypeError, match="trained by the engine"):
        Group.of([small_member(0, trainer={"engine": "reference"})])
