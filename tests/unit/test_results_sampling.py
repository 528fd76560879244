"""The rates in the results: means over samples of the posteriors, for all trials in order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from small_models import DIMS, NO_CONTROLLER, OTHERS, VALID_TRIALS, small_data, small_model

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.results import sampling
from autolfads_trainer.results.sampling import Arrays, in_parts, joined, rows_at_once


def sampled(model: LFADS, data: Split, **changes: float) -> Arrays:
    settings = {"samples": 4, "batch_size": 3, "seed": 5} | changes
    return joined(in_parts(model, data, **settings))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> LFADS:
    return small_model(seed=1)


@pytest.fixture(scope="module")
def data() -> Split:
    return small_data().valid


def test_every_output_has_the_name_and_shape_that_users_read(model, data):
    outputs = sampled(model, data)

    trials, steps = VALID_TRIALS, DIMS["recon_seq_len"]
    assert {name: values.shape for name, values in outputs.items()} == {
        "output_params": (trials, steps, DIMS["recon_data_dim"]),
        "factors": (trials, steps, DIMS["fac_dim"]),
        "ic_mean": (trials, DIMS["ic_dim"]),
        "ic_std": (trials, DIMS["ic_dim"]),
        "co_means": (trials, steps, DIMS["co_dim"]),
        "co_stds": (trials, steps, DIMS["co_dim"]),
        "gen_states": (trials, steps, DIMS["gen_dim"]),
        "gen_init": (trials, DIMS["gen_dim"]),
        "gen_inputs": (trials, steps, DIMS["co_dim"]),
        "con_states": (trials, steps, DIMS["con_dim"]),
    }
    assert all(values.dtype == np.float32 for values in outputs.values())
    assert all(np.isfinite(values).all() for values in outputs.values())


def test_what_is_not_sampled_is_that_of_the_plain_pass_trial_by_trial(model, data):
    with torch.no_grad():
        plain = model(data.encod)

    for batch_size in (1, 3, VALID_TRIALS, 100):
        outputs = sampled(model, data, batch_size=batch_size)
        np.testing.assert_allclose(outputs["ic_mean"], plain.ic_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(outputs["ic_std"], plain.ic_std, rtol=1e-5, atol=1e-6)


def test_rates_are_means_of_rates_and_not_rates_of_means(model, data):
    one = sampled(model, data, samples=1)
    readout = model.readout[0]
    with torch.no_grad():
        log_rates = readout(torch.as_tensor(one["factors"]))
    np.testing.assert_allclose(one["output_params"], log_rates.exp(), rtol=1e-4)

    many = sampled(model, data, samples=30)
    with torch.no_grad():
        of_means = readout(torch.as_tensor(many["factors"])).exp().numpy()
    # The exponential is convex: the mean of rates is above the rate of the mean, everywhere.
    assert (many["output_params"] > of_means).all()


def test_means_come_nearer_to_the_posterior_with_more_samples(model, data):
    with torch.no_grad():
        # The generator's start is linear in the initial condition, so its mean is known.
        exact = model.decoder.ic_to_g0(torch.as_tensor(sampled(model, data)["ic_mean"])).numpy()

    def error(samples: int) -> float:
        found = sampled(model, data, samples=samples)["gen_init"]
        return float(np.sqrt(((found - exact) ** 2).mean()))

    assert error(1) > 0.1  # sampled at all
    # 1 / √100 of the error of one sample, give or take.
    assert error(100) == pytest.approx(error(1) / 10, rel=0.5)


def test_the_mean_over_samples_is_that_of_the_samples(model, data):
    """Six samples of one batch are the same numbers as one sample of six, drawn one by one."""
    one_batch = {"batch_size": VALID_TRIALS}
    means = [sampled(model, data, samples=count, **one_batch)["factors"] for count in range(1, 7)]

    sums = [count * mean for count, mean in enumerate(means, start=1)]
    samples = [sums[0], *(later - earlier for earlier, later in itertools.pairwise(sums))]
    spread = np.std(samples, axis=0)

    assert (spread > 1e-4).all()  # another sample each time
    np.testing.assert_allclose(np.mean(samples, axis=0), means[-1], atol=1e-4)


def test_the_same_arguments_give_the_same_numbers_and_another_seed_others(model, data):
    first, again, other = (sampled(model, data, seed=seed) for seed in (5, 5, 6))

    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["output_params"], other["output_params"])
    assert not np.array_equal(first["co_means"], other["co_means"])


def test_torchs_own_randomness_is_left_alone(model, data):
    torch.manual_seed(3)
    before = torch.get_rng_state()

    first = sampled(model, data)

    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    np.testing.assert_array_equal(sampled(model, data)["factors"], first["factors"])


def test_a_model_without_controller_has_outputs_of_no_width(data):
    outputs = sampled(small_model(ci_enc_dim=0, con_dim=0, co_dim=0), data)

    assert outputs["co_means"].shape == (VALID_TRIALS, DIMS["recon_seq_len"], 0)
    assert outputs["con_states"].shape[:2] == (VALID_TRIALS, DIMS["recon_seq_len"])
    assert np.isfinite(outputs["output_params"]).all()


def test_external_input_reaches_the_generator():
    model, data = small_model(ext_input_dim=2), small_data(ext_input_dim=2).valid

    inputs = sampled(model, data)["gen_inputs"][:, : DIMS["encod_seq_len"], -2:]

    np.testing.assert_allclose(inputs, data.ext_input, rtol=1e-5)


def test_the_model_is_left_as_it_was(model, data):
    before = {name: value.clone() for name, value in model.state_dict().items()}

    sampled(model, data)

    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("settings", [{}, NO_CONTROLLER, {"ext_input_dim": 2}])
def test_the_model_itself_gives_the_same(settings):
    model = small_model(seed=1, **settings)
    data = small_data(ext_input_dim=settings.get("ext_input_dim", 0)).valid

    ours, theirs = (sampled(model, data, reference=reference) for reference in (False, True))

    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("rows", [1, 7, 8, 9])
def test_they_are_the_same_however_many_are_taken_at_once(model, data, monkeypatch, rows):
    usual = sampled(model, data)
    monkeypatch.setitem(sampling.ROWS, "cpu", rows)

    for name, values in sampled(model, data).items():
        np.testing.assert_allclose(values, usual[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_where_memory_is_short_fewer_are_taken_at_once(model, data, monkeypatch):
    usual, real, asked = sampled(model, data), sampling.trials_first, []

    def short(*given):
        rows = len(given[2].ic_mean)
        asked.append(rows)
        if rows > 3:
            raise torch.OutOfMemoryError("of 1 GiB")
        return real(*given)

    monkeypatch.setattr(sampling, "trials_first", short)
    shares: list[float] = []
    for name, values in sampled(model, data, progress=shares.append).items():
        np.testing.assert_allclose(values, usual[name], rtol=1e-4, atol=1e-5, err_msg=name)
    # Four samples of three trials, then of one; what did not fit is not tried again.
    assert asked == [12, 6, 3, 3, 3, 3, 3, 1]
    assert shares[-1] == 1
    assert shares == sorted(shares)


def test_memory_that_holds_no_sample_at_all_is_told(model, data, monkeypatch):
    def short(*_):
        raise torch.OutOfMemoryError("of 1 GiB")

    monkeypatch.setattr(sampling, "trials_first", short)
    with pytest.raises(torch.OutOfMemoryError):
        sampled(model, data)


def test_without_sampling_there_is_one_sample_the_means(data):
    model = small_model(seed=1, **OTHERS["not variational"])
    exact = model(data.encod, data.ext_input)
    for reference in (False, True):
        found = sampled(model, data, reference=reference)
        np.testing.assert_allclose(found["output_params"], exact.output_means.detach(), rtol=1e-4)
        np.testing.assert_allclose(found["factors"], exact.factors.detach(), atol=1e-5)


def test_progress_grows_to_all_of_it(model, data, monkeypatch):
    monkeypatch.setitem(sampling.ROWS, "cpu", 3)
    shares: list[float] = []

    joined(in_parts(model, data, samples=2, batch_size=3, seed=0, progress=shares.append))

    assert shares == [3 / 8, 6 / 8, 1]


def test_parts_are_all_trials_in_order_and_together_the_whole(model, data):
    settings = {"samples": 4, "batch_size": 3, "seed": 5}

    parts = list(in_parts(model, data, **settings))

    assert [part for part, _ in parts] == [slice(0, 3), slice(3, 4)]
    for name, values in sampled(model, data).items():
        assert np.array_equal(np.concatenate([arrays[name] for _, arrays in parts]), values)


def test_no_more_is_taken_at_once_than_memory_is_meant_to_hold(model, monkeypatch):
    assert rows_at_once(model, 0, "cpu") == sampling.ROWS["cpu"]
    large = small_model(recon_data_dim=2000, recon_seq_len=2000)
    assert rows_at_once(large, 0, "cpu") == 30
    monkeypatch.setattr(sampling, "BYTES", 1)
    assert rows_at_once(model, 0, "cpu") == 1
    assert rows_at_once(model, 0, "cuda") == sampling.ROWS["cuda"]
