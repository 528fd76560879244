"""The model's passes, held against the equations written down plainly in `lfads_by_hand`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lfads_by_hand import Drops, lfads
from small_models import NO_CONTROLLER, converted, draw_noise, numbers, small_model

from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Noise

TRIALS = 3
NAMES = [field.name for field in fields(LFADSOutput) if field.name != "output_means"]

DROPS = ("encoder", "initial_condition", "generator_start", "ext_input", "controller", "factors")
UNITS = ("ic_enc_dim", "ci_enc_dim", "con_dim", "co_dim", "ic_dim", "gen_dim", "fac_dim")

CASES: dict[str, dict[str, Any]] = {
    "controller": {},
    "no_controller": NO_CONTROLLER | {"ext_input_dim": 2},
    "no_input_at_all": NO_CONTROLLER,
    "controller_and_external_input": {"ext_input_dim": 2},
    "own_steps_for_the_initial_condition": {"ic_enc_seq_len": 2},
    "own_steps_without_controller": NO_CONTROLLER | {"ic_enc_seq_len": 3},
    "all_but_one_step_for_the_initial_condition": {"ic_enc_seq_len": 5, "ci_lag": 0},
    "no_lag": {"ci_lag": 0},
    "long_lag": {"ci_lag": 3},
    "lag_and_own_steps": {"ic_enc_seq_len": 2, "ci_lag": 3, "ext_input_dim": 1},
    "tight_clip": {"cell_clip": 0.3, "ext_input_dim": 1},
    "clip_of_start_states_only": {"cell_clip": 1.0},
    "nothing_to_forecast": {"recon_seq_len": 6},
    "nothing_held_out": {"recon_data_dim": 3},
    "one_of_each": dict.fromkeys(UNITS, 1),
    "wide_posterior": {"ic_post_var_min": 0.7},
}


def inputs(model: LFADS, seed: int, ext_steps: int | None = None) -> tuple[torch.Tensor, ...]:
    sizes = model.sizes
    generator = torch.Generator().manual_seed(seed)
    encod = torch.poisson(
        torch.ones(TRIALS, sizes.encod_seq_len, sizes.sessions[0].encod_data_dim),
        generator=generator,
    )
    steps = sizes.encod_seq_len if ext_steps is None else ext_steps
    return encod, torch.randn(TRIALS, steps, sizes.ext_input_dim, generator=generator)


def by_hand(
    model: LFADS,
    encod: torch.Tensor,
    ext: torch.Tensor,
    noise: Noise | None = None,
    rate: float = 0.0,
) -> dict[str, np.ndarray]:
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    trials = []
    for trial in range(len(encod)):
        drop = standard = None
        if noise is not None:
            uniform = {
                name: getattr(noise, name)[trial]
                if name in ("initial_condition", "generator_start")
                else getattr(noise, name)[:, trial]
                for name in DROPS
            }
            # The rate of a float32 model is a float32 number: so is the comparison with it.
            drop = Drops(
                {
                    name: np.where(numbers(drawn).numpy() < rate, 0, 1 / (1 - rate))
                    for name, drawn in uniform.items()
                }
            )
            standard = (
                noise.ic_sample[trial].double().numpy(),
                noise.co_sample[:, trial].double().numpy(),
            )
        arrays = (encod[trial].double().numpy(), ext[trial].double().numpy())
        trials.append(lfads(weights, model.configuration, *arrays, drop, standard))
    return {name: np.stack([trial[name] for trial in trials]) for name in NAMES}


def largest_error(found: LFADSOutput, expected: dict[str, np.ndarray]) -> float:
    errors = []
    for name in NAMES:
        ours = getattr(found, name).detach().double().numpy()
        assert ours.shape == expected[name].shape, name
        errors.append(np.abs(ours - expected[name]).max(initial=0.0))
    return float(max(errors))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_a_pass_with_posterior_means_follows_the_equations(
    case: dict[str, Any], dtype: torch.dtype
) -> None:
    model = small_model(seed=3, **case).to(dtype)
    encod, ext = inputs(model, seed=4)
    found = model(encod.to(dtype), ext.to(dtype))
    error = largest_error(found, by_hand(model, encod, ext))
    assert error < (2e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_training_pass_drops_and_samples_where_the_equations_say(case: dict[str, Any]) -> None:
    model = small_model(seed=5, **case).double()
    encod, ext = inputs(model, seed=6)
    noise = converted(draw_noise(model.sizes, TRIALS, 7), torch.double)
    rate = torch.tensor(0.4, dtype=torch.float64)
    found = model(encod.double(), ext.double(), noise=noise, dropout_rate=rate, sample=True)
    assert largest_error(found, by_hand(model, encod, ext, noise, 0.4)) < 1e-12


dims = st.integers(1, 4)


@settings(max_examples=25, deadline=None)
@given(
    encod_steps=st.integers(2, 6),
    forecast=st.integers(0, 3),
    own=st.integers(0, 4),
    lag=st.integers(0, 4),
    clip=st.sampled_from([0.2, 0.9, 5.0]),
    controller=st.booleans(),
    ext_dim=st.integers(0, 2),
    missing=st.integers(0, 3),
    sizes=st.fixed_dictionaries(
        dict.fromkeys(
            (*UNITS, "encod_data_dim"),
            dims,
        )
    ),
    heldout=st.integers(0, 2),
)
def test_any_sizes_follow_the_equations(
    encod_steps: int,
    forecast: int,
    own: int,
    lag: int,
    clip: float,
    controller: bool,
    ext_dim: int,
    missing: int,
    sizes: dict[str, int],
    heldout: int,
) -> None:
    own = min(own, encod_steps - 1)
    case = sizes | {
        "encod_seq_len": encod_steps,
        "recon_seq_len": encod_steps + forecast,
        "recon_data_dim": sizes["encod_data_dim"] + heldout,
        "ext_input_dim": ext_dim,
        "ic_enc_seq_len": own,
        "ci_lag": min(lag, encod_steps - own - 1),
    }
    model = small_model(seed=8, **case | ({} if controller else NO_CONTROLLER), cell_clip=clip)
    model = model.double()
    # External input may end anywhere: what is missing up to the last step counts as zero.
    ext_steps = max(encod_steps + forecast - missing, 0)
    encod, ext = inputs(model, seed=9, ext_steps=ext_steps)
    assert largest_error(model(encod.double(), ext.double()), by_hand(model, encod, ext)) < 1e-12


def test_a_state_is_never_beyond_the_clip() -> None:
    model = small_model(cell_clip=0.25)
    encod, ext = inputs(model, seed=1)
    output = model(encod, ext)
    for states in (output.gen_states, output.con_states):
        assert states.abs().max() == 0.25


def test_a_clip_of_one_or_more_acts_on_the_first_step_alone() -> None:
    loose, tight = (small_model(cell_clip=clip).double() for clip in (1e6, 1.0))
    with torch.no_grad():
        for model in (loose, tight):
            model.decoder.ic_to_g0.bias.fill_(40.0)
    outputs = [
        model(*(part.double() for part in inputs(model, seed=1))) for model in (loose, tight)
    ]
    assert outputs[0].gen_states[:, 0].abs().max() > 1.0
    assert outputs[1].gen_states.abs().max() <= 1.0


def test_without_external_input_it_counts_as_zero() -> None:
    model = small_model(ext_input_dim=2)
    encod, ext = inputs(model, seed=1)
    without = model(encod)
    assert torch.equal(without.output_params, model(encod, 0 * ext).output_params)
    assert not torch.equal(without.output_params, model(encod, ext).output_params)


def test_the_controller_does_not_see_the_step_that_it_acts_on() -> None:
    """One more spike in the last step reaches the controller's input of earlier steps alone."""
    model = small_model(ci_lag=1, ic_enc_seq_len=1)
    encod, _ = inputs(model, seed=1)
    more = encod.clone()
    more[:, -1] += 1
    seen = [model.encoder(data.transpose(0, 1), None, None)[2] for data in (encod, more)]
    changed = (seen[0] != seen[1]).any(dim=2).any(dim=1)
    last = model.sizes.encod_seq_len - 1
    assert changed[1:last].all()
    assert not changed[last:].any()


