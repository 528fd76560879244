"""`autolfads convert`: the same model here, and the same weights there."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import lightning_examples as examples
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from small_models import NO_CONTROLLER, OTHERS, model_settings, randomised, same, small_data

from autolfads_trainer import LFADS
from autolfads_trainer.config import classes
from autolfads_trainer.exchange import command
from autolfads_trainer.exchange.conversion import plain_weights, to_lfads
from autolfads_trainer.exchange.lightning import read_lightning
from autolfads_trainer.training.checkpoint import load_file, save_file
from autolfads_trainer.userinput import InputError

CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "no controller": NO_CONTROLLER,
    "external input": {"ext_input_dim": 2, "ic_enc_seq_len": 2},
    "linear read-in": {"readin": [{"_target_": classes.FAN_IN_LINEAR, "out_features": 2}]},
    "other cells": {"cell_clip": 0.4, "ic_post_var_min": 0.3, "ci_lag": 2},
    **{name: OTHERS[name] for name in ("Gaussian", "ZeroInflatedGamma", "not variational")},
}


def outputs(model: LFADS, session: int = 0) -> dict[str, torch.Tensor]:
    """Return all that a model infers of the same data."""
    sizes = model.sizes
    data = small_data(ext_input_dim=sizes.ext_input_dim).valid
    channels = sizes.sessions[session].encod_data_dim
    encod = data.recon[:, : sizes.encod_seq_len, :channels]
    with torch.no_grad():
        return dict(vars(model(encod, data.ext_input, session=session)))


def convert(*words: object) -> Result:
    """Give the command, and return what it says."""
    result = CliRunner().invoke(command.convert, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refusal(*words: object) -> str:
    with pytest.raises(InputError) as caught:
        convert(*words)
    return str(caught.value)


# To here.


@pytest.mark.parametrize("case", CASES)
def test_a_converted_model_infers_the_same_bit_for_bit(case, tmp_path):
    model = examples.model(**CASES[case])
    path = examples.saved(tmp_path / "a.ckpt", model)

    found = to_lfads(path, {"model": model.configuration})

    assert same(outputs(found), outputs(model))
    assert not found.training


def test_the_weights_decide_and_not_what_a_model_starts_with(tmp_path):
    model = examples.model()
    path = examples.saved(tmp_path / "a.ckpt", model)

    found = to_lfads(path)

    assert same(outputs(found), outputs(model))
    assert not same(outputs(found), outputs(LFADS(found.configuration)))


def test_without_a_controller_its_start_state_there_is_of_no_use(tmp_path):
    model = examples.model(**NO_CONTROLLER)
    content = examples.checkpoint_of(model, con_dim=5)
    content["state_dict"]["decoder.con_h0"] = torch.ones(1, 5)

    found = to_lfads(examples.write(tmp_path / "a.ckpt", content))

    assert same(outputs(found), outputs(model))


def test_weights_of_several_sessions_make_a_model_of_them(tmp_path):
    settings = model_settings()
    linear = {"_target_": classes.FAN_IN_LINEAR}
    settings["readin"] = [{**linear, "in_features": n, "out_features": 3} for n in (4, 2)]
    settings["readout"] = {
        "_target_": classes.MODULE_LIST,
        "modules": [{**linear, "in_features": 4, "out_features": n} for n in (5, 3)],
    }
    settings["reconstruction"] = [{"_target_": classes.POISSON}] * 2
    model = randomised(LFADS(settings))

    found = to_lfads(examples.saved(tmp_path / "a.ckpt", model))

    for session in range(2):
        assert same(outputs(found, session), outputs(model, session))
    assert not torch.equal(outputs(found, 0)["factors"], outputs(found, 1)["factors"])


def test_names_that_do_not_fit_are_one_error(tmp_path):
    content = examples.checkpoint_of(examples.model())
    del content["state_dict"]["encoder.ic_enc_h0"]
    content["state_dict"]["decoder.more"] = torch.ones(1)
    path = examples.write(tmp_path / "a.ckpt", content)

    with pytest.raises(InputError) as caught:
        to_lfads(path)

    assert str(caught.value).startswith(
        f"{path}: state_dict: missing encoder.ic_enc_h0; unexpected decoder.more; expected"
    )


def test_the_checkpoint_that_is_written_is_read_as_a_run_s(tmp_path):
    model = examples.model()
    source, out = examples.saved(tmp_path / "a.ckpt", model), tmp_path / "model.ckpt"

    said = convert(source, out).output

    found = LFADS.load_from_checkpoint(out)
    assert same(outputs(found), outputs(model))
    assert found.configuration == to_lfads(source).configuration
    assert load_file(out)["converted_from"] == examples.TRAINED
    *notes, last = said.splitlines()
    assert last == (f"{out}: LFADS with 7 generator units, 4 factors and 5 outputs, after epoch 12")
    assert any("Poisson with 5 channels is assumed" in note for note in notes)
    assert all(note.startswith(f"{out}: ") for note in notes)


def test_the_configuration_of_the_run_says_what_the_file_does_not(tmp_path):
    model = examples.model(**OTHERS["Gaussian"])
    source, out = examples.saved(tmp_path / "a.ckpt", model), tmp_path / "model.ckpt"
    config = tmp_path / "config.yaml"
    said = {"model": {"reconstruction": model.configuration["reconstruction"]}}
    config.write_text(yaml.safe_dump(said | {"trainer": {"max_epochs": "1_000"}}))

    result = convert(source, out, "--config", config)

    assert same(outputs(LFADS.load_from_checkpoint(out)), outputs(model))
    assert "assumed" not in result.output
    config.write_text("model: {gen_dim: 9}")
    assert refusal(source, out, "--config", config, "--force").startswith(
        f"{config}: model.gen_dim: found 9; expected 7"
    )


# To there.


def fresh(model: LFADS) -> LFADS:
    return LFADS(model.configuration, seed=99)


@pytest.mark.parametrize("case", ["usual", "no controller", "ZeroInflatedGamma"])
def test_plain_weights_of_ours_are_loaded_as_a_state_dict(case, tmp_path):
    model = examples.model(**CASES[case])
    source, out = tmp_path / "model.ckpt", tmp_path / "weights.pt"
    content = {"configuration": {"model": model.configuration}, "state_dict": model.state_dict()}
    save_file(source, content)

    result = convert(source, out, "--plain")

    weights = torch.load(out, weights_only=True)
    assert type(weights) is OrderedDict
    assert list(weights) == list(model.state_dict())
    other = fresh(model)
    other.load_state_dict(weights)
    assert same(outputs(other), outputs(model))
    count = len(model.state_dict())
    assert result.output == f"{out}: {count} weights by the existing pipeline's names\n"


def test_plain_weights_of_lightning_are_all_that_there_are(tmp_path):
    model = examples.model()
    content = examples.checkpoint_of(model)
    content["state_dict"] |= {"mine.weight": torch.ones(2), "valid_recon_smth.value": torch.ones(1)}
    source, out = examples.write(tmp_path / "a.ckpt", content), tmp_path / "weights.pt"

    convert(source, out, "--plain")

    expected = dict(model.state_dict()) | {"mine.weight": torch.ones(2)}
    assert same(dict(torch.load(out, weights_only=True)), expected)


def test_there_and_back_changes_nothing(tmp_path):
    model = examples.model()
    source, here, there = (tmp_path / name for name in ("a.ckpt", "model.ckpt", "weights.pt"))
    examples.saved(source, model)
    convert(source, here)
    convert(here, there, "--plain")

    weights = torch.load(there, weights_only=True)

    assert same(dict(weights), read_lightning(source).state_dict)


def test_of_a_slice_only_the_slice_is_written(tmp_path):
    path, out = tmp_path / "a.ckpt", tmp_path / "weights.pt"
    examples.write(path, {"state_dict": {"w": torch.ones(100_000)[:3]}})

    convert(path, out, "--plain")

    assert out.stat().st_size < 10_000
    assert same(dict(torch.load(out, weights_only=True)), {"w": torch.ones(3)})


@pytest.mark.parametrize("content", [{}, {"state_dict": [1]}, {"state_dict": {"w": 1}}])
def test_a_checkpoint_of_ours_without_weights_is_told(content, tmp_path):
    save_file(tmp_path / "a.ckpt", content)

    with pytest.raises(InputError, match=r"a\.ckpt: holds no weights; expected a state_dict"):
        plain_weights(tmp_path / "a.ckpt")


# What is refused.


@pytest.fixture
def source(tmp_path) -> Path:
    return examples.saved(tmp_path / "a.ckpt")


def test_a_file_is_overwritten_only_by_force(source, tmp_path):
    out = tmp_path / "out"
    out.write_text("precious")

    for more in ((), ("--plain",)):
        message = refusal(source, out, *more)
        assert message == f"{out}: exists already; choose another name, or overwrite with --force"
        assert out.read_text() == "precious"

    convert(source, out, "--force")
    assert LFADS.load_from_checkpoint(out).sizes.gen_dim == 7


def test_what_is_converted_is_not_overwritten_by_itself(source):
    before = source.read_bytes()

    assert refusal(source, source, "--force") == f"{source}: is IN itself; choose another name"
    assert source.read_bytes() == before


def test_where_nothing_can_be_written_is_known_before_the_work(source, tmp_path):
    for out, message in (
        (tmp_path, "is a folder; expected the name of the checkpoint to write"),
        (tmp_path / "no" / "a", f"there is no folder {tmp_path / 'no'}; create it first"),
    ):
        assert refusal(tmp_path / "none.ckpt", out) == f"{out}: {message}"


def test_a_name_that_no_disk_takes_is_told(source, tmp_path):
    out = tmp_path / ("x" * 300)

    assert refusal(source, out).startswith(f"{out}: cannot be written: File name too long")


def test_a_configuration_for_plain_weights_is_not_taken_in_silence(source, tmp_path):
    assert refusal(source, tmp_path / "b", "--plain", "--config", "c.yaml").startswith(
        "convert: found --config with --plain; expected one of them"
    )


def test_what_is_wrong_with_the_file_leaves_nothing(tmp_path):
    source, out = tmp_path / "none.ckpt", tmp_path / "b.ckpt"

    for more in ((), ("--plain",)):
        assert refusal(source, out, *more) == f"{source}: no such checkpoint"
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_ours_needs_no_conversion(tmp_path):
    save_file(tmp_path / "a.ckpt", {"state_dict": {}})

    message = refusal(tmp_path / "a.ckpt", tmp_path / "b.ckpt")

    assert message.startswith(f"{tmp_path / 'a.ckpt'}: is a checkpoint of autolfads already;")


def test_a_lightning_checkpoint_loads_as_any_other(tmp_path: Path) -> None:
    original = examples.model()
    path = examples.saved(tmp_path / "theirs.ckpt", original)
    assert same(outputs(LFADS.load_from_checkpoint(path)), outputs(original))
    path.write_bytes(b"cut")
    with pytest.raises(InputError, match="is not a checkpoint"):
        LFADS.load_from_checkpoint(path)
