"""AdamW and the clipping of gradients, against torch's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import same
from torch import nn

from autolfads_trainer.training.optimizer import AdamW, clipped

SHAPES = {"matrix": (3, 4), "vector": (5,), "single": (1,), "none": (1, 0)}
BETAS, EPSILON = (0.8, 0.97), 1e-5


def parameters(seed: int = 0) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
        for name, shape in SHAPES.items()
    }


def gradients(seed: int, size: float = 1.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        size * torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in SHAPES.values()
    ]


def tensor(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@settings(max_examples=6, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(1e-5, 1.0), st.floats(0, 0.5), st.sampled_from([0.0, 1e-6, 1.0, 1e4])),
        min_size=1,
        max_size=15,
    )
)
def test_it_is_step_for_step_torch_s_while_rate_and_decay_change(
    steps: list[tuple[float, float, float]],
) -> None:
    ours, theirs = parameters(), parameters()
    optimizer = AdamW(ours, BETAS, EPSILON)
    reference = torch.optim.AdamW(theirs.values(), betas=BETAS, eps=EPSILON)
    for seed, (lr, decay, size) in enumerate(steps):
        step = gradients(seed, size)
        optimizer.step(step, tensor(lr), tensor(decay))
        for parameter, gradient in zip(theirs.values(), step, strict=True):
            parameter.grad = gradient
        reference.param_groups[0].update(lr=lr, weight_decay=decay)
        reference.step()
    for name, parameter in ours.items():
        assert torch.allclose(parameter, theirs[name], rtol=1e-10, atol=1e-12), name


def test_what_does_not_train_is_left_alone() -> None:
    given_ = parameters()
    given_["vector"].requires_grad_(False)
    before = given_["vector"].clone()
    optimizer = AdamW(given_, BETAS, EPSILON)
    step = dict(zip(SHAPES, gradients(1), strict=True))
    del step["vector"]
    optimizer.step(list(step.values()), tensor(0.1), tensor(0.1))
    assert torch.equal(given_["vector"], before)
    assert "vector" not in optimizer.state()["means"]


def test_it_goes_on_where_its_state_was_taken() -> None:
    ours, copies = parameters(), parameters()
    optimizer, copy = AdamW(ours, BETAS, EPSILON), AdamW(copies, BETAS, EPSILON)
    rate, decay = tensor(0.1), tensor(0.01)
    for seed in range(3):
        optimizer.step(gradients(seed), rate, decay)
    copy.restore(optimizer.state())
    with torch.no_grad():
        for name, parameter in copies.items():
            parameter.copy_(ours[name])
    moments = copy.state()["means"]["matrix"].clone()
    optimizer.step(gradients(4), rate, decay)
    assert torch.equal(copy.state()["means"]["matrix"], moments)  # a copy, not the same tensor
    copy.step(gradients(4), rate, decay)
    assert same(copy.state(), optimizer.state())
    assert same(dict(copies), dict(ours))


@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("limit", [0.5, 5.0, 200.0])
def test_gradients_are_clipped_by_their_common_norm_as_torch_does(
    size: float, limit: float
) -> None:
    theirs = parameters()
    for parameter, gradient in zip(theirs.values(), gradients(1, size), strict=True):
        parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(theirs.values(), limit)
    for found, parameter in zip(clipped(gradients(1, size), limit), theirs.values(), strict=True):
        assert torch.allclose(found, parameter.grad, rtol=1e-12, atol=0)


@given(limit=st.floats(1e-3, 1e3), size=st.floats(0, 1e6))
def test_the_norm_is_never_above_the_limit(limit: float, size: float) -> None:
    found = clipped(gradients(2, size), limit)
    norm = torch.cat([gradient.flatten() for gradient in found]).norm()
    assert float(norm) <= limit * (1 + 1e-9)


def test_a_limit_of_zero_clips_nothing() -> None:
    assert same(clipped(gradients(1, 1e6), 0), gradients(1, 1e6))
