"""What may be tuned, between which values, and what is said of anything else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from configuration_examples import SIZES, error, resolved
from hypothesis import given
from hypothesis import strategies as st

from autolfads_trainer.config.changes import with_hyperparameters
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.config.tunable import SETTINGS, hyperparameters_of
from autolfads_trainer.userinput import InputError

CD = "model.train_aug_stack.transforms.0.cd_rate"


def hps(path: str, entry: str) -> str:
    return f"pbt: {{hps: {{{path}: {entry}}}}}"


def test_an_entry_of_a_file_as_the_controller_reads_it() -> None:
    entry = (
        "{_target_: lfads_torch.extensions.tune.HyperParam, min_samp: 0.1, max_samp: 0.5,"
        " init: 0.2, sample_fn: uniform, explore_wt: 0.4, enforce_limits: true}"
    )
    result = resolved(hps(CD, entry))
    assert result.search_space == {
        CD: {
            "min": 0.1,
            "max": 0.5,
            "init": 0.2,
            "sample": "uniform",
            "exploreWeight": 0.4,
            "enforceLimits": True,
            "lowest": 0.0,
            "highest": 1.0,
            "highestIncluded": False,
        }
    }
    assert result.configuration["pbt"]["hps"] == {
        CD: {
            "min_samp": 0.1,
            "max_samp": 0.5,
            "init": 0.2,
            "sample_fn": "uniform",
            "explore_wt": 0.4,
            "enforce_limits": True,
        }
    }


def test_what_an_entry_leaves_out() -> None:
    space = resolved(hps("model.l2_gen_scale", "{min_samp: 1e-4, max_samp: 1}")).search_space
    assert space == {
        "model.l2_gen_scale": {
            "min": 1e-4,
            "max": 1.0,
            "init": None,
            "sample": "logUniform",
            "exploreWeight": 0.2,
            "enforceLimits": False,
            "lowest": 0.0,
            "highest": None,
            "highestIncluded": True,
        }
    }


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("logUniform", "loguniform"), ("uniform", "uniform"), ("randInt", "randint")],
)
def test_the_spec_and_a_file_say_the_same_thing(ours: str, theirs: str) -> None:
    spec = {
        "min": 1,
        "max": 5,
        "init": 2,
        "sample": ours,
        "exploreWeight": 1,
        "enforceLimits": True,
    }
    entry = (
        f"{{min_samp: 1, max_samp: 5, init: 2, sample_fn: {theirs}, explore_wt: 1,"
        " enforce_limits: true}"
    )
    by_spec = resolved(pbt={"searchSpace": {"model.weight_decay": spec}})
    assert by_spec == resolved(hps("model.weight_decay", entry))
    assert by_spec.search_space["model.weight_decay"]["sample"] == ours


def test_every_entry_of_the_spec_can_leave_out_the_same() -> None:
    by_spec = resolved(pbt={"searchSpace": {"model.lr_init": {"min": 1e-4, "max": 1e-3}}})
    assert by_spec == resolved(hps("model.lr_init", "{min_samp: 1e-4, max_samp: 1e-3}"))


RANGE = "{min_samp: 0.1, max_samp: 0.2}"


@pytest.mark.parametrize(
    ("path", "entry", "message"),
    [
        ("model.lr_inti", RANGE, "unknown setting (did you mean 'model.lr_init'?)"),
        ("cd_rate", RANGE, f"unknown setting (did you mean '{CD}'?)"),
        ("model.lrinit", RANGE, "unknown setting (did you mean 'model.lr_init'?)"),
        ("zzz", RANGE, "unknown setting; expected one of model.lr_init, model.dropout_rate, "),
        (
            "model.gen_dim",
            RANGE,
            "cannot be tuned: it changes the shape of the weights, so that members could not copy"
            " one another; expected one of model.lr_init,",
        ),
        ("model.readout.modules.0.out_features", RANGE, "cannot be tuned: it changes the shape"),
        ("model.co_prior.shape", RANGE, "cannot be tuned: it changes the shape of the weights"),
        ("model.kl_start_epoch", RANGE, "cannot be tuned: it stays as it is for the whole run"),
        ("model.loss_scale", RANGE, "cannot be tuned: it stays as it is for the whole run"),
        ("model.co_prior.tau", RANGE, "cannot be tuned: it stays as it is for the whole run"),
        ("model", RANGE, "cannot be tuned: it stays as it is"),
        ("trainer.max_epochs", RANGE, "cannot be tuned: it is the same for all members"),
        (
            "model.train_aug_stack.transforms.1.cd_rate",
            RANGE,
            "cannot be tuned: the configuration has no such coordinated dropout",
        ),
        ("model.lr_init", "3", "found 3; expected a mapping"),
    ],
)
def test_a_path_that_cannot_be_tuned(path: str, entry: str, message: str) -> None:
    assert error(hps(path, entry)).startswith(f"spec.config: pbt.hps.{path}: {message}")


def test_dropout_that_is_not_there_cannot_be_tuned_by_the_user() -> None:
    text = f"model: {{train_aug_stack: {{transforms: []}}}}\n{hps(CD, RANGE)}"
    assert error(text).endswith("the configuration has no such coordinated dropout")


@pytest.mark.parametrize(
    ("path", "entry", "message"),
    [
        ("model.lr_init", "{max_samp: 1}", "min_samp: is missing; expected a number"),
        (
            "model.lr_init",
            "{min: 1, max_samp: 1}",
            "min: unknown key (did you mean 'pbt.hps.model.lr_init.min_samp'?)",
        ),
        (
            "model.lr_init",
            "{min_samp: 0.2, max_samp: 0.1}",
            "min_samp: found 0.2, above max_samp 0.1; expected the smaller number first",
        ),
        (
            "model.dropout_rate",
            "{min_samp: 0.2, max_samp: 1}",
            "max_samp: found 1 in the range 0.2 to 1; dropout_rate must be a number of at least 0"
            " and below 1",
        ),
        (
            "model.dropout_rate",
            "{min_samp: -0.1, max_samp: 0.5, sample_fn: uniform}",
            "min_samp: found -0.1 in the range -0.1 to 0.5; dropout_rate must be a number of at"
            " least 0 and below 1",
        ),
        (
            "model.lr_init",
            "{min_samp: 0, max_samp: 0.5, sample_fn: uniform}",
            "min_samp: found 0 in the range 0 to 0.5; lr_init must be a number above 0",
        ),
        (
            "model.kl_ic_scale",
            "{min_samp: -1, max_samp: 0.5, sample_fn: uniform}",
            "min_samp: found -1 in the range -1 to 0.5; kl_ic_scale must be a number of at least 0",
        ),
        (
            "model.kl_ic_scale",
            "{min_samp: 0, max_samp: 0.5}",
            "min_samp: found 0 in the range 0 to 0.5; expected a number above 0, since sampling is"
            " log-uniform (sample_fn: uniform allows 0)",
        ),
        (
            "model.dropout_rate",
            "{min_samp: 0.1, max_samp: 0.5, init: 1}",
            "init: found 1; dropout_rate must be a number of at least 0 and below 1",
        ),
        (
            "model.dropout_rate",
            "{min_samp: 0.1, max_samp: 0.5, init: 0.6, enforce_limits: true}",
            "init: found 0.6; expected a number within the range 0.1 to 0.5, since enforce_limits"
            " is true",
        ),
        (
            "model.lr_init",
            "{min_samp: 0.1, max_samp: 0.5, explore_wt: 0}",
            "explore_wt: found 0; expected a number above 0 and at most 10",
        ),
        (
            "model.lr_init",
            "{min_samp: 0.1, max_samp: 0.5, explore_wt: 10.5}",
            "explore_wt: found 10.5; expected a number above 0 and at most 10",
        ),
        (
            "model.lr_init",
            "{min_samp: 0.1, max_samp: 0.5, sample_fn: logUniform}",
            "sample_fn: found 'logUniform'; expected loguniform, uniform or randint",
        ),
        (
            "model.lr_init",
            "{min_samp: 0.1, max_samp: 0.5, enforce_limits: 1}",
            "enforce_limits: found 1; expected true or false",
        ),
        (
            "model.lr_init",
            "{min_samp: 0.1, max_samp: 0.5, sample_fn: randint}",
            "max_samp: found the range 0.1 to 0.5; expected a whole number from min_samp on and"
            " below max_samp",
        ),
        (
            "model.weight_decay",
            "{min_samp: 1, max_samp: 5, init: 1.5, sample_fn: randint}",
            "init: found 1.5; expected a whole number",
        ),
        (
            "model.lr_init",
            "{_target_: ray.tune.uniform, min_samp: 0.1, max_samp: 0.5}",
            "_target_: unknown class 'ray.tune.uniform'",
        ),
    ],
)
def test_an_entry_that_does_not_make_sense(path: str, entry: str, message: str) -> None:
    assert error(hps(path, entry)).startswith(f"spec.config: pbt.hps.{path}.{message}")


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("model.dropout_rate", "{min_samp: 0, max_samp: 0.999, sample_fn: uniform}"),
        ("model.lr_init", "{min_samp: 0.1, max_samp: 0.1, init: 0.1, enforce_limits: true}"),
        ("model.lr_init", "{min_samp: 0.1, max_samp: 0.5, init: 0.6, explore_wt: 10}"),
        ("model.lr_init", "{min_samp: 1e-3, max_samp: 0.5, init: 1e-3, enforce_limits: true}"),
        ("model.kl_co_scale", "{min_samp: 0, max_samp: 1, sample_fn: randint}"),
    ],
)
def test_the_ends_of_what_makes_sense(path: str, entry: str) -> None:
    assert list(resolved(hps(path, entry)).search_space) == [path]


def test_the_spec_s_own_words_are_used_for_its_errors() -> None:
    def message(**entry: Any) -> str:
        return error(pbt={"searchSpace": {"model.dropout_rate": {"min": 0.1, "max": 0.2, **entry}}})

    start = "spec.pbt.searchSpace.model.dropout_rate."
    assert message(min=0.3) == (
        f"{start}min: found 0.3, above max 0.2; expected the smaller number first"
    )
    assert message(max=1).startswith(f"{start}max: found 1 in the range 0.1 to 1; dropout_rate")
    assert message(min=0).endswith("since sampling is log-uniform (sample: uniform allows 0)")
    assert message(sample="loguniform") == (
        f"{start}sample: found 'loguniform'; expected logUniform, uniform or randInt"
    )
    assert message(exploreWeight=0).startswith(f"{start}exploreWeight: found 0; expected")
    assert message(init=0.3, enforceLimits=True).endswith("since enforceLimits is true")
    assert message(init_=3).startswith(f"{start}init_: unknown key")


@pytest.mark.parametrize("nothing", ["null", "{}"])
def test_an_empty_search_space_tunes_nothing(nothing: str) -> None:
    result = resolved(f"pbt: {{hps: {nothing}}}")
    assert result.search_space == {}
    assert result.configuration["pbt"]["hps"] == {}


def test_hyperparameters_by_their_short_names() -> None:
    model = resolved("model: {lr_init: 0.002, l2_con_scale: 0.5}").configuration["model"]
    assert hyperparameters_of(model) == {
        "lr_init": 0.002,
        "dropout_rate": 0.3,
        "cd_rate": 0.3,
        "cd_pass_rate": 0.0,
        "weight_decay": 0.0,
        "l2_ic_enc_scale": 0.0,
        "l2_ci_enc_scale": 0.0,
        "l2_gen_scale": 0.0,
        "l2_con_scale": 0.5,
        "kl_ic_scale": 1e-7,
        "kl_co_scale": 1e-7,
    }


def test_without_coordinated_dropout_its_rates_are_zero() -> None:
    model = resolved("model: {train_aug_stack: {transforms: []}}").configuration["model"]
    values = hyperparameters_of(model)
    assert (values["cd_rate"], values["cd_pass_rate"]) == (0.0, 0.0)


@given(st.sampled_from(SETTINGS), st.floats(0.001, 0.999))
def test_a_changed_hyperparameter_is_the_only_change(setting: Any, value: float) -> None:
    before = resolved().configuration
    kept = copy.deepcopy(before)
    after = with_hyperparameters(before, {setting.path.replace("<i>", "0"): value})
    assert before == kept
    expected = {**hyperparameters_of(before["model"]), setting.name: value}
    assert hyperparameters_of(after["model"]) == expected


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.lr_init", 0.0, "found 0; expected a number above 0"),
        ("model.dropout_rate", 1.0, "found 1; expected a number of at least 0 and below 1"),
        ("model.kl_ic_scale", -1e-9, "found -1e-09; expected a number of at least 0"),
        ("model.kl_ic_scale", float("nan"), "found nan; expected a number of at least 0"),
        ("model.kl_ic_scale", True, "found true; expected a number of at least 0"),
        ("model.gen_dim", 5.0, "cannot be tuned: it changes the shape of the weights"),
        ("model.lr", 0.1, "unknown setting (did you mean 'model.lr_init'?)"),
    ],
)
def test_a_hyperparameter_that_cannot_be_set(path: str, value: float, message: str) -> None:
    configuration = resolved().configuration
    with pytest.raises(InputError) as caught:
        with_hyperparameters(configuration, {path: value})
    assert str(caught.value).startswith(f"hyperparameters: {path}: {message}")


def test_a_value_that_a_search_space_from_elsewhere_replaces_is_told(tmp_path: Path) -> None:
    text = (
        "pbt: {hps: {model.lr_init: {min_samp: 1.0e-4, max_samp: 1.0e-2}}}\nmodel: {lr_init: 3e-3}"
    )
    path = tmp_path / "config.yaml"
    path.write_text(text)
    quiet = resolve({}, config_file=path, sizes=SIZES)
    assert not any("is not used" in note for note in quiet.notes)
    told = resolve({"config": {"model": {"lr_init": 1e-3}}}, config_file=path, sizes=SIZES)
    assert "spec.config: model.lr_init: is not used: the search space tunes it" in told.notes