def test_means_are_the_exponential_of_log_rates() -> None:
    model = small_model()
    output = model(*inputs(model, seed=1))
    means = output.output_means
    assert means.shape == (TRIALS, 8, 5)
    assert torch.allclose(means.log(), output.output_params[..., 0], atol=1e-6)


def test_noise_without_sampling_or_rate_changes_nothing() -> None:
    model = small_model()
    encod, ext = inputs(model, seed=1)
    noise = draw_noise(model.sizes, TRIALS, 7)
    plain = model(encod, ext)
    assert torch.equal(model(encod, ext, noise=noise).output_params, plain.output_params)
    # A rate without noise, as in a deterministic pass, drops nothing either.
    rated = model(encod, ext, dropout_rate=torch.tensor(0.5))
    assert torch.equal(rated.output_params, plain.output_params)


def test_a_linear_read_in_stands_before_the_encoder_and_is_not_trained_unless_asked() -> None:
    plain = small_model(encod_data_dim=2)
    settings_ = plain.configuration | {"encod_data_dim": 3}
    readin = {"_target_": "lfads_torch.modules.readin_readout.FanInLinear"}
    readin |= {"in_features": 3, "out_features": 2}
    model = LFADS(settings_ | {"readin": [readin]})
    asked = LFADS(settings_ | {"readin": [readin | {"requires_grad": True}]})
    layer = model.readin[0]
    model.load_state_dict(plain.state_dict(), strict=False)
    encod, ext = inputs(model, seed=1)
    assert torch.equal(model(encod, ext).factors, plain(layer(encod), ext).factors)
    assert [p.requires_grad for p in layer.parameters()] == [False, False]
    assert [p.requires_grad for p in asked.readin[0].parameters()] == [True, True]
