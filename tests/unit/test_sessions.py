"""Several sessions in one model: what they have in common, and what each has of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from configuration_examples import SIZES, error, resolved
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import CHANNELS, FORECAST, HELD_OUT, STEPS, TRIALS, contents, write_file
from small_models import (
    CPU,
    OTHERS,
    configuration,
    data_for,
    model_settings,
    never,
    same,
    small_member,
    weights,
)

from autolfads_trainer.checkpoint_size import columns, tensors
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.data.reshuffle import TrialOrder
from autolfads_trainer.data.sessions import names_of, sizes_of, uneven
from autolfads_trainer.model.lfads import LFADS, SessionInput
from autolfads_trainer.model.sizes import SessionSizes, Sizes
from autolfads_trainer.session_paths import paths_of
from autolfads_trainer.training.augmentations.stack import AugmentationStack
from autolfads_trainer.training.draws import StepDrawer
from autolfads_trainer.training.member import Leg, Member
from autolfads_trainer.userinput import InputError

THREE = OTHERS["sessions"]
READ = "lfads_torch.modules.readin_readout."
RECONS = "lfads_torch.modules.recons."
OTHER = replace(SIZES, path="lift.h5", encod_dim=7, recon_dim=9, train_trials=60)
TWO = replace(SIZES, others=(OTHER,))
PCR = replace(SIZES, pcr_dim=5, others=(replace(OTHER, pcr_dim=5),))


def model_of(text: str, sizes: Any = TWO) -> dict[str, Any]:
    section: dict[str, Any] = resolved(f"model: {{{text}}}", sizes=sizes).configuration["model"]
    return section


# The configuration.


def test_each_session_has_its_own_read_in_and_read_out_by_default() -> None:
    model = model_of("")
    assert [(part["in_features"], part["out_features"]) for part in model["readin"]] == [
        *((11, 7), (7, 7))
    ]
    assert all(part["requires_grad"] for part in model["readin"])
    assert [part["out_features"] for part in model["readout"]["modules"]] == [15, 9]
    assert len(model["reconstruction"]) == 2
    assert model["encod_data_dim"] == 7
    found = Sizes.of(model)
    assert found.sessions == (SessionSizes(11, 15), SessionSizes(7, 9))
    assert found.readin_dim == 7
    assert (found.channels, found.channels_of(1)) == (24, slice(15, 24))


def test_where_every_file_has_start_values_they_are_the_default() -> None:
    model = model_of("fac_dim: 5", PCR)
    parts = [*model["readin"], *model["readout"]["modules"]]
    assert all(part["pcr_init"] for part in parts)
    assert [part["out_features"] for part in model["readin"]] == [5, 5]
    lacking = replace(PCR, others=(OTHER,))
    assert not any(part["pcr_init"] for part in model_of("", lacking)["readin"])


@pytest.mark.parametrize(
    "text",
    [
        f"readin: {{_target_: {READ}MultisessionReadin, datafile_pattern: 'x*.h5', pcr_init: false,"
        f" out_features: 6, requires_grad: true}}, encod_data_dim: 6,"
        f" readout: {{_target_: {READ}MultisessionReadout, datafile_pattern: 'x*.h5',"
        f" pcr_init: false, in_features: 100}},"
        f" reconstruction: {{_target_: {RECONS}MultisessionReconstruction, datafile_pattern: 'x*',"
        f" recon: {{_target_: {RECONS}Poisson}}}}",
        f"encod_data_dim: '${{model.fac_dim}}', fac_dim: 6,"
        f" readin: {{_target_: torch.nn.ModuleList, modules: ["
        f" {{_target_: torch.nn.Linear, in_features: 11, out_features: 6}},"
        f" {{_target_: torch.nn.Linear, in_features: 7, out_features: 6}}]}},"
        f" readout: {{_target_: torch.nn.ModuleList, modules: ["
        f" {{_target_: torch.nn.Linear, in_features: 6, out_features: 15}},"
        f" {{_target_: torch.nn.Linear, in_features: 6, out_features: 9}}]}},"
        f" reconstruction: [{{_target_: {RECONS}Poisson}}, {{_target_: {RECONS}Poisson}}]",
    ],
    ids=["multisession classes", "a layer for each"],
)
def test_the_existing_pipeline_s_ways_to_say_it_are_taken(text: str) -> None:
    model = model_of(text)
    assert [part["out_features"] for part in model["readin"]] == [6, 6]
    assert all(part["requires_grad"] for part in model["readin"])
    assert [part["out_features"] for part in model["readout"]["modules"]] == [15, 9]
    assert [part["_target_"] for part in model["reconstruction"]] == [RECONS + "Poisson"] * 2
    assert model["encod_data_dim"] == 6
    LFADS(model)


def test_multisession_classes_start_from_files_unless_told_otherwise() -> None:
    text = f"fac_dim: 5, readin: {{_target_: {READ}MultisessionReadin, datafile_pattern: x}},"
    text += f" readout: {{_target_: {READ}MultisessionReadout, datafile_pattern: x}}"
    model = model_of(text, PCR)
    assert all(part["pcr_init"] for part in model["readin"])
    assert not any(part["requires_grad"] for part in model["readin"])
    assert all(part["requires_grad"] for part in model["readout"]["modules"])


@pytest.mark.parametrize(
    ("text", "sizes", "message"),
    [
        (
            "model: {readin: [{_target_: torch.nn.Identity}]}",
            TWO,
            "spec.config: model.readin.0: gives 7 channels of lift.h5; expected 11, as of reach.h5:"
            " the sessions have one encoder",
        ),
        (
            f"model: {{readin: {{_target_: {READ}MultisessionReadin}}}}",
            TWO,
            "spec.config: model.readin.pcr_init: found true; reach.h5 has no 'readin_weight' and"
            " 'readout_bias' to start from; expected false, or a file that 'autolfads pcr' made",
        ),
        (
            f"model: {{readin: {{_target_: {READ}MultisessionReadin, out_features: 4}}}}",
            PCR,
            "spec.config: model.readin.out_features: found 4; expected 5, components of"
            " readin_weight in reach.h5",
        ),
        (
            "model: {fac_dim: 5}",
            replace(
                SIZES,
                **{"pcr_dim": 5, "pcr_alignment": "a"},
                others=(replace(OTHER, pcr_dim=5, pcr_alignment="b"),),
            ),
            "lift.h5: its readin_weight was not aligned with that of reach.h5; expected start"
            " values of one 'autolfads pcr' of all files",
        ),
        (
            "model: {fac_dim: 6}",
            PCR,
            "spec.config: model.fac_dim: found 6; expected 5, the components of readin_weight in"
            " reach.h5, since the read-out starts from them (pcr_init)",
        ),
        (
            f"model: {{reconstruction: [{{_target_: {RECONS}Poisson}}, {{_target_: {RECONS}MSE}},"
            f" {{_target_: {RECONS}MSE}}]}}",
            TWO,
            "spec.config: model.reconstruction: found 3; expected one reconstruction for each of"
            " the 2 sessions, or one for all",
        ),
        (
            "datamodule: {batch_size: 122}",
            TWO,
            "spec.config: datamodule.batch_size: found 122; expected 2 to 120: it is divided among"
            " the 2 sessions, of which lift.h5 has 60 training trials",
        ),
        (
            "datamodule: {batch_size: 1}",
            TWO,
            "spec.config: datamodule.batch_size: found 1; expected 2 to 120: it is divided among"
            " the 2 sessions, of which lift.h5 has 60 training trials",
        ),
        (
            "model: {encod_data_dim: 9}",
            TWO,
            "spec.config: model.encod_data_dim: found 9; expected 7, what the read-in gives"
            " (without this key the size is read from there)",
        ),
    ],
)
def test_sessions_that_do_not_go_together_are_told(text: str, sizes: Any, message: str) -> None:
    assert error(text, sizes=sizes) == message


def test_a_key_that_one_session_lacks_is_noted_with_its_file() -> None:
    lacking = replace(TWO, others=(replace(OTHER, keys=frozenset({"targets"})),))
    found = resolved("datamodule: {batch_keys: [hand]}", sizes=lacking)
    assert "datamodule.batch_keys: lift.h5 has no train_hand, valid_hand" in found.notes
    assert found.configuration["datamodule"]["batch_keys"] == []


def test_missing_data_are_told_with_their_place_and_what_helps() -> None:
    gaps = replace(OTHER, missing="'train_recon_data' holds NaN at trial 1, time step 2, channel 3")
    sizes = replace(SIZES, others=(gaps,))
    assert error("", sizes=sizes) == (
        "lift.h5: 'train_recon_data' holds NaN at trial 1, time step 2, channel 3, which says that"
        " data are missing; expected a number, or SelectiveBackpropThruTime in"
        " model.train_aug_stack"
    )


def test_start_values_that_only_some_files_have_are_told_to_be_of_no_use() -> None:
    some = replace(SIZES, pcr_dim=5, others=(OTHER,))
    assert resolved(sizes=some).notes == (
        "start values of reach.h5 (readin_weight) are not used: lift.h5 has none; 'autolfads pcr'"
        " makes them for all files",
    )
    assert not any(
        "start values" in note for note in resolved("model: {fac_dim: 5}", sizes=PCR).notes
    )


def test_what_is_split_anew_decides_how_large_a_batch_can_be() -> None:
    text = "datamodule: {reshuffle_tv_seed: 1, reshuffle_tv_ratio: 0.5}"
    assert resolved(text).configuration["datamodule"]["batch_size"] == 57  # of 90 + 24 trials
    text = "datamodule: {reshuffle_tv_seed: 1, reshuffle_tv_ratio: 0.5, batch_size: 58}"
    assert "batch_size: found 58; expected at most the 57 training trials" in error(text)
    assert error("datamodule: {reshuffle_tv_seed: 1, reshuffle_tv_ratio: 0.999}") == (
        "spec.config: datamodule.reshuffle_tv_ratio: found 0.999, which leaves no trial of reach.h5"
        " for training; expected a smaller share"
    )
    found = resolved("datamodule: {reshuffle_tv_ratio: 0.5}")  # without a seed it is not used
    assert found.configuration["datamodule"]["batch_size"] == 90


# Files.


def test_a_pattern_stands_for_files_in_order(tmp_path: Path) -> None:
    for name in ("day10.h5", "day2.h5", "other.h5", "odd[1].h5"):
        (tmp_path / name).touch()
    (tmp_path / "day3.h5").mkdir()
    assert [path.name for path in paths_of(tmp_path / "day*.h5")] == ["day10.h5", "day2.h5"]
    assert paths_of(tmp_path / "odd[1].h5") == [tmp_path / "odd[1].h5"]  # it is there
    assert paths_of(tmp_path / "none.h5") == [tmp_path / "none.h5"]  # whoever opens it says so
    with pytest.raises(InputError, match="no file is called so"):
        paths_of(tmp_path / "night*.h5")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.h5"], ["sess0"]),
        (["a/x.h5", "a/y.v2.h5"], ["x", "y"]),
        (["a/x.h5", "b/X.h5"], ["sess0", "sess1"]),
        (["a/.h5", "b/y.h5"], ["sess0", "sess1"]),
    ],
)
def test_sessions_go_by_their_files_names(paths: list[str], names: list[str]) -> None:
    assert names_of([Path(path) for path in paths]) == names


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": STEPS - 1}, "6 time steps of encod_data; expected 7"),
        ({"forecast": FORECAST + 1}, "10 time steps of recon_data; expected 9"),
        ({"inputs": 2}, "2 channels of ext_input; expected 0"),
    ],
)
def test_files_that_cannot_be_trained_together_are_told(
    tmp_path: Path, changes: dict[str, int], words: str
) -> None:
    one = write_file(tmp_path / "one.h5", contents())
    made = contents()
    for split, trials in TRIALS.items():
        steps = changes.get("steps", STEPS)
        whole = STEPS + changes.get("forecast", FORECAST)
        made[f"{split}_encod_data"] = np.ones((trials, steps, CHANNELS), np.float32)
        made[f"{split}_recon_data"] = np.ones((trials, whole, CHANNELS + HELD_OUT), np.float32)
        if "inputs" in changes:
            made[f"{split}_ext_input"] = np.ones((trials, whole, 2), np.float32)
    other = write_file(tmp_path / "other.h5", made)
    with pytest.raises(InputError) as caught:
        sizes_of([read_recording(one), read_recording(other)])
    assert str(caught.value) == (
        f"{other}: has {words}, as {one} has: sessions are trained together"
    )


def test_trials_are_shuffled_as_the_existing_pipeline_does_it() -> None:
    order = TrialOrder.drawn(6, 4, seed=3, ratio=None)
    # scikit-learn 1.9: train_test_split(range(10), test_size=4, random_state=3)
    assert order.valid.tolist() == [5, 4, 1, 2]
    assert order.train.tolist() == [9, 6, 7, 0, 3, 8]
    assert len(TrialOrder.drawn(6, 4, 3, 0.25).valid) == 3  # rounded up


def test_a_shuffled_recording_has_the_same_trials(tmp_path: Path) -> None:
    whole = read_recording(write_file(tmp_path / "one.h5", contents()))
    mixed = whole.reshuffled(3, 0.3)
    both = np.concatenate([whole.train.recon, whole.valid.recon])
    assert len(mixed.valid.recon) == 3
    assert mixed.order is not None
    np.testing.assert_array_equal(mixed.train.recon, both[mixed.order.train])
    np.testing.assert_array_equal(mixed.valid.recon, both[mixed.order.valid])
    assert sorted([*mixed.order.train, *mixed.order.valid]) == list(range(10))


def test_start_values_of_a_file_become_the_model_s(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    weight, bias = random.normal(size=(CHANNELS, 2)), random.random(CHANNELS + HELD_OUT)
    readout = random.normal(size=(CHANNELS + HELD_OUT, 2))
    named = {"readin_weight": weight, "readout_bias": bias, "readout_weight": readout}
    recording = read_recording(write_file(tmp_path / "one.h5", contents(**named)))
    text = {
        "readin": [{"_target_": READ + "MultisessionReadin"}],
        "readout": [{"_target_": READ + "MultisessionReadout"}],
    }
    given_ = {"model": {**text, "fac_dim": 2, "gen_dim": 4}, "datamodule": {"batch_size": 3}}
    made = resolve({"config": given_}, config_file=None, sizes=recording.sizes).configuration
    data = Dataset.of([recording], CPU)
    member = Member(made, data, Leg(0, 1, 0, 1), 0, "valid/recon_smth")
    found = {name: value.double().numpy() for name, value in weights(member.model).items()}
    np.testing.assert_allclose(found["readin.0.weight"], weight.T, rtol=1e-6)
    np.testing.assert_allclose(found["readin.0.bias"], -bias[:CHANNELS] @ weight, rtol=1e-5)
    np.testing.assert_allclose(found["readout.0.weight"], readout, rtol=1e-6)
    np.testing.assert_allclose(found["readout.0.bias"], bias, rtol=1e-6)
    before = weights(member.model)
    member.train(never)
    after = weights(member.model)
    assert torch.equal(before["readin.0.weight"], after["readin.0.weight"])
    assert not torch.equal(before["readout.0.weight"], after["readout.0.weight"])


def test_without_held_out_channels_the_read_out_undoes_the_read_in(tmp_path: Path) -> None:
    weight = np.random.default_rng(1).normal(size=(CHANNELS, 2))
    made = contents(readin_weight=weight, readout_bias=np.ones(CHANNELS))
    for split in TRIALS:
        made[f"{split}_recon_data"] = made[f"{split}_recon_data"][..., :CHANNELS]
    start = read_recording(write_file(tmp_path / "one.h5", made)).pcr
    assert start is not None
    np.testing.assert_allclose(start.readout_weight, np.linalg.pinv(weight).T, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"readin_weight": np.ones((CHANNELS, 2))}, "has 'readin_weight' but no 'readout_bias'"),
        (
            {"readin_weight": np.ones((4, 2)), "readout_bias": np.ones(5)},
            "'readin_weight' has the shape (4, 2); expected (3, any): held-in channels, components",
        ),
        (
            {"readin_weight": np.ones((3, 2)), "readout_bias": np.ones(4)},
            "'readout_bias' has the shape (4,); expected (5): channels",
        ),
        (
            {"readin_weight": np.ones((3, 2)), "readout_bias": np.ones(5)},
            "has 'readin_weight' of 3 held-in channels but no 'readout_weight' for all 5",
        ),
        (
            {"readin_weight": np.full((3, 2), np.nan), "readout_bias": np.ones(5)},
            "'readin_weight' holds a number that is not finite; expected none",
        ),
    ],
)
def test_start_values_that_do_not_fit_are_told(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write_file(tmp_path / "one.h5", contents(**changes))
    with pytest.raises(InputError) as caught:
        read_recording(path)
    assert str(caught.value).startswith(f"{path}: {message}")


# Training.


def test_all_sessions_pass_through_one_model() -> None:
    model = LFADS(model_settings(**THREE), 1)
    data = data_for(THREE)
    given_ = [
        SessionInput(number, session.valid.encod, session.valid.ext_input)
        for number, session in enumerate(data.sessions)
    ]
    together = model.infer_sessions(given_)
    for number, (session, output) in enumerate(zip(data.sessions, together, strict=True)):
        alone = model(session.valid.encod, session.valid.ext_input, session=number)
        for name, value in vars(alone).items():
            assert torch.allclose(getattr(output, name), value, atol=1e-6), name
        assert output.output_means.shape == session.valid.recon.shape


@settings(max_examples=30, deadline=None)
@given(
    trials=st.lists(st.integers(3, 12), min_size=1, max_size=4),
    each=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_an_epoch_goes_once_through_the_longest_session(
    trials: list[int], each: int, seed: int
) -> None:
    sizes = Sizes.of(model_settings())
    sizes = replace(sizes, sessions=sizes.sessions * len(trials))
    drawer = StepDrawer(sizes, AugmentationStack(), trials, each * len(trials), seed, CPU)
    assert drawer.steps_per_epoch == max(count // each for count in trials)
    for _ in range(2):
        steps = [drawer.next_trials() for _ in range(drawer.steps_per_epoch)]
        assert drawer.step == 0
        for session, count in enumerate(trials):
            chosen = [step[session] for step in steps]
            assert all(len(one) == each and int(one.max()) < count for one in chosen)
            once = torch.cat(chosen[: count // each])  # until it begins again
            assert len(once.unique()) == len(once)


def test_a_drawer_of_sessions_goes_on_where_it_was() -> None:
    one = small_member(data=data_for(THREE), **THREE)
    other = small_member(3, data=data_for(THREE), **THREE)
    for _ in range(4):
        one.drawer.draw()
    other.drawer.restore(one.drawer.state())
    for _ in range(3):
        ours, theirs = one.drawer.draw(), other.drawer.draw()
        assert same(ours.trials, theirs.trials)
        assert same(vars(ours.noise), vars(theirs.noise))


def test_rows_have_every_score_of_every_session_and_their_mean() -> None:
    member = small_member(data=data_for(THREE), epochs=2, **THREE)
    member.train(never)
    row = member.progress.rows[-1]
    assert set(row) == set(columns(member.model.configuration))
    for split in ("train", "valid"):
        each = [row[f"{split}/recon/sess{number}"] for number in range(3)]
        assert row[f"{split}/recon"] == pytest.approx(np.mean(each), rel=1e-5)
        for name in ("bps", "co_bps", "fp_bps", "r2"):
            scores = [row[f"{split}/{name}/sess{number}"] for number in range(3)]
            assert row[f"{split}/{name}"] == pytest.approx(np.nanmean(scores), rel=1e-9)
        assert math.isnan(row[f"{split}/co_bps/sess1"])  # it holds nothing out
        assert math.isfinite(row[f"{split}/co_bps/sess2"])


def test_a_session_s_score_is_what_it_would_be_alone() -> None:
    member = small_member(data=data_for(THREE), epochs=1, **THREE)
    member.train(never)
    row, sizes = member.progress.rows[-1], member.model.sizes
    from autolfads_trainer.training.scores import Scores  # noqa: PLC0415

    for number, session in enumerate(member.data.sessions):
        valid = session.valid
        with torch.no_grad():
            output = member.model(valid.encod, valid.ext_input, session=number)
        scores = Scores(sizes.of_session(number), CPU)
        scores.add(output.output_params[..., 0], valid.recon, valid.truth)
        for name, value in scores.read().items():
            found = row[f"valid/{name}/sess{number}"]
            assert found == pytest.approx(value, rel=1e-4, nan_ok=True), name


def test_how_large_a_model_of_sessions_is_is_known_beforehand() -> None:
    section = configuration(**THREE)["model"]
    found = [p.numel() for p in LFADS(section).parameters()]
    assert sorted(tensors(section)) == sorted(found)


def test_members_of_sessions_resume_exactly(tmp_path: Path) -> None:
    settings_ = OTHERS["two sessions and all of them"]
    straight = small_member(data=data_for(settings_), epochs=3, **settings_)
    straight.train(never)
    first = small_member(data=data_for(settings_), epochs=3, **settings_)
    taken = 0

    def stop(_: Member) -> bool:
        nonlocal taken
        taken += 1
        return taken == 5  # in the midst of an epoch

    assert not first.train(stop)
    first.save(tmp_path / "one.ckpt")
    second = small_member(data=data_for(settings_), epochs=3, **settings_)
    second.resume(tmp_path / "one.ckpt")
    second.train(never)
    assert same(second.progress.rows, straight.progress.rows)
    assert same(weights(second.model), weights(straight.model))


def test_what_some_sessions_have_and_others_lack_is_noted(tmp_path: Path) -> None:
    truth = {
        f"{split}_truth": contents()[f"{split}_recon_data"].astype("f4")
        for split in ("train", "valid")
    }
    more = {**truth, "conversion_factor": 1.0}
    files = [("one", more), ("two", {}), ("three", {})]
    found = [read_recording(write_file(tmp_path / f"{n}.h5", contents(**m))) for n, m in files]
    assert uneven(found) == [
        f"'{name}' is not in two.h5, three.h5, and is in others: only they are scored by it"
        for name in truth
    ]
    assert uneven(found[1:]) == uneven(found[:1]) == []
