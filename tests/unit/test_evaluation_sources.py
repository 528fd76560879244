"""Results are found in folders and zips; what is wrong with either is one sentence."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation_files import NAME, N, R, contents, write, zipped

from autolfads_trainer.evaluation.evaluate import evaluate_file, evaluate_results
from autolfads_trainer.userinput import InputError


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, to see whether any are left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return write(tmp_path / "results" / NAME, contents())


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        evaluate_results(path)
    message = str(error.value)
    assert message.startswith(f"{path}")
    assert "\n" not in message
    return message.removeprefix(f"{path}").removeprefix(": ")


def test_a_file_a_folder_a_run_and_a_zip_give_the_same(tmp_path, output, scratch):
    archive = zipped(tmp_path / "autolfads.zip", (NAME, output))
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(archive, alone)

    (expected,) = evaluate_results(output)

    assert expected.session == "sess0"
    for path in (output.parent, output.parent.parent, archive, alone):
        assert evaluate_results(path) == (expected,), path
    assert list(scratch.iterdir()) == []


def test_sessions_are_in_the_order_of_their_numbers(tmp_path, output):
    names = [f"lfads_output_sess{number}.h5" for number in (10, 2, 1)]
    for name in names:
        shutil.copy(output, tmp_path / name)
    archive = zipped(tmp_path / "all.zip", *((name, output) for name in names))

    for path in (tmp_path, archive):
        sessions = [one.session for one in evaluate_results(path)]
        assert sessions == ["sess1", "sess2", "sess10"]


def test_a_zip_of_a_folder_and_other_members_are_no_hindrance(tmp_path, output):
    other = tmp_path / "fitlog.csv"
    other.write_text("x")
    archive = zipped(
        tmp_path / "a.zip",
        ("results/fitlog.csv", other),
        ("../../fitlog.csv", other),
        (f"__MACOSX/results/._{NAME}", other),
        (f"results/{NAME}", output),
    )

    assert len(evaluate_results(archive)) == 1
    assert not (tmp_path.parent.parent / "fitlog.csv").exists()


@pytest.mark.parametrize("place", ["../", "/tmp/", "a/../../", "..\\"])
def test_a_file_of_results_outside_of_the_zip_is_refused(tmp_path, output, scratch, place):
    archive = zipped(tmp_path / "a.zip", ("b", output))
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr(zipfile.ZipInfo(place + NAME), output.read_bytes())

    assert "a place outside of it" in refused(archive)
    assert list(scratch.iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path):
    entry = zipfile.ZipInfo(NAME)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as written:
        written.writestr(entry, "/etc/passwd")

    assert "is a link or a device" in refused(tmp_path / "a.zip")


def test_a_session_twice_in_a_zip_is_refused(tmp_path, output):
    archive = zipped(tmp_path / "a.zip", (NAME, output), (f"again/{NAME}", output))
    assert f"holds '{NAME}' twice" in refused(archive)


def declaring(path: Path, output: Path, size: int) -> Path:
    """Write a zip whose directory says that its member is of this size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        written.write(output, NAME)
        written.filelist[0].file_size = size
    return path


def test_a_zip_that_says_to_be_more_than_the_disk_has_room_for_is_refused(
    tmp_path, output, scratch
):
    message = refused(declaring(tmp_path / "a.zip", output, 2**60))

    assert message.startswith(f"'{NAME}' unpacks to {2**60} bytes; ")
    assert message.endswith(f" are free in {scratch}, where temporary files go")
    assert list(scratch.iterdir()) == []


def test_no_more_is_unpacked_than_a_zip_says(tmp_path, output, scratch):
    message = refused(declaring(tmp_path / "a.zip", output, 1000))

    assert message.startswith(f"'{NAME}' cannot be unpacked: ")
    assert list(scratch.iterdir()) == []


