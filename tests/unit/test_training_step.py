"""A step that could be captured: it waits for no value, and hyperparameters are tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import (
    CPU,
    NO_CONTROLLER,
    OTHERS,
    converted,
    data_for,
    loss_of,
    model_settings,
    same,
    small_data,
    small_member,
    small_model,
    take_step,
    weights,
)
from torch.utils._python_dispatch import TorchDispatchMode

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.engine.series import Series
from autolfads_trainer.engine.step import Engine
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.optimizer import AdamW
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import training_step

CASES: dict[str, dict[str, Any]] = {
    "controller": {},
    "no_controller": NO_CONTROLLER | {"ext_input_dim": 2},
    "own_steps_and_external_input": {"ic_enc_seq_len": 2, "ext_input_dim": 1},
}
ALL = CASES | OTHERS  # every reconstruction, prior, augmentation and layer, and several sessions

# What makes the host wait for the device, or gives a shape that depends on values.
WAITS = {
    *("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::equal"),
    *("aten::nonzero", "aten::masked_select", "aten::unique_dim", "aten::_unique2"),
}


class NeverWaits(TorchDispatchMode):
    """Fails on an operation that would make the host wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += 1
        name = func.name().split(".")[0]
        assert name not in WAITS, f"{name} waits for the device"
        if name.startswith(("aten::index", "aten::_index_put")):
            indices = args[1] if isinstance(args[1], list | tuple) else []
            assert not any(i is not None and i.dtype == torch.bool for i in indices), name
        return func(*args, **(kwargs or {}))


def test_the_watch_sees_what_waits() -> None:
    for waiting in (
        lambda: float(torch.ones(1)),
        lambda: torch.ones(3).nonzero(),
        lambda: torch.ones(3)[torch.ones(3) > 0],
        lambda: bool(torch.ones(1) > 0),
    ):
        with pytest.raises(AssertionError), NeverWaits():
            waiting()


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_a_step_never_waits_for_the_device(case: dict[str, Any]) -> None:
    """Neither the reference's nor the engine's, and what is drawn for it is drawn without."""
    member = small_member(data=data_for(case), weight_decay=0.1, dropout_rate=0.3, **case)
    assert isinstance(member.way, Engine)
    with NeverWaits() as watch:
        take_step(member, scores=member.scores)
        by_reference = watch.seen
        member.take_step()
    assert 100 < by_reference < watch.seen - 100


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_a_step_can_be_taken_without_a_single_value(case: dict[str, Any]) -> None:
    """On tensors that have shapes and no values, whatever looked at a value would fail."""
    meta = torch.device("meta")
    member = small_member(data=data_for(case), **case)
    settings = member.model.configuration
    model = LFADS(settings).to(meta)
    optimizer = AdamW(dict(model.named_parameters()), (0.9, 0.999), 1e-8)
    data = [Series.of(_without_values(session.train)) for session in member.data.sessions]
    hp = Hyperparameters(settings, meta)
    draws = converted(member.drawer.draw(), meta)
    scores = Scores(model.sizes, meta)
    parts = training_step(
        model, optimizer, data, member.train_stack, draws, hp, clip=1.0, scores=scores
    )
    assert {value.device for value in parts.values()} == {meta}


def _without_values(split: Split) -> Split:
    there = {name: value for name, value in vars(split).items() if value is not None}
    return Split(**{name: value.to("meta") for name, value in there.items()})


CHANGES: list[dict[str, Any]] = [
    {"lr_init": 3e-2},
    {"dropout_rate": 0.6},
    {"dropout_rate": 0.0},
    {"cd": {"cd_rate": 0.6}},
    {"cd": {"cd_rate": 0.0}},
    {"cd": {"cd_rate": 0.3, "cd_pass_rate": 0.5}},
    {"kl_ic_scale": 3e-2},
    {"kl_co_scale": 3e-2},
    {"l2_gen_scale": 3.0},
    {"l2_con_scale": 3.0},
    {"l2_ic_enc_scale": 3.0},
    {"l2_ci_enc_scale": 3.0},
    {"l2_gen_scale": 0.0, "weight_decay": 0.2},
]


@pytest.mark.parametrize("change", CHANGES, ids=", ".join)
def test_a_hyperparameter_changed_in_place_acts_like_a_member_built_anew(
    change: dict[str, Any],
) -> None:
    usual: dict[str, Any] = {"l2_gen_scale": 0.5, "weight_decay": 0.05}
    member, anew, unchanged = (
        small_member(start_epoch=50, **usual | extra) for extra in ({}, change, {})
    )
    for name, value in anew.hp.values.items():
        member.hp.values[name].copy_(value)
    member.hp.lr.copy_(anew.hp.lr)
    for one in (member, anew, unchanged):
        one.hp.start_epoch(50)
        take_step(one)
    assert same(weights(member.model), weights(anew.model))
    assert not same(weights(member.model), weights(unchanged.model))


def test_ramps_and_learning_rate_keep_their_tensors() -> None:
    """A captured step reads where the values were when it was captured."""
    hp = Hyperparameters(model_settings(), CPU)
    places = [tensor.data_ptr() for tensor in (hp.lr, hp.kl_ramp, hp.l2_ramp)]
    hp.start_epoch(3)
    assert [tensor.data_ptr() for tensor in (hp.lr, hp.kl_ramp, hp.l2_ramp)] == places
    assert float(hp.kl_ramp) > 0


@pytest.mark.parametrize("limit", [0.0, 1e-3, 1e6])
def test_a_step_is_torch_s_clipped_step_of_adamw(limit: float) -> None:
    member = small_member(start_epoch=20, weight_decay=0.3, l2_increase_epoch=39)
    reference = small_member(start_epoch=20, weight_decay=0.3, l2_increase_epoch=39)
    theirs = [p for p in reference.model.parameters() if p.requires_grad]
    # The weight decay is ramped like the L2 penalty: epoch 20 is step 21 of 40.
    adamw = torch.optim.AdamW(
        theirs, lr=4e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.3 * 21 / 40
    )
    for one in (member, reference):
        one.hp.start_epoch(20)
    for _ in range(3):
        draws = member.drawer.draw()
        take_step(member, draws, clip=limit)
        loss = loss_of(reference, draws)
        adamw.zero_grad()
        loss.total.backward()
        if limit:
            torch.nn.utils.clip_grad_norm_(theirs, limit)
        adamw.step()
    for name, value in member.model.state_dict().items():
        assert torch.allclose(value, reference.model.state_dict()[name], rtol=1e-4, atol=1e-6), name


def test_a_step_leaves_what_does_not_train_as_it_is() -> None:
    member = small_member(weight_decay=0.5, l2_increase_epoch=0)
    before = weights(member.model)
    member.hp.start_epoch(0)
    take_step(member)
    after = weights(member.model)
    unchanged = {name for name in before if torch.equal(before[name], after[name])}
    assert unchanged == {
        *(name for name in before if name.endswith("bias_hh")),
        "ic_prior.logvar",
    }


def test_a_step_looks_at_the_given_trials_alone() -> None:
    one, other = (small_member(data=small_data()) for _ in range(2))
    draws = one.drawer.draw()
    unseen = [trial for trial in range(10) if trial not in draws.trials[0].tolist()]
    other.data.train.encod[unseen] = 99.0
    other.data.train.recon[unseen] = 99.0
    for member in (one, other):
        take_step(member, draws)
    assert same(weights(one.model), weights(other.model))


def test_the_model_has_no_state_besides_its_parameters() -> None:
    assert list(small_model().buffers()) == []
