"""A group on a GPU: captured once, the numbers of each alone, and places for those that come."""

from __future__ import annotations

import pytest
import torch
from small_models import same, weights
from test_a_member_on_a_gpu import member_on
from test_training_step import CASES

from autolfads_trainer.engine.step import Engine
from autolfads_trainer.short_memory import is_out_of_memory
from autolfads_trainer.training.captured import Captured
from autolfads_trainer.training.group import Group
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.precision import exactly, use_precision

MEMBERS, STEPS = 3, 6


def members(gpu: torch.device, **case: object) -> list[Member]:
    """Members on one data set, each with weights and randomness of its own."""
    first = member_on(gpu, **case)
    return [
        Member(first.configuration, first.data, type(first.leg)(number, 0, 0, 4), 0, first.metric)
        for number in range(MEMBERS)
    ]


def alone(member: Member, steps: int) -> None:
    for _ in range(steps):
        member.advance()


def close(one: Member, other: Member) -> None:
    for name, value in weights(other.model).items():
        torch.testing.assert_close(weights(one.model)[name], value, rtol=2e-3, atol=1e-4, msg=name)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_learns_what_it_learns_alone(case: dict[str, object], gpu: torch.device) -> None:
    each, others = members(gpu, **case), members(gpu, **case)
    group = Group.of(each)
    for _ in range(STEPS):
        group.step()
    for ours, theirs in zip(each, others, strict=True):
        alone(theirs, STEPS)
        close(ours, theirs)
        assert ours.progress.rows[-1]["valid/recon"] == pytest.approx(
            theirs.progress.rows[-1]["valid/recon"], rel=1e-3
        )


def test_a_replay_is_what_the_work_itself_does(gpu: torch.device) -> None:
    captured, by_hand = Group.of(members(gpu)), Group.of(members(gpu))
    by_hand._step = Captured(by_hand._take_step, by_hand.generators, gpu)
    by_hand._validation = Captured(by_hand._validate, (), gpu)
    for _ in range(STEPS):
        captured.step()
        by_hand.step()
    for ours, theirs in zip(captured.members, by_hand.members, strict=True):
        assert ours is not None
        assert theirs is not None
        close(ours, theirs)


def test_members_come_and_go_without_another_capture(gpu: torch.device) -> None:
    each, others = members(gpu), members(gpu)
    group = Group.of(each[:2])
    graph = group._step._graph
    assert graph is not None
    group.step()
    group.release(each[0])
    group.hold(0, each[2])
    for _ in range(STEPS):
        group.step()
    assert group._step._graph is graph
    for number, steps in ((0, 1), (1, STEPS + 1), (2, STEPS)):
        alone(others[number], steps)
        close(each[number], others[number])


def test_a_hyperparameter_is_a_value_that_is_written(gpu: torch.device) -> None:
    group = Group.of(members(gpu))
    first = group.members[0]
    assert first is not None
    group.step()
    before = weights(first.model)
    first.hp.learning_rate = 0.0
    first.hp.values["weight_decay"].fill_(0.0)
    group.step()
    assert same(weights(first.model), before)


def test_a_step_never_waits_for_the_gpu(gpu: torch.device) -> None:
    group = Group.of(members(gpu))
    group.step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        group.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_one_that_is_not_finite_touches_no_other(gpu: torch.device) -> None:
    each, usual = members(gpu), members(gpu)
    with torch.no_grad():
        for parameter in each[1].model.parameters():
            parameter.fill_(torch.nan)
    for group in (Group.of(each), Group.of(usual)):
        for _ in range(STEPS):
            group.step()
    assert each[1].lost
    for number in (0, 2):
        assert same(weights(each[number].model), weights(usual[number].model))


def test_a_group_that_does_not_fit_says_so_and_leaves_the_memory_free(gpu: torch.device) -> None:
    (member, *_) = members(gpu)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(gpu).total_memory
    held = torch.cuda.memory_reserved(gpu)
    torch.cuda.set_per_process_memory_fraction((held + 64_000_000) / whole)
    try:
        with pytest.raises(RuntimeError) as error:
            Group(member, 4096)
        assert is_out_of_memory(error.value)
        del error
        torch.cuda.empty_cache()
        group = Group(member, 1)
        group.hold(0, member)
        group.step()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert member.drawer.step == 1


def test_products_are_rounded_in_training_alone(gpu: torch.device) -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    try:
        use_precision("auto", gpu)
        assert matmul.fp32_precision == "tf32"
        with exactly(gpu):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "tf32"
        use_precision("fp32", gpu)
        assert matmul.fp32_precision == "ieee"
    finally:
        matmul.fp32_precision = before


def test_a_member_of_a_gpu_is_trained_by_the_engine(gpu: torch.device) -> None:
    assert isinstance(members(gpu)[0].way, Engine)
