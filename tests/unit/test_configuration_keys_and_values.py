"""A key that is not known, a value that does not fit: one sentence that says where and what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from configuration_examples import EVERY_KEY, SIZES, error, file_error, resolved
from hypothesis import given
from hypothesis import strategies as st

from autolfads_trainer.config.keys import USED
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.userinput import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {}", "modle: unknown key (did you mean 'model'?)"),
        ("gen_dim: 5", "gen_dim: unknown key (did you mean 'model.gen_dim'?)"),
        ("model.gen_dim: 5", "model.gen_dim: unknown key (write it nested: model: {gen_dim: …})"),
        (
            "model: {gen_dims: 5}",
            "model.gen_dims: unknown key (did you mean 'model.gen_dim'?)",
        ),
        (
            "model: {batch_size: 5}",
            "model.batch_size: unknown key (did you mean 'datamodule.batch_size'?)",
        ),
        (
            "datamodule: {batchsize: 5}",
            "datamodule.batchsize: unknown key (did you mean 'datamodule.batch_size'?)",
        ),
        (
            "pbt: {patiense: 5}",
            "pbt.patiense: unknown key (did you mean 'pbt.patience'?)",
        ),
        (
            "pbt: {resources_per_trial: {gpus: 1}}",
            "pbt.resources_per_trial.gpus: unknown key (did you mean"
            " 'pbt.resources_per_trial.gpu'?)",
        ),
        (
            "model: {co_prior: {taus: 5}}",
            "model.co_prior.taus: unknown key (did you mean 'model.co_prior.tau'?)",
        ),
        (
            "model: {train_aug_stack: {transform: []}}",
            "model.train_aug_stack.transform: unknown key"
            " (did you mean 'model.train_aug_stack.transforms'?)",
        ),
        (
            "model: {readin: [{_target_: torch.nn.Identity, out: 3}]}",
            "model.readin.0.out: unknown key; expected no key here",
        ),
        (
            "model: {readout: {module: []}}",
            "model.readout.module: unknown key (did you mean 'model.readout.modules'?)",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(text: str, message: str) -> None:
    assert error(text) == f"spec.config: {message}"


def test_the_section_itself_is_never_the_nearest() -> None:
    assert "'model'" not in error("model: {foo: 1}")


WHOLE_1 = "a whole number of at least 1"
WHOLE_0 = "a whole number of at least 0"
RATE = "a number of at least 0 and below 1"
SCALE = "a number of at least 0"
ABOVE_0 = "a number above 0"
FLAG = "true or false"

WRONG = [
    *(("model", name, "0", WHOLE_1) for name in ("ic_enc_dim", "ic_dim", "gen_dim", "fac_dim")),
    *(("model", name, "0", WHOLE_1) for name in ("encod_data_dim", "encod_seq_len")),
    ("model", "recon_seq_len", "0", WHOLE_1),
    *(("model", name, "-1", WHOLE_0) for name in ("ci_enc_dim", "con_dim", "co_dim", "ci_lag")),
    *(("model", name, "-1", WHOLE_0) for name in ("ext_input_dim", "ic_enc_seq_len")),
    *(("model", name, "1.5", WHOLE_0) for name in ("l2_start_epoch", "l2_increase_epoch")),
    *(("model", name, "-1", WHOLE_0) for name in ("kl_start_epoch", "kl_increase_epoch")),
    ("model", "lr_patience", "0.5", WHOLE_0),
    *(("model", name, "1", RATE) for name in ("dropout_rate", "lr_adam_beta1", "lr_adam_beta2")),
    *(("model", f"l2_{name}_scale", "-0.5", SCALE) for name in ("ic_enc", "ci_enc", "gen", "con")),
    *(("model", f"kl_{name}_scale", "-0.5", SCALE) for name in ("ic", "co")),
    *(("model", name, "-0.5", SCALE) for name in ("lr_stop", "lr_adam_epsilon", "weight_decay")),
    ("model", "ic_post_var_min", "-0.5", SCALE),
    *(("model", name, "0", ABOVE_0) for name in ("cell_clip", "loss_scale", "lr_init")),
    ("model", "lr_decay", "1", "a number above 0 and below 1"),
    *(("model", n, "1", FLAG) for n in ("variational", "recon_reduce_mean", "lr_scheduler")),
    ("datamodule", "batch_size", "0", WHOLE_1),
    ("datamodule", "batch_keys", "hand", "a list of names of datasets"),
    ("datamodule", "attr_keys", "[1]", "a list of names of datasets"),
    ("datamodule", "data_paths", "[1]", "a list of paths"),
    ("datamodule", "datafile_pattern", "{}", "a list of paths"),
    ("datamodule", "reshuffle_tv_seed", "a", f"{WHOLE_0} or null"),
    ("datamodule", "reshuffle_tv_ratio", "2", "a number above 0 and below 1 or null"),
    ("datamodule", "sv_rate", "1", f"{RATE} or null"),
    ("datamodule", "sv_seed", "-1", f"{WHOLE_0} or null"),
    ("datamodule", "dm_ic_enc_seq_len", "-1", f"{WHOLE_0} or null"),
    ("pbt", "num_samples", "0", f"{WHOLE_1} and at most 10000"),
    *(("pbt", name, "0", WHOLE_1) for name in ("perturbation_interval", "patience")),
    ("pbt", "burn_in_period", "-1", WHOLE_0),
    ("pbt", "min_improvement_ratio", "-0.5", SCALE),
    ("pbt", "resources_per_trial", "2", "a mapping"),
    ("pbt", "hps", "2", "a mapping"),
    ("pbt", "metric", "valid/bps", "valid/recon_smth, valid/recon or valid/loss"),
    ("trainer", "max_epochs", "-1", WHOLE_1),
    ("trainer", "gradient_clip_val", "-1", f"{SCALE} or null"),
    ("trainer", "engine", "fast", "auto or reference"),
    ("trainer", "precision", "16", "auto, tf32 or fp32"),
    ("posterior_sampling", "num_samples", "0", WHOLE_1),
]


@pytest.mark.parametrize(("section", "key", "value", "expected"), WRONG)
def test_a_value_out_of_range_says_what_is_expected(
    tmp_path: Path, section: str, key: str, value: str, expected: str
) -> None:
    found = f"'{value}'" if value.isalpha() or "/" in value else value
    message = f"config.yaml: {section}.{key}: found {found}; expected {expected}"
    assert file_error(tmp_path, f"{section}: {{{key}: {value}}}") == message


def test_every_plain_key_is_in_that_table() -> None:
    parts = {"_target_", "readin", "readout", "train_aug_stack", "infer_aug_stack"}
    parts |= {"reconstruction", "co_prior", "ic_prior"}
    plain = {section: names for section, names in USED.items() if section != "start"}
    known = {(section, name) for section, names in plain.items() for name in set(names) - parts}
    assert known == {(section, key) for section, key, _, _ in WRONG}


@pytest.mark.parametrize("value", [True, None, "0.1", float("nan"), float("inf"), [], {}, 10**400])
@pytest.mark.parametrize("key", ["gen_dim", "dropout_rate", "kl_ic_scale"])
def test_what_is_no_number_is_never_taken_for_one(key: str, value: Any) -> None:
    assert f"spec.config: model.{key}: found " in error(config={"model": {key: value}})


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-10, 10))
def test_a_rate_is_accepted_exactly_where_it_is_one(value: float) -> None:
    spec = {"config": {"model": {"dropout_rate": value}}}
    try:
        resolve(spec, config_file=None, sizes=SIZES)
        accepted = True
    except InputError:
        accepted = False
    assert accepted == (0 <= value < 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {co_prior: {tau: 0}}", f"model.co_prior.tau: found 0; expected {ABOVE_0}"),
        ("model: {co_prior: {nvar: -1}}", f"model.co_prior.nvar: found -1; expected {ABOVE_0}"),
        ("model: {ic_prior: {variance: 0}}",
         f"model.ic_prior.variance: found 0; expected {ABOVE_0}"),
        ("model: {ic_prior: {mean: x}}", "model.ic_prior.mean: found 'x'; expected a number"),
        (
            "model: {ic_prior: {shape: 5}}",
            "model.ic_prior.shape: found 5; expected 64, model.ic_dim",
        ),
        (
            "model: {co_prior: {shape: 5}}",
            "model.co_prior.shape: found 5; expected 4, model.co_dim",
        ),
        (
            "pbt: {resources_per_trial: {gpu: -1}}",
            f"pbt.resources_per_trial.gpu: found -1; expected {SCALE}",
        ),
        ("pbt: {resources_per_trial: {cpu: x}}",
         f"pbt.resources_per_trial.cpu: found 'x'; expected {SCALE}"),
        ("seed: -1", "seed: found -1; expected a whole number of at least 0 and at most"
                     " 9007199254740991 or null"),
        ("seed: 9223372036854775808", "seed: found 9223372036854775808; expected a whole number of"
                                      " at least 0 and at most 9007199254740991 or null"),
        ("model: 5", "model: found 5; expected a mapping"),
        ("trainer: [1]", "trainer: found [1]; expected a mapping"),
        ("model: {readin: null}", "model.readin: found null; expected a list"),
        ("model: {readin: []}", "model.readin: is empty; expected one read-in"),
        ("model: {readin: [3]}",
         "model.readin.0: found 3; expected a mapping whose _target_ names a read-in"),
        ("model: {co_prior: 3}", "model.co_prior: found 3; expected a mapping whose _target_ names"
                                 " a prior of the controller's output"),
    ],
)  # fmt: skip
def test_values_within_parts(text: str, message: str) -> None:
    assert error(text) == f"spec.config: {message}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"population": 0}, f"spec.population: found 0; expected {WHOLE_1} and at most 10000"),
        ({"pbt": {"maxEpochs": 0}}, f"spec.pbt.maxEpochs: found 0; expected {WHOLE_1}"),
        ({"pbt": {"burnInEpochs": -1}}, f"spec.pbt.burnInEpochs: found -1; expected {WHOLE_0}"),
        (
            {"pbt": {"generationEpochs": 1.5}},
            f"spec.pbt.generationEpochs: found 1.5; expected {WHOLE_1}",
        ),
        (
            {"export": {"posteriorSamples": 0}},
            f"spec.export.posteriorSamples: found 0; expected {WHOLE_1}",
        ),
        ({"config": 5}, "spec.config: found 5; expected a mapping"),
    ],
)
def test_a_field_of_the_spec_is_named_as_it_is_written(spec: dict[str, Any], message: str) -> None:
    assert error(**spec) == message


SIZE_ERRORS = [
    ("encod_data_dim", 12, 11, "channels of encod_data"),
    ("encod_seq_len", 29, 30, "time steps of encod_data"),
    ("recon_seq_len", 30, 36, "time steps of recon_data"),
    ("ext_input_dim", 0, 2, "channels of ext_input"),
]


@pytest.mark.parametrize(("key", "found", "expected", "words"), SIZE_ERRORS)
def test_a_size_that_differs_from_the_data_names_both(
    tmp_path: Path, key: str, found: int, expected: int, words: str
) -> None:
    text = f"model: {{{key}: {found}}}"
    assert file_error(tmp_path, text) == (
        f"config.yaml: model.{key}: found {found}; expected {expected}, the {words} in reach.h5"
        " (without this key the size is read from there)"
    )


def test_a_read_out_that_differs_from_the_data_names_both(tmp_path: Path) -> None:
    text = EVERY_KEY.replace("out_features: 15", "out_features: 11")
    assert file_error(tmp_path, text) == (
        "config.yaml: model.readout.modules.0.out_features: found 11; expected 15,"
        " channels of recon_data in reach.h5"
    )
    text = EVERY_KEY.replace("in_features: ${model.fac_dim}", "in_features: 9")
    assert "in_features: found 9; expected 10, model.fac_dim" in file_error(tmp_path, text)


def test_data_with_fewer_steps_to_reconstruct_than_to_encode_are_refused() -> None:
    assert error(sizes=replace(SIZES, recon_steps=29)) == (
        "reach.h5: recon_data has 29 time steps; expected at least the 30 of encod_data"
    )
    resolved(sizes=replace(SIZES, recon_steps=30))


@pytest.mark.parametrize(
    ("accepted", "refused", "message"),
    [
        (
            "model: {ic_enc_seq_len: 28}",
            "model: {ic_enc_seq_len: 30}",
            "model.ic_enc_seq_len: found 30; expected less than model.encod_seq_len, 30",
        ),
        (
            "model: {ci_lag: 29}",
            "model: {ci_lag: 30}",
            "model.ci_lag: found 30; expected less than the 30 time steps that the controller's"
            " encoder sees",
        ),
        (
            "model: {ci_lag: 5, ic_enc_seq_len: 24}",
            "model: {ci_lag: 6, ic_enc_seq_len: 24}",
            "model.ci_lag: found 6; expected less than the 6 time steps that the controller's"
            " encoder sees",
        ),
        (
            "datamodule: {batch_size: 90}",
            "datamodule: {batch_size: 91}",
            "datamodule.batch_size: found 91; expected at most the 90 training trials in reach.h5",
        ),
        (
            "model: {ic_enc_seq_len: 4}\ndatamodule: {dm_ic_enc_seq_len: 4}",
            "model: {ic_enc_seq_len: 4}\ndatamodule: {dm_ic_enc_seq_len: 3}",
            "datamodule.dm_ic_enc_seq_len: found 3; expected model.ic_enc_seq_len, 4",
        ),
        (
            "model: {ic_enc_seq_len: 4}\ndatamodule: {dm_ic_enc_seq_len: 0}",
            "datamodule: {dm_ic_enc_seq_len: 3}",
            "datamodule.dm_ic_enc_seq_len: found 3; expected model.ic_enc_seq_len, 0",
        ),
    ],
)
def test_settings_that_do_not_fit_together(accepted: str, refused: str, message: str) -> None:
    resolved(accepted)
    assert error(refused) == f"spec.config: {message}"


def test_the_lag_of_a_controller_that_is_off_does_not_matter() -> None:
    resolved("model: {ci_lag: 30, co_dim: 0}")


def test_a_value_that_switches_it_off_is_accepted() -> None:
    off = "{reshuffle_tv_seed: null, reshuffle_tv_ratio: null, sv_rate: 0, sv_seed: 4}"
    resolved(f"datamodule: {off}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such configuration file"):
        resolve({}, config_file=tmp_path / "none.yaml", sizes=SIZES)


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    levels = "".join(f"  k{i}: &k{i} [*k{i - 1}, *k{i - 1}]\n" for i in range(1, 40))
    text = f"callbacks:\n  k0: &k0 [1, 2]\n{levels}"
    assert "config.yaml: holds more than 100000 values" in file_error(tmp_path, text)
    assert "holds more than 100000 values" in file_error(tmp_path, "callbacks: &a [*a]\n")


def test_two_names_for_one_mapping_are_two_mappings(tmp_path: Path) -> None:
    text = "callbacks: {prior: &p {tau: 5}}\nmodel: {co_prior: *p}\nlogger: *p\n"
    spec = {"config": {"model": {"co_prior": {"nvar": 0.7}, "l2_start_epoch": "${logger.nvar}"}}}
    assert "there is no key 'logger.nvar'" in file_error(tmp_path, text, **spec)


def test_yaml_that_is_more_than_text_and_numbers_is_refused(tmp_path: Path) -> None:
    message = file_error(tmp_path, "callbacks: {a: !!binary aGVsbG8=}\n")
    assert message.startswith("config.yaml: callbacks.a: found bytes; expected ")
