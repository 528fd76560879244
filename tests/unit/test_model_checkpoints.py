"""A model's file: read back whole, refused when it is something else, never run."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_models import configuration, same, small_model

from autolfads_trainer import LFADS
from autolfads_trainer.training.checkpoint import FORMAT, load_file, save_file
from autolfads_trainer.userinput import InputError


def saved_model(path: Path) -> LFADS:
    config = configuration()
    model = small_model()
    save_file(path, {"configuration": config, "state_dict": model.state_dict()})
    return model


def test_a_model_is_rebuilt_from_its_file_alone(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "model.ckpt")
    loaded = LFADS.load_from_checkpoint(tmp_path / "model.ckpt")
    encod = torch.ones(2, 6, 3)
    assert torch.equal(loaded(encod).output_params, model(encod).output_params)
    assert loaded.configuration == model.configuration
    assert not loaded.training
    assert same(
        LFADS.load_from_checkpoint(str(tmp_path / "model.ckpt")).state_dict(), model.state_dict()
    )


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    content = {"tensor": torch.arange(3), "text": "ä", "list": [1, 2.5, None], "nan": float("nan")}
    save_file(tmp_path / "file", content)
    assert same(load_file(tmp_path / "file"), {"format": FORMAT, **content})


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def hostile_torch_file(path: Path, trap: Path) -> None:
    torch.save({"format": FORMAT, "state_dict": Hostile(trap)}, path)


def hostile_pickle(path: Path, trap: Path) -> None:
    path.write_bytes(pickle.dumps(Hostile(trap), protocol=2))


@pytest.mark.parametrize("write", [hostile_torch_file, hostile_pickle])
def test_a_file_from_a_stranger_runs_no_code(tmp_path: Path, write: Any) -> None:
    path, trap = tmp_path / "model.ckpt", tmp_path / "trap"
    write(path, trap)
    with pytest.raises(InputError, match=r"model\.ckpt: is not a checkpoint that can be read"):
        LFADS.load_from_checkpoint(path)
    assert not trap.exists()


def no_file(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def empty_file(path: Path) -> None:
    path.touch()


def text_file(path: Path) -> None:
    path.write_text("epoch,loss\n0,1.5\n")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fitlog.csv", "epoch")


def cut_short(path: Path) -> None:
    saved_model(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def bare_tensor(path: Path) -> None:
    torch.save(torch.ones(3), path)


def bare_weights(path: Path) -> None:
    torch.save(small_model().state_dict(), path)


def no_model(path: Path) -> None:
    save_file(path, {"state_dict": small_model().state_dict()})


def other_weights(path: Path) -> None:
    weights = small_model(gen_dim=9).state_dict()
    save_file(path, {"configuration": configuration(), "state_dict": weights})


def later_format(path: Path) -> None:
    torch.save({"format": FORMAT + 1}, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (no_file, "no such checkpoint"),
        (folder, "is not a checkpoint that can be read safely"),
        (empty_file, "is not a checkpoint that can be read safely"),
        (text_file, "is not a checkpoint that can be read safely"),
        (other_zip, "is not a checkpoint that can be read safely"),
        (cut_short, "is not a checkpoint that can be read safely"),
        (bare_tensor, "expected a checkpoint of format 1; found 'Tensor'"),
        (bare_weights, "expected a checkpoint of format 1; found None"),
        (no_model, "holds no model that fits its weights"),
        (other_weights, "holds no model that fits its weights"),
        (later_format, "expected a checkpoint of format 1; found 2"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, write: Any, message: str) -> None:
    path = tmp_path / "model.ckpt"
    write(path)
    with pytest.raises(InputError) as caught:
        LFADS.load_from_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=60))
@example(content=b"R")  # of a pickle that takes from an empty stack
@example(content=b"epoch")
def test_any_bytes_are_refused_by_name(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.ckpt"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.ckpt: "):
            load_file(path)


def test_a_write_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_file(path, {"number": 1})
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        save_file(path, {"number": (value for value in [1])})
    assert load_file(path)["number"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
