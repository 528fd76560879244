"""The engine gives the model's outputs and gradients, from the same random numbers."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import NO_CONTROLLER, converted, draw_noise, small_model, split_of
from torch import Tensor

from autolfads_trainer.engine.forward import forward
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Noise

TRIALS = 4
OUTPUTS = tuple(LFADSOutput.__dataclass_fields__)
TINY = 1e-12  # of what is zero but for rounding
CLIPS = (0.2, 0.9, 1.0, 5.0)  # below 1 a state can be clipped at every step

Pass = Callable[..., LFADSOutput]


def engine(model: LFADS) -> Pass:
    return lambda *given, **options: forward(model, *given, **options)


def given_to(model: LFADS, seed: int = 0) -> tuple[Tensor, Tensor, Noise]:
    """Return spikes, external input and noise for a model."""
    sizes = model.sizes
    names = ("encod_seq_len", "recon_seq_len", "ext_input_dim")
    dims = {name: getattr(sizes, name) for name in names} | vars(sizes.sessions[0])
    data = split_of(TRIALS, dims, seed=seed)
    noise = draw_noise(sizes, TRIALS, seed)
    return data.encod, data.ext_input, noise


def gradients(model: LFADS, output: LFADSOutput, which: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the gradients of a sum in which each element of `which` has a weight of its own."""
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros(())
    for name in which:
        value = getattr(output, name)
        total = total + (value * torch.randn(value.shape, generator=generator)).sum()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(total, list(trained.values()), materialize_grads=True)
    return dict(zip(trained, found, strict=True))


def agree(ours: Tensor, theirs: Tensor, name: str) -> None:
    ours, theirs = ours.detach(), theirs.detach()
    exact = 1e-4 if ours.dtype == torch.float32 else 1e-10
    scale = theirs.abs().max() if theirs.numel() else torch.ones(())
    assert ours.shape == theirs.shape, name
    assert torch.allclose(ours, theirs, rtol=0, atol=float(exact * scale) + TINY), name


def compare(
    model: LFADS,
    which: tuple[str, ...] = OUTPUTS,
    kind: torch.dtype = torch.float64,
    **options: Any,
) -> None:
    """Compare in double precision, in which no rounding hides an error or looks like one."""
    encod, ext_input, noise = given_to(model)
    encod, ext_input = encod.to(kind), ext_input.to(kind)
    noise = converted(noise, kind)
    model.to(kind)
    if options.pop("noisy", True):
        options["noise"] = noise
    ours = forward(model, encod, ext_input, **options)
    theirs = model(encod, ext_input, **options)
    for name in OUTPUTS:
        agree(getattr(ours, name), getattr(theirs, name), name)
    one, other = gradients(model, ours, which), gradients(model, theirs, which)
    for name in other:
        agree(one[name], other[name], name)


RATE = torch.tensor(0.3, dtype=torch.float64)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        NO_CONTROLLER,
        {"ext_input_dim": 2},
        {**NO_CONTROLLER, "ext_input_dim": 2},
        {"ic_enc_seq_len": 2},
        {"ci_lag": 0},
        {"ci_lag": 3},
        {"recon_seq_len": 6},
    ],
)
def test_outputs_and_gradients_are_the_models(sizes: dict[str, int], clip: float) -> None:
    compare(small_model(cell_clip=clip, **sizes), dropout_rate=RATE, sample=True)


@pytest.mark.parametrize("options", [{"noisy": False}, {"sample": True}, {"dropout_rate": RATE}])
@pytest.mark.parametrize("sizes", [{}, NO_CONTROLLER])
def test_in_every_way_of_passing(sizes: dict[str, int], options: dict[str, Any]) -> None:
    compare(small_model(**sizes), **options)


@pytest.mark.parametrize("which", OUTPUTS)
@pytest.mark.parametrize("sizes", [{}, {"ext_input_dim": 2}])
def test_of_each_output_alone(sizes: dict[str, int], which: str) -> None:
    """An output that nothing is asked of has no gradient."""
    compare(small_model(**sizes), (which,), dropout_rate=RATE, sample=True)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.fixed_dictionaries(
        {
            **{name: st.integers(1, 9) for name in ("ic_enc_dim", "ic_dim", "gen_dim", "fac_dim")},
            **{name: st.integers(0, 5) for name in ("ci_enc_dim", "con_dim", "co_dim", "ci_lag")},
            "encod_data_dim": st.integers(1, 5),
            "encod_seq_len": st.integers(4, 9),
            "ext_input_dim": st.integers(0, 3),
            "ic_enc_seq_len": st.integers(0, 3),
            "cell_clip": st.sampled_from(CLIPS),
        }
    ),
    st.integers(0, 3),
    st.integers(0, 2),
)
def test_of_any_size(sizes: dict[str, Any], forecast: int, held_out: int) -> None:
    whole = {
        **sizes,
        "recon_seq_len": sizes["encod_seq_len"] + forecast,
        "recon_data_dim": sizes["encod_data_dim"] + held_out,
    }
    steps = sizes["encod_seq_len"] - sizes["ic_enc_seq_len"]
    whole["ci_lag"] = min(whole["ci_lag"], steps - 1)
    compare(small_model(**whole), dropout_rate=RATE, sample=True)


def test_in_single_precision() -> None:
    compare(small_model(gen_dim=40), kind=torch.float32, dropout_rate=RATE.float(), sample=True)


@pytest.mark.parametrize("sizes", [{}, NO_CONTROLLER])
def test_the_way_back_can_be_gone_but_once(sizes: dict[str, int]) -> None:
    model = small_model(**sizes)
    encod, ext_input, _ = given_to(model)
    total = forward(model, encod, ext_input).factors.sum()
    trained = [p for p in model.parameters() if p.requires_grad]
    torch.autograd.grad(total, trained, retain_graph=True, materialize_grads=True)
    with pytest.raises(RuntimeError, match="can be gone but once"):
        torch.autograd.grad(total, trained, materialize_grads=True)


def test_what_a_pass_took_is_free_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the collector of cycles: that would be hundreds of megabytes late."""
    model = small_model()
    encod, ext_input, noise = given_to(model)
    gc.collect()
    gc.disable()
    monkeypatch.setattr(gc, "callbacks", [])
    try:
        left = []
        for _ in range(2):
            output = forward(model, encod, ext_input, noise=noise, sample=True)
            gradients(model, output, OUTPUTS)
            del output
            left.append(sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects()))
    finally:
        gc.enable()
    assert left[0] == left[1]
