"""Checkpoints: written whole, read without running code, and a model rebuilt from them."""

from __future__ import annotations

import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from run_directory_examples import Disk, die, end_of, in_child, listing
from small_models import never, same, small_data, small_member, small_model

from autolfads_trainer import LFADS
from autolfads_trainer.training.checkpoint import FORMAT, load_file, save_file
from autolfads_trainer.userinput import InputError


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def refusal(path: Path, load=load_file) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def by_torch(path: Path, trap: Trap) -> None:
    torch.save({"format": FORMAT, "state_dict": {"weight": trap}}, path)


def by_old_torch(path: Path, trap: Trap) -> None:
    torch.save({"format": FORMAT, "a": trap}, path, _use_new_zipfile_serialization=False)


def by_pickle(path: Path, trap: Trap) -> None:
    path.write_bytes(pickle.dumps({"format": FORMAT, "a": trap}, protocol=2))


def put_into_a_good_one(path: Path, trap: Trap) -> None:
    good = path.with_name("good.ckpt")
    save_file(good, {"weight": torch.ones(2)})
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = pickle.dumps({"format": FORMAT, "a": trap}, protocol=2)
            target.writestr(entry.filename, content)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [by_torch, by_old_torch, by_pickle, put_into_a_good_one])
@pytest.mark.parametrize("load", [load_file, LFADS.load_from_checkpoint])
def test_code_in_a_checkpoint_is_refused_and_not_run(write, load, tmp_path):
    sprung = tmp_path / "sprung"
    path = tmp_path / "model.ckpt"
    write(path, Trap(sprung))

    message = refusal(path, load)

    assert message.startswith("is not a checkpoint that can be read safely: ")
    assert "\n" not in message
    assert not sprung.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_the_trap_is_one(tmp_path):
    by_torch(tmp_path / "model.ckpt", Trap(tmp_path / "sprung"))

    torch.load(tmp_path / "model.ckpt", weights_only=False)

    assert (tmp_path / "sprung").exists()


def test_whatever_a_member_is_comes_back_bit_for_bit(tmp_path):
    content = {
        "state_dict": {"weight": torch.randn(3, 4), "empty": torch.zeros(0, 2)},
        "moments": [torch.arange(5, dtype=torch.float64), torch.tensor(7)],
        "random": torch.Generator().manual_seed(1).get_state(),
        "rows": [{"epoch": 0, "valid/recon": 0.1 + 0.2, "valid/r2": math.nan}],
        "smoothed": math.inf,
        "plateau": None,
        "configuration": {"model": {"name": "σ", "list": [1, 2.5, True, None]}},
    }

    save_file(tmp_path / "checkpoint.ckpt", content)
    found = load_file(tmp_path / "checkpoint.ckpt")

    assert same(found, content | {"format": FORMAT})


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_checkpoint_whose_copying_broke_off_is_refused(share, tmp_path):
    path = tmp_path / "checkpoint.ckpt"
    save_file(path, {"weight": torch.randn(200, 30)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])

    assert refusal(path).startswith("is not a checkpoint that can be read safely: ")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    archive = tmp_path / "autolfads.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("fitlog.csv", "epoch")

    for path in (tmp_path, archive):
        assert refusal(path).startswith("is not a checkpoint that can be read safely: ")
    assert refusal(tmp_path / "none.ckpt") == "no such checkpoint"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"format": FORMAT + 1, "new": [1]}, "2"),
        ({"format": "1"}, "'1'"),
        ({"state_dict": {}, "pytorch-lightning_version": "1.9"}, "None"),
        ({}, "None"),
        ([1, 2], "'list'"),
        (torch.ones(3), "'Tensor'"),
        (None, "'NoneType'"),
    ],
)
def test_a_checkpoint_of_another_format_is_refused_with_what_was_found(content, found, tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save(content, path)

    assert refusal(path) == f"expected a checkpoint of format 1; found {found}"


def test_the_format_cannot_be_saved_over(tmp_path):
    save_file(tmp_path / "a.ckpt", {"weight": torch.ones(2)})

    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["format"] == FORMAT


def test_a_checkpoint_is_synced_before_it_has_its_name(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.ckpt"
    save_file(path, {"weight": torch.zeros(2)})
    disk = Disk(monkeypatch)
    seen = []
    disk.before = lambda: seen.append(float(load_file(path)["weight"].sum()))

    save_file(path, {"weight": torch.ones(2)})

    assert disk.names == ["write", "fsync", "replace", "fsync folder"]
    assert seen == [0, 0, 0, 2]


@pytest.mark.parametrize("step", range(3))
def test_a_worker_killed_while_it_saves_leaves_the_checkpoint_before(step, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.ckpt"
    save_file(path, {"weight": torch.zeros(2)})
    Disk(monkeypatch).at[step] = die

    assert end_of(in_child(lambda: save_file(path, {"weight": torch.ones(2)}))) == 9

    assert float(load_file(path)["weight"].sum()) == 0


def test_what_cannot_be_saved_leaves_no_file(tmp_path):
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        save_file(tmp_path / "checkpoint.ckpt", {"generator": (number for number in ())})

    assert listing(tmp_path) == []


# The model of a checkpoint.


def saved(path: Path, model: LFADS, **more: Any) -> Path:
    save_file(
        path,
        {
            "configuration": {"model": model.configuration},
            "state_dict": model.state_dict(),
            **more,
        },
    )
    return path


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ci_enc_dim": 0, "con_dim": 0, "co_dim": 0},
        {"ext_input_dim": 2},
        {"ic_enc_seq_len": 2},
    ],
)
def test_a_model_is_rebuilt_with_its_weights_and_gives_the_same_rates(settings, tmp_path):
    model = small_model(seed=3, **settings)
    data = small_data(ext_input_dim=settings.get("ext_input_dim", 0)).valid

    found = LFADS.load_from_checkpoint(saved(tmp_path / "model.ckpt", model))

    assert same(found.state_dict(), model.state_dict())
    assert found.configuration == model.configuration
    assert found.sizes == model.sizes
    with torch.no_grad():
        rates = found(data.encod, data.ext_input).output_means
        assert torch.equal(rates, model(data.encod, data.ext_input).output_means)


def test_a_model_to_infer_with_is_in_evaluation_mode_and_may_be_named_by_text(tmp_path):
    path = saved(tmp_path / "model.ckpt", small_model())

    found = LFADS.load_from_checkpoint(str(path), "cpu")

    assert not found.training
    assert {parameter.device.type for parameter in found.parameters()} == {"cpu"}


def test_the_checkpoint_of_a_member_in_training_holds_its_model(tmp_path):
    member = small_member(epochs=1)
    member.train(never)
    member.save(tmp_path / "checkpoint.ckpt")

    found = LFADS.load_from_checkpoint(tmp_path / "checkpoint.ckpt")

    assert same(found.state_dict(), member.model.state_dict())


def test_a_checkpoint_that_is_none_is_told_by_the_model_too(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save({"format": FORMAT + 1}, path)

    assert refusal(tmp_path / "none.ckpt", LFADS.load_from_checkpoint) == "no such checkpoint"
    assert refusal(path, LFADS.load_from_checkpoint).startswith("expected a checkpoint of format")
