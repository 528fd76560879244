"""Whatever is broken or hostile: users get one sentence, never a traceback, and nothing hangs."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from recording_files import contents, write_file
from run_directory_examples import Disk, failing, listing, order

from autolfads_trainer import LFADS
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.places import Place
from autolfads_trainer.store import RunFolder, create_once
from autolfads_trainer.training.checkpoint import load_file, save_file
from autolfads_trainer.userinput import InputError
from autolfads_trainer.volume import check_volume
from autolfads_trainer.yaml_text import parse_yaml


# store
@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_link_that_fails_in_passing_is_tried_again(number, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    Disk(monkeypatch).at[2] = failing(number)
    assert create_once(tmp_path / "order.json", order()) == order()


def test_renaming_is_really_tried(tmp_path, monkeypatch):
    # Between two links of one file a rename does nothing, on every volume.
    seen = []
    real = Place.rename
    monkeypatch.setattr(Place, "rename", lambda a, b: (seen.append(a.is_same(b)), real(a, b))[1])
    check_volume(tmp_path)
    assert seen == [False]


def test_a_volume_without_folders_is_told(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "mkdir", fails)
    with pytest.raises(StoreError, match="create a folder"):
        check_volume(tmp_path / "new")


def test_a_read_only_volume_is_told(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "unlink", fails)  # also of what is not there, as Linux does
    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(StoreError, match="write and fsync"):
        check_volume(tmp_path)


@pytest.mark.parametrize("name", [".", "./", "a\0b"])
def test_no_record_names_the_whole_folder(name, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(StoreError):
        RunFolder(tmp_path).remove(name)
    assert listing(tmp_path) == ["run.json"]


def test_a_link_to_a_folder_is_removed(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    RunFolder(tmp_path).remove("link")
    assert listing(tmp_path) == ["other"]


@pytest.mark.parametrize("why", ["x" * 4_000_001, "\udcff"])
def test_a_record_that_nobody_could_read_is_not_written(why, tmp_path):
    with pytest.raises(StoreError):
        create_once(tmp_path / "order.json", order(why=why))
    assert listing(tmp_path) == []


# hdf5
@pytest.mark.parametrize(
    "name", ["train_encod_data", "valid_ext_input", "train_truth", "conversion_factor"]
)
@pytest.mark.parametrize(
    "value",
    [h5py.SoftLink("/nowhere"), h5py.ExternalLink("no.h5", "/a"), h5py.Empty("f4"), {}],
)
def test_links_that_lead_nowhere_and_datasets_of_nothing(name, value, tmp_path):
    made = contents(train_ext_input=np.ones((6, 7, 1)), valid_ext_input=np.ones((4, 7, 1)))
    made |= {"train_truth": np.ones((6, 9, 5)), "conversion_factor": 1.0, name: value}
    with pytest.raises(InputError, match=f"'{name}' "):
        read_recording(write_file(tmp_path / "a.h5", made))


@pytest.mark.parametrize("shape", [(10**6, 10**5, 3), (2**40, 2**40, 3)])
def test_a_dataset_too_large_for_any_memory(shape, tmp_path):
    path = write_file(tmp_path / "a.h5", contents())
    with h5py.File(path, "r+") as file:
        del file["train_encod_data"]
        file.create_dataset("train_encod_data", shape, "f4", chunks=(10, 10, 3))
    with pytest.raises(InputError, match="'train_encod_data' cannot be read"):
        read_recording(path)


def test_a_file_name_that_is_too_long():
    with pytest.raises(InputError, match="File name too long"):
        read_recording(Path("x" * 300))


def test_a_file_that_may_not_be_read(tmp_path):
    path = write_file(tmp_path / "a.h5", contents())
    path.chmod(0)
    if os.access(path, os.R_OK):
        child = os.fork()
        if child == 0:
            tmp_path.chmod(0o755)
            for parent in list(tmp_path.parents)[:3]:
                parent.chmod(0o755)
            os.setuid(65534)
            try:
                read_recording(path)
            except InputError as error:
                os._exit(0 if "Permission denied" in str(error) else 1)
            except BaseException:
                os._exit(2)
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_external_input_of_one_split_names_what_is_missing(tmp_path):
    made = contents(train_ext_input=np.ones((6, 7, 1)))
    with pytest.raises(InputError, match="has 'train_ext_input' but no 'valid_ext_input'"):
        read_recording(write_file(tmp_path / "a.h5", made))


@pytest.mark.filterwarnings("error")
def test_a_damaged_file_is_read_or_refused(tmp_path):
    whole = write_file(tmp_path / "a.h5", contents()).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(400):
        spoiled = bytearray(whole)
        for place in random.integers(0, min(len(whole), 2500), 3):
            spoiled[place] = random.integers(256)
        (tmp_path / "b.h5").write_bytes(spoiled)
        with contextlib.suppress(InputError):
            read_recording(tmp_path / "b.h5")


# checkpoints
@pytest.mark.parametrize("content", [b"hello world", b"epoch,1\n", b"\x00" * 50, b"PK\x03\x04"])
def test_a_text_file_is_no_checkpoint(content, tmp_path):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(InputError):
        load_file(tmp_path / "a.ckpt")


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_checkpoint_is_read_or_refused(tmp_path):
    save_file(tmp_path / "a", {"a": torch.arange(10.0), "b": [1, 2.0, "x", None]})
    whole = (tmp_path / "a").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(600):
        spoiled = bytearray(whole)
        spoiled[random.integers(len(whole))] = random.integers(256)
        (tmp_path / "b").write_bytes(spoiled)
        with contextlib.suppress(InputError):
            load_file(tmp_path / "b")


def test_no_error_advises_to_run_code(tmp_path):
    torch.save({"format": 1, "a": Path("x")}, tmp_path / "a")
    with pytest.raises(InputError) as caught:
        load_file(tmp_path / "a")
    assert "trust" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("found", [torch.ones(3), True, 1.0])
def test_a_format_of_another_type(found, tmp_path):
    torch.save({"format": found}, tmp_path / "a")
    with pytest.raises(InputError, match="expected a checkpoint of format 1"):
        load_file(tmp_path / "a")


@pytest.mark.parametrize(
    "content", [{}, {"configuration": {"model": {}}, "state_dict": {}}, {"configuration": 3}]
)
def test_a_checkpoint_without_a_model(content, tmp_path):
    save_file(tmp_path / "a", content)
    with pytest.raises(InputError, match="holds no model"):
        LFADS.load_from_checkpoint(tmp_path / "a")


# yaml
@pytest.mark.parametrize(
    "text",
    [
        "a: \x07b",
        "a\0: b",
        "a: !!bool maybe",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: !!float ''",
    ],
)
def test_every_text_is_read_or_refused(text):
    with pytest.raises(InputError, match=r"^s: is not valid YAML"):
        parse_yaml(text, "s", "manifest")


def test_a_mapping_that_is_merged_elsewhere_first_may_override():
    text = "x: &x {a: 1, b: 2}\ng:\n  i: &i {<<: *x, a: 5}\ntop: {<<: *i}"
    found = parse_yaml(text, "s", "manifest")
    assert found["top"] == found["g"]["i"] == {"a": 5, "b": 2}


def test_merges_that_multiply_are_refused():
    text = "a0: &a0 {x: 1}\n" + "".join(
        f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 45)
    )
    with pytest.raises(InputError, match="more than"):
        parse_yaml(text, "s", "manifest")


def test_pairs_hide_no_bomb():
    text = "a0: &a0 {x: 1}\n" + "".join(
        f"a{i}: &a{i} !!pairs [x: *a{i - 1}, y: *a{i - 1}]\n" for i in range(1, 45)
    )
    with pytest.raises(InputError):
        parse_yaml(text, "s", "manifest")
