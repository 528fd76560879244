"""Checkpoints of the existing pipeline: read as they are, with nothing of it installed."""

from __future__ import annotations

import io
import sys
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import lightning_examples as examples
import numpy as np
import pytest
import torch
from hostile_files import one_sentence
from small_models import NO_CONTROLLER, OTHERS, same

from autolfads_trainer.config.sections import ModelSection
from autolfads_trainer.exchange.lightning import Foreign, read_lightning
from autolfads_trainer.training.checkpoint import save_file

STACK = "lfads_torch.modules.augmentations.AugmentationStack"
DROPOUT = "lfads_torch.modules.augmentations.CoordinatedDropout"


def read_back(path: Path, content: Any) -> Foreign:
    return read_lightning(examples.write(path, content))


def with_hyperparameters(path: Path, **found: Any) -> dict[str, Any]:
    """Return what is read of these hyperparameters."""
    content = {"state_dict": {}, "hyper_parameters": found}
    return read_back(path, content).hyperparameters


@pytest.mark.parametrize(
    "settings", [{}, NO_CONTROLLER, {"ext_input_dim": 2}, OTHERS["ZeroInflatedGamma"]]
)
def test_weights_come_out_bit_for_bit(settings, tmp_path):
    model = examples.model(**settings)

    found = read_lightning(examples.saved(tmp_path / "a.ckpt", model))

    assert same(found.state_dict, dict(model.state_dict()))
    assert found.left_out == ()


def test_it_is_read_where_nothing_of_lightning_can_be_imported(tmp_path):
    path = examples.saved(tmp_path / "a.ckpt")
    with pytest.raises(ModuleNotFoundError):
        torch.load(path, weights_only=False)
    before = set(sys.modules)

    read_lightning(path)

    assert not [name for name in set(sys.modules) - before if name.startswith(examples.FOREIGN)]


def test_when_it_was_saved_is_told(tmp_path):
    found = read_lightning(examples.saved(tmp_path / "a.ckpt"))

    assert (found.epoch, found.global_step, found.lightning_version) == (12, 345, "1.9.0")
    assert found.path == tmp_path / "a.ckpt"


def test_what_is_not_said_of_its_training_is_none(tmp_path):
    found = read_back(tmp_path / "a.ckpt", {"state_dict": {}, "epoch": "12"})

    assert (found.epoch, found.global_step, found.lightning_version) == (None, None, None)
    assert found.hyperparameters == {}


def test_hyperparameters_are_plain_values(tmp_path):
    model = examples.model()

    found = read_lightning(examples.saved(tmp_path / "a.ckpt", model)).hyperparameters

    plain = {name: value for name, value in found.items() if name in model.configuration}
    for name in ("train_aug_stack", "infer_aug_stack", "co_prior"):
        del plain[name]
    assert plain == {name: model.configuration[name] for name in plain}
    assert len(plain) == len(ModelSection.model_fields)
    assert found["co_prior"] == {"_target_": "lfads_torch.modules.priors.OwnPrior"} | {
        "training": True
    }


def test_a_pickled_stack_can_be_looked_at(tmp_path):
    found = read_lightning(examples.saved(tmp_path / "a.ckpt")).hyperparameters

    (dropout,) = found["train_aug_stack"]["batch_transforms"]
    assert found["train_aug_stack"]["_target_"] == STACK
    assert found["train_aug_stack"]["loss_transforms"] == [dropout]
    assert dropout["_target_"] == DROPOUT
    assert dropout["cd_rate"] == 0.37
    assert dropout["ic_enc_seq_len"] == 0
    bernoulli = {"_target_": "torch.distributions.bernoulli.Bernoulli"}
    assert dropout["cd_pass_dist"] == bernoulli | {"probs": float(torch.tensor(0.1))}
    assert dropout["grad_masks"] == [{"_target_": "torch.Tensor", "shape": [2, 3]}]


def test_nodes_of_omegaconf_are_what_they_hold(tmp_path):
    node = examples.DictConfig({"rate": 0.5, "list": examples.ListConfig([1, "two", None])})

    assert with_hyperparameters(tmp_path / "a.ckpt", node=node) == {
        "node": {"rate": 0.5, "list": [1, "two", None]}
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(-7), -7),
        (np.uint8(200), 200),
        (np.bool_(True), True),
        (np.dtype(">f8").type(2.5), 2.5),
        (torch.tensor(3), 3),
        (torch.tensor([[0.25]]), 0.25),
        (torch.zeros(0), {"_target_": "torch.Tensor", "shape": [0]}),
        (torch.Size([2, 3]), [2, 3]),
        ((1, (2,)), [1, [2]]),
        ({1}, [1]),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (examples.AttributeDict(a=1), {"a": 1}),
        ({3: "three", None: 0}, {"3": "three", "None": 0}),
        (torch.float32, "torch.float32"),
        (1 << 500, 1 << 500),
        (float("inf"), float("inf")),
    ],
    ids=repr,
)
def test_a_value_of_others_becomes_a_plain_one(value, expected, tmp_path):
    found = with_hyperparameters(tmp_path / "a.ckpt", value=value)["value"]

    assert found == expected
    assert type(found) is type(expected)


