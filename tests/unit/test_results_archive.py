"""`autolfads.zip`: what users and scripts open, the same bytes for the same content."""

from __future__ import annotations

import io
import os
import stat
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autolfads_trainer.results.archive import write_archive


def some_files(folder: Path) -> list[Path]:
    folder.mkdir()
    numbers = np.random.default_rng(0).integers(0, 4, 3 << 20, dtype=np.uint8)  # three blocks
    content = {
        "lfads_output_sess0.h5": numbers.tobytes(),
        "fitlog.csv": b",epoch,worker_id\n0,0,0\n1,1,0\n",
        "empty.json": b"",
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in content]


def test_every_file_is_at_the_top_level_in_the_order_given_and_whole(tmp_path):
    files = some_files(tmp_path / "results")

    write_archive(tmp_path / "autolfads.zip", files)

    with zipfile.ZipFile(tmp_path / "autolfads.zip") as archive:
        assert archive.namelist() == [file.name for file in files]
        assert archive.testzip() is None
        for file in files:
            assert archive.read(file.name) == file.read_bytes()


def test_a_script_reads_the_fit_log_out_of_it(tmp_path):
    write_archive(tmp_path / "autolfads.zip", some_files(tmp_path / "results"))

    with zipfile.ZipFile(tmp_path / "autolfads.zip") as archive:
        fitlog = pd.read_csv(io.BytesIO(archive.read("fitlog.csv")), index_col=0)

    assert fitlog["epoch"].tolist() == [0, 1]


def test_the_same_content_gives_the_same_bytes_whenever_and_wherever_it_is_made(tmp_path):
    first = some_files(tmp_path / "results")
    again = some_files(tmp_path / "of another run")
    for file in again:
        os.utime(file, (time.time() - 1e6, time.time() - 1e6))
        file.chmod(0o600)

    write_archive(tmp_path / "first.zip", first)
    write_archive(tmp_path / "again.zip", again)

    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_other_content_gives_other_bytes(tmp_path):
    files = some_files(tmp_path / "results")
    write_archive(tmp_path / "first.zip", files)
    files[1].write_bytes(files[1].read_bytes().replace(b"1", b"2"))
    write_archive(tmp_path / "again.zip", files)

    assert (tmp_path / "first.zip").read_bytes() != (tmp_path / "again.zip").read_bytes()


def test_files_are_packed_and_may_be_read_by_all_once_unpacked(tmp_path):
    files = some_files(tmp_path / "results")
    files[0].chmod(0o600)

    write_archive(tmp_path / "autolfads.zip", files)

    with zipfile.ZipFile(tmp_path / "autolfads.zip") as archive:
        entries = archive.infolist()
    assert all(stat.S_IMODE(entry.external_attr >> 16) == 0o644 for entry in entries)
    assert entries[0].compress_size < 0.5 * entries[0].file_size


def test_an_archive_that_was_there_is_replaced(tmp_path):
    files = some_files(tmp_path / "results")
    (tmp_path / "autolfads.zip").write_bytes(b"half of an earlier one" * 1000)

    write_archive(tmp_path / "autolfads.zip", files[1:2])

    with zipfile.ZipFile(tmp_path / "autolfads.zip") as archive:
        assert archive.namelist() == ["fitlog.csv"]


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"fitlog\.csv"):
        write_archive(tmp_path / "autolfads.zip", [tmp_path / "fitlog.csv"])
