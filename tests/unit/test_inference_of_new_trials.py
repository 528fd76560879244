"""A trained model on trials that it was not trained on: in a notebook, and from file to file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from small_models import NULL, OTHERS, data_for, small_model, split_of

from autolfads_trainer.inference.command import infer
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.results.sampling import in_parts, joined
from autolfads_trainer.training.checkpoint import save_file
from autolfads_trainer.userinput import InputError

T, R, D, N = 6, 8, 3, 5  # small_models.DIMS
TRIALS = 11
OUTPUTS = {name for name in LFADSOutput.__dataclass_fields__ if name != "output_means"}


def spikes(trials: int = TRIALS, channels: int = D, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).poisson(1.0, (trials, T, channels)).astype(np.float32)


def saved(folder: Path, model: LFADS) -> Path:
    path = folder / "model.ckpt"
    content = {"configuration": {"model": model.configuration}, "state_dict": model.state_dict()}
    save_file(path, content)
    return path


def data_file(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(infer, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def error_of(*arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        run(*arguments)
    return str(caught.value)


# In a notebook.


def test_a_model_infers_what_a_run_s_results_have() -> None:
    model, data = small_model(), split_of(TRIALS, seed=3)
    found = model.infer(data.encod.numpy(), samples=4, seed=7)
    expected = joined(in_parts(model, data, samples=4, batch_size=64, seed=7))
    assert found.keys() == expected.keys() == OUTPUTS
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert found["output_params"].shape == (TRIALS, R, N)
    assert (found["output_params"] > 0).all()


def test_lists_and_other_numbers_do_as_well() -> None:
    model = small_model()
    whole = spikes().astype(int)
    one, other = (model.infer(given, samples=2) for given in (whole, whole.tolist()))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_what_is_missing_counts_as_nothing() -> None:
    model, gaps = small_model(), spikes()
    gaps[2, 3, 1] = np.nan
    found = model.infer(gaps, samples=2)["output_params"]
    np.testing.assert_array_equal(
        found, model.infer(np.nan_to_num(gaps), samples=2)["output_params"]
    )


def test_of_several_sessions_each_has_its_channels() -> None:
    model = small_model(**OTHERS["sessions"])
    for session, (heldin, channels) in enumerate([(3, 5), (4, 4), (2, 3)]):
        found = model.infer(spikes(channels=heldin), session=session, samples=2)
        assert found["output_params"].shape == (TRIALS, R, channels)
    for wrong in (3, None, "day2"):  # none is taken for the first without a word
        with pytest.raises(InputError, match=f"session: found {wrong!r}; expected a number from 0"):
            model.infer(spikes(), session=wrong)


def test_arrays_may_lie_in_memory_in_any_way() -> None:
    model, encod = small_model(), spikes()
    usual = model.infer(encod[::-1].copy(), samples=2)
    locked = np.asfortranarray(encod[::-1])
    locked.flags.writeable = False
    for given in (encod[::-1], locked, encod[::-1].astype(">f8")):
        found = model.infer(given, samples=2)
        assert all(np.array_equal(found[name], values) for name, values in usual.items())


def test_neither_data_nor_model_is_written_over(tmp_path: Path) -> None:
    model = small_model()
    path, data = tmp_path / "model.ckpt", tmp_path / "day.h5"
    content = {"configuration": {"model": model.configuration}, "state_dict": model.state_dict()}
    save_file(path, content)
    with h5py.File(data, "w") as file:
        file["encod_data"] = spikes()
    before = path.read_bytes(), data.read_bytes()
    (tmp_path / "same.h5").hardlink_to(data)
    for out in (path, data, tmp_path / "same.h5"):
        expected = f"{out}: is one of the files to be read; choose another name"
        assert error_of(path, data, out, "--force") == expected
    assert (path.read_bytes(), data.read_bytes()) == before


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    files = (tmp_path / name for name in ("m.ckpt", "d.h5", "o.h5"))
    assert error_of(*files, "--device", "cuda") == (
        "infer: --device: found cuda, and no GPU is seen; expected cpu or auto"
    )
    with pytest.raises(InputError, match="device: found cuda:1, and no GPU is seen; expected cpu"):
        LFADS.load_from_checkpoint(tmp_path / "m.ckpt", "cuda:1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples: found 0; expected at least 1"),
        ({"batch_size": 0}, "batch_size: found 0; expected at least 1"),
        ({"trials": 0}, "trials: found 0; expected at least 1"),
    ],
)
def test_nothing_to_infer_is_told(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_model().infer(spikes(options.pop("trials", TRIALS)), **options)


@pytest.mark.parametrize(
    ("encod", "message"),
    [
        (spikes(channels=4), r"encod_data: has the shape \(11, 6, 4\); expected \(trials, 6, 3\)"),
        (spikes()[:, 1:], r"encod_data: has the shape \(11, 5, 3\)"),
        (spikes()[0], r"encod_data: has the shape \(6, 3\)"),
    ],
)
def test_arrays_of_another_shape_are_told(encod: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_model().infer(encod)


def test_external_input_is_needed_where_the_model_has_it() -> None:
    model = small_model(ext_input_dim=2)
    ext_input = np.ones((TRIALS, T, 2))
    changed = model.infer(spikes(), 3 * ext_input, samples=2)["factors"]
    assert not np.allclose(changed, model.infer(spikes(), ext_input, samples=2)["factors"])
    with pytest.raises(InputError, match=r"ext_input: has the shape \(11, 6, 0\)"):
        model.infer(spikes())
    with pytest.raises(InputError, match="ext_input: has the shape"):
        model.infer(spikes(), ext_input[:4])


# From file to file.


def test_every_array_of_spikes_is_inferred_in_parts(tmp_path: Path) -> None:
    model = saved(tmp_path, small_model())
    data = data_file(
        tmp_path / "new.h5", encod_data=spikes(), test_encod_data=spikes(5, seed=1), other=[1, 2]
    )
    said = run(model, data, tmp_path / "out.h5", "--samples", 3, "--batch-size", 4)
    assert said.splitlines() == [
        f"{tmp_path}/out.h5: encod_data: 11 trials",
        f"{tmp_path}/out.h5: test_encod_data: 5 trials",
    ]
    with h5py.File(tmp_path / "out.h5") as file:
        assert set(file) == OUTPUTS | {f"test_{name}" for name in OUTPUTS}
        assert file["output_params"].shape == (TRIALS, R, N)
        assert file["test_output_params"].shape == (5, R, N)
        assert all(np.isfinite(file[name][()]).all() for name in file)
        rates = file["output_params"][()]
    again = tmp_path / "again.h5"
    run(model, data, again, "--samples", 3, "--batch-size", 4)
    with h5py.File(again) as file:
        np.testing.assert_array_equal(file["output_params"][()], rates)


def test_how_many_trials_are_taken_at_once_changes_nothing_but_the_samples(tmp_path: Path) -> None:
    model = small_model(variational=False)
    path = saved(tmp_path, model)
    data = data_file(tmp_path / "new.h5", encod_data=spikes())
    expected = model.infer(spikes())
    for size in (1, 4, 64):
        run(path, data, tmp_path / "out.h5", "--batch-size", size, "--force")
        with h5py.File(tmp_path / "out.h5") as file:
            for name, values in expected.items():
                np.testing.assert_allclose(file[name][()], values, rtol=1e-4, atol=1e-6)


def test_a_session_is_chosen_by_its_name_or_number_and_by_nobody_else(tmp_path: Path) -> None:
    model = small_model(**OTHERS["sessions"])
    path = tmp_path / "model.ckpt"
    datamodule = {"data_paths": ["day1.h5", "day2.h5", "day3.h5"]}
    content = {"configuration": {"model": model.configuration, "datamodule": datamodule}}
    save_file(path, {**content, "state_dict": model.state_dict()})
    data = data_file(tmp_path / "new.h5", encod_data=spikes(channels=4))
    for said in (1, "day2"):
        run(path, data, tmp_path / "out.h5", "--session", said, "--samples", 1, "--force")
        with h5py.File(tmp_path / "out.h5") as file:
            assert file["output_params"].shape == (TRIALS, R, 4)
            assert file.attrs["session"] == 1
    known = "expected one of the model's sessions: 0 (day1), 1 (day2), 2 (day3)"
    assert error_of(path, data, tmp_path / "o.h5") == f"{path}: found no --session; {known}"
    wrong = error_of(path, data, tmp_path / "o.h5", "--session", "day4")
    assert wrong == f"{path}: found --session day4; {known}"


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    gaps = spikes()
    gaps[1, 2] = np.nan
    data = data_file(tmp_path / "new.h5", encod_data=gaps)
    said = run(saved(tmp_path, small_model()), data, tmp_path / "out.h5", "--samples", 1)
    assert "encod_data: 11 trials; 3 numbers are missing (NaN) and count as 0" in said


def test_what_inference_is_not_to_see_it_does_not_see() -> None:
    """The stack of inference acts on results as on validation."""
    settings = OTHERS["sample validation"]
    model = small_model(variational=False, ic_prior=NULL, co_prior=NULL, **settings)
    valid = data_for(settings).valid
    assert valid.sv_mask is not None
    found = joined(in_parts(model, valid, samples=1, batch_size=3, seed=0))["output_params"]
    hidden = replace(valid, encod=valid.encod * valid.sv_mask / 0.6, sv_mask=None)
    expected = joined(in_parts(model, hidden, samples=1, batch_size=3, seed=0))["output_params"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    seen = joined(in_parts(model, replace(valid, sv_mask=None), samples=1, batch_size=3, seed=0))
    assert not np.allclose(found, seen["output_params"], rtol=1e-3)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"spikes": spikes()}, (), "{data}: has no array of spikes; expected 'encod_data'"),
        (
            {"encod_data": spikes(channels=4)},
            (),
            "{data}: 'encod_data' has the shape (11, 6, 4); expected (any, 6, 3)",
        ),
        (
            {"encod_data": spikes() + 0.5},
            (),
            "{data}: 'encod_data' holds ",
        ),
        (
            {"encod_data": spikes()},
            ("--session", 1),
            "{model}: found --session 1; expected one of the model's sessions: 0 (sess0)",
        ),
        (
            {"encod_data": spikes()},
            ("--samples", 0),
            "infer: --samples: found 0; expected at least",
        ),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(
    tmp_path: Path, arrays: dict[str, Any], options: tuple[object, ...], message: str
) -> None:
    model, data = saved(tmp_path, small_model()), data_file(tmp_path / "new.h5", **arrays)
    found = error_of(model, data, tmp_path / "out.h5", *options)
    assert found.startswith(message.format(data=data, model=model))
    assert not (tmp_path / "out.h5").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"model.ckpt", "new.h5"}


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    model, data = saved(tmp_path, small_model()), data_file(tmp_path / "n.h5", encod_data=spikes())
    (tmp_path / "out.h5").write_text("mine")
    assert "out.h5" in error_of(model, data, tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_text() == "mine"


def test_a_missing_external_input_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model(ext_input_dim=2))
    data = data_file(tmp_path / "new.h5", encod_data=spikes())
    message = error_of(path, data, tmp_path / "out.h5")
    assert message == (
        f"{data}: has no 'ext_input'; expected one of 2 channels, which the model was trained with"
    )
    data_file(data, encod_data=spikes(), ext_input=np.ones((TRIALS, R, 2)))
    run(path, data, tmp_path / "out.h5", "--samples", 1)