def test_what_has_slots_or_arguments_keeps_them(tmp_path):
    found = with_hyperparameters(
        tmp_path / "a.ckpt",
        slots=examples.ModelCheckpoint(),
        enum=examples.RunningStage.TRAINING,
        kind=examples.VerySpecial,
    )

    name = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
    assert found["slots"] == {"_target_": name, "best": 0.25, "mode": "min"}
    stage = "pytorch_lightning.trainer.states.RunningStage"
    assert found["enum"] == {"_target_": stage, "_args_": ["train"]}
    assert found["kind"] == "lfads_torch.special.VerySpecial"


def test_parts_that_know_what_they_are_part_of_end(tmp_path):
    stack = examples.AugmentationStack([], [])
    stack.batch_transforms.append(stack)
    held: list[Any] = [1]
    held.append(held)

    found = with_hyperparameters(tmp_path / "a.ckpt", stack=stack, held=held)

    assert found["stack"]["batch_transforms"] == [{"_target_": STACK}]
    assert found["held"] == [1, "…"]


def test_a_leading_model_is_taken_off_names(tmp_path):
    weights = examples.model().state_dict()
    wrapped = {f"model.{name}": weight for name, weight in weights.items()}

    found = read_back(tmp_path / "a.ckpt", {"state_dict": wrapped})

    assert same(found.state_dict, dict(weights))


def test_a_name_that_is_there_in_both_ways_is_refused(tmp_path):
    name = "decoder.con_h0"
    path = examples.write(
        tmp_path / "a.ckpt", {"state_dict": {name: torch.ones(1), f"model.{name}": torch.ones(1)}}
    )

    message = one_sentence(path, read_lightning)

    assert message == f"state_dict: has '{name}' and 'model.{name}'"


def test_what_is_no_weight_is_left_out_and_told(tmp_path):
    others = {"valid_recon_smth.value": torch.ones(()), "train_aug_stack.mask": torch.ones(2)}
    weights = {"decoder.con_h0": torch.ones(1, 5), "readout_of_mine": torch.ones(3)}

    found = read_back(tmp_path / "a.ckpt", {"state_dict": others | weights})

    assert found.left_out == tuple(others)
    assert same(found.state_dict, weights)


def test_numbers_of_every_width_and_any_stride(tmp_path):
    numbers = torch.arange(24)
    weights = {
        str(dtype): numbers.to(dtype)
        for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8)
    } | {
        "transposed": numbers.float().reshape(4, 6).T,
        "a slice": numbers.double()[3:9:2],
        "empty": torch.zeros(2, 0, 3),
        "one": torch.tensor(1.5),
        "a parameter": torch.nn.Parameter(torch.ones(2, 2)),
    }

    found = read_back(tmp_path / "a.ckpt", {"state_dict": weights}).state_dict

    assert same(found, weights)


def test_weights_of_a_gpu_are_read_onto_the_cpu(tmp_path):
    weight = torch.arange(3.0)
    path = examples.write(tmp_path / "a.ckpt", {"state_dict": {"w": weight}})
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            part = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert part.count(b"X\x03\x00\x00\x00cpu") == 1
                part = part.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:1")
            target.writestr(entry.filename, part)

    found = read_lightning(path).state_dict["w"]

    assert same(found, weight)
    assert found.device.type == "cpu"


# What is something else.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "holds a list"),
        (torch.ones(2), "holds a tensor"),
        (None, "holds nothing"),
        ({"model": {}, "b": 1}, "has no state_dict, but b, model"),
        ({}, "has no state_dict, but nothing"),
        ({"state_dict": 3}, "has no state_dict, but state_dict"),
    ],
)
def test_what_is_no_checkpoint_of_lightning_is_told(content, message, tmp_path):
    path = examples.write(tmp_path / "a.ckpt", content)

    assert one_sentence(path, read_lightning) == (
        f"{message}; expected a checkpoint of PyTorch Lightning, with its state_dict and"
        " hyper_parameters"
    )


def test_a_weight_that_is_none_is_told(tmp_path):
    path = examples.write(tmp_path / "a.ckpt", {"state_dict": {"w": examples.VerySpecial()}})

    message = one_sentence(path, read_lightning)

    special = "lfads_torch.special.VerySpecial"
    assert message == f"state_dict: 'w' is an object of {special}; expected a tensor"


def test_a_checkpoint_of_ours_is_told(tmp_path):
    save_file(tmp_path / "a.ckpt", {"state_dict": {}})

    message = one_sentence(tmp_path / "a.ckpt", read_lightning)

    assert message.startswith("is a checkpoint of autolfads already; expected a checkpoint of")


def test_what_is_not_there_is_told(tmp_path):
    assert one_sentence(tmp_path / "a.ckpt", read_lightning) == "no such checkpoint"
    assert one_sentence(tmp_path, read_lightning).startswith("is not a checkpoint that can be read")
