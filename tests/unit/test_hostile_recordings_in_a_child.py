"""A recording is first read by a process that may die of it."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from hostile_files import one_sentence
from recording_files import contents, write_file

from autolfads_trainer.data.trial import try_to_read


def test_a_good_file_passes(tmp_path):
    try_to_read(write_file(tmp_path / "reach.h5", contents()))


def test_what_is_wrong_is_told_as_it_would_be_here(tmp_path):
    (tmp_path / "reach.h5").write_bytes(b"trial,1\n")

    assert one_sentence(tmp_path / "reach.h5", try_to_read).startswith("is not an HDF5 file; ")


@pytest.fixture
def child(monkeypatch):
    """Run something else in the child."""
    real = subprocess.run

    def instead(code: str) -> None:
        def run(command, **options):
            assert command[1:4] == ["-P", "-m", "autolfads_trainer.data.trial"]
            preamble = "import os,signal; from autolfads_trainer.data import trial;"
            return real([sys.executable, "-c", preamble + code, *command[4:]], **options)

        monkeypatch.setattr(subprocess, "run", run)

    return instead


def test_a_file_that_kills_its_reader(tmp_path, child):
    child("trial._limit(60); os.kill(os.getpid(), signal.SIGSEGV)")

    assert one_sentence(tmp_path / "reach.h5", try_to_read) == (
        "is a broken HDF5 file: a process that tried to read it died (SIGSEGV)"
    )


def test_a_file_whose_reading_does_not_end(tmp_path, child):
    child("trial._limit(1)\nwhile True: pass")

    assert one_sentence(tmp_path / "reach.h5", lambda path: try_to_read(path, 1)) == (
        "cannot be read: 1 s of work did not come to its end"
    )


def test_a_reader_cannot_take_all_memory(tmp_path, child):
    child("trial.usable_memory = lambda: 0; trial._limit(60); bytearray(3 << 30)")

    assert one_sentence(tmp_path / "reach.h5", try_to_read) == "cannot be read: MemoryError"


def test_the_limits_are_the_childs_alone(tmp_path):
    kinds = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)
    before = [resource.getrlimit(kind) for kind in kinds]
    try_to_read(write_file(tmp_path / "reach.h5", contents()))

    assert [resource.getrlimit(kind) for kind in kinds] == before


def test_a_module_beside_the_user_is_not_taken_for_ours(tmp_path, monkeypatch):
    (tmp_path / "h5py.py").write_text("raise SystemExit(7)")
    (tmp_path / "resource.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)

    try_to_read(write_file(tmp_path / "reach.h5", contents()))