def test_a_damaged_zip_is_refused(tmp_path, output, scratch):
    archive = zipped(tmp_path / "a.zip", (NAME, output))
    raw = archive.read_bytes()

    archive.write_bytes(raw[: len(raw) // 2])
    assert refused(archive).startswith("is a broken zip: ")

    changed = bytearray(raw)
    changed[len(raw) // 2] ^= 0xFF
    archive.write_bytes(changed)
    assert "cannot be unpacked" in refused(archive)
    assert list(scratch.iterdir()) == []


def test_an_encrypted_zip_is_refused(tmp_path, output):
    archive = zipped(tmp_path / "a.zip", (NAME, output))
    raw = bytearray(archive.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(raw)
    assert "encrypted" in refused(archive)


def test_a_zip_and_a_folder_without_results_are_refused(tmp_path, output):
    archive = zipped(tmp_path / "a.zip", ("lfads_output_.h5", output))
    assert refused(archive).startswith("holds no file 'lfads_output_<session>.h5'; expected")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refused(empty).startswith("holds no file of results; expected")


def test_what_is_in_a_zip_is_named_by_its_place_there(tmp_path):
    broken = contents() | {"valid_recon_data": np.zeros((2, 3))}
    archive = zipped(tmp_path / "a.zip", (NAME, write(tmp_path / "b.h5", broken)))
    assert refused(archive).startswith(f"/{NAME}: 'valid_recon_data' has sizes (2, 3)")

    text = tmp_path / "text"
    text.write_text("no HDF5")
    archive = zipped(tmp_path / "b.zip", (NAME, text))
    assert refused(archive).startswith(f"/{NAME}: is not an HDF5 file")


def test_what_is_no_results_is_refused(tmp_path):
    assert refused(tmp_path / "missing.zip").startswith("there is no such file; expected")
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    assert refused(text).startswith("is not an HDF5 file")
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe").startswith("is no regular file")


# --- files ---------------------------------------------------------------------------------------


def test_a_file_without_rates_is_refused(tmp_path):
    held = {name: array for name, array in contents().items() if "output" not in name}
    message = refused(write(tmp_path / "input.h5", held))
    assert message.startswith("has no dataset 'valid_output_params'")
    assert message.endswith("found train_encod_data, train_recon_data, valid_encod_data, "
                            "valid_recon_data")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"valid_encod_data": None}, "has no dataset 'valid_encod_data'"),
        ({"valid_output_params": np.ones((4, 3))}, "expected (trials, steps, channels)"),
        ({"valid_output_params": np.ones((0, R, N))}, "'valid_output_params' has sizes (0, 14, 6)"),
        ({"valid_recon_data": np.ones((12, R, N + 1))}, "expected (12, 14, 6), as 'valid_output_"),
        ({"valid_encod_data": np.ones((12, R + 1, N))}, "has 15 steps and 6 channels, more than"),
        (
            {"valid_output_params": np.full((12, R, N), np.nan)},
            "holds nan at trial 0; expected fin",
        ),
        (
            {"valid_recon_data": np.full((12, R, N), np.inf)},
            "holds inf at trial 0; expected finite",
        ),
        ({"valid_truth": np.ones((12, R, N))}, "has 'valid_truth' but no 'conversion_factor'"),
        ({"valid_output_params": np.full((12, R, N), b"x")}, "expected numbers"),
        (
            {"valid_truth": np.ones((12, R, N)), "conversion_factor": 0.0},
            "'conversion_factor' is 0; expected one number above 0",
        ),
        (
            {"valid_truth": np.ones((12, R, N)), "conversion_factor": np.ones(2)},
            "'conversion_factor' has sizes (2,); expected one number above 0",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, change, expected):
    held = {name: array for name, array in (contents() | change).items() if array is not None}
    assert expected in refused(write(tmp_path / NAME, held))


def test_numbers_in_another_file_are_refused(tmp_path):
    write(tmp_path / "other.h5", contents())
    held = contents()
    del held["train_output_params"]
    path = write(tmp_path / NAME, held)
    with h5py.File(path, "r+") as file:
        file["train_output_params"] = h5py.ExternalLink("other.h5", "train_output_params")
    assert "is a link into another file" in refused(path)


def test_a_name_without_the_prefix_is_the_session(tmp_path):
    assert evaluate_file(write(tmp_path / "monday.h5", contents())).session == "monday"
