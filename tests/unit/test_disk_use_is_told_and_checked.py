"""Before a run starts it is told what it can need of the disk, and a disk too small is refused."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_files import contents, write_file

from autolfads_operator.pbt import generation_epochs, last_generation
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.disk_use import BLOCK, Plan, disk_use, in_units, one_file
from autolfads_trainer.patience import Patience
from autolfads_trainer.records import DiskUse, Outcome, Owner, Task
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks import prepare as module
from autolfads_trainer.tasks.context import Context
from autolfads_trainer.tasks.prepare import prepare
from autolfads_trainer.userinput import InputError

SIZES = DataSizes(
    path="reach.h5",
    encod_dim=5,
    encod_steps=9,
    recon_dim=5,
    recon_steps=9,
    ext_input_dim=0,
    train_trials=30,
    valid_trials=10,
    keys=frozenset(),
)
MODEL = dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim", "gen_dim"), 6)


def use_of(*, data_bytes: int = 10_000, **spec: Any) -> DiskUse:
    spec = {"data": {"path": "reach.h5"}, **spec}
    found = resolve(spec, config_file=None, sizes=SIZES)
    return disk_use(spec, found.configuration, found.search_space, SIZES, data_bytes=data_bytes)


def prepared(
    root: Path,
    say: Callable[[str | None], None] = lambda _: None,
    room_at: Path | None = None,
    **changes: Any,
) -> Outcome:
    """Prepare a run in the folder `root` as a worker does."""
    (root / "run").mkdir()
    folder = RunFolder(root / "run")
    spec: dict[str, Any] = {"config": {"model": MODEL}, "population": 4, "seed": 1, **changes}
    spec.setdefault("data", {"path": str(write_file(root / "reach.h5", contents()))})
    folder.claim(Owner(name="reach", spec=spec, spec_hash=""))
    task = folder.give_task(Task(kind="prepare", folder="prepare/attempt-1", worker="w", attempt=1))
    patience = Patience(say=say, stop=lambda: None, sleep=lambda _: None)
    context = Context(
        folder=folder,
        device="cpu",
        save_every=300.0,
        allow_import=(),
        say=lambda _: None,
        announce=lambda _: None,
        must_leave=lambda: False,
        patience=patience,
        room_at=room_at,
    )
    return prepare(context, task)


# What is computed.
@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 60))
def test_generations_are_those_of_the_run(burn_in: int, interval: int, max_epochs: int) -> None:
    pbt = {"burn_in_period": burn_in, "perturbation_interval": interval}
    configuration = {"pbt": pbt, "trainer": {"max_epochs": max_epochs}}
    plan = Plan(configuration, SIZES, "synchronous", 0, False, 0)
    how = {"burn_in": burn_in, "interval": interval, "max_epochs": max_epochs}
    numbers = range(1, last_generation(**how) + 1)
    assert plan.generations == [generation_epochs(number, **how)[1] for number in numbers]


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_more_of_anything_needs_more(mode: str) -> None:
    usual = use_of(pbt={"mode": mode})
    for more in (
        use_of(pbt={"mode": mode}, population=40),
        use_of(pbt={"mode": mode, "maxEpochs": 4000}),
        use_of(pbt={"mode": mode, "generationEpochs": 2}),
        use_of(pbt={"mode": mode}, config={"model": {"gen_dim": 500}}),
        use_of(pbt={"mode": mode}, data_bytes=10**9),
        use_of(pbt={"mode": mode}, data={"generate": {"problem": "lorenz"}}, data_bytes=10_001),
    ):
        assert more.bytes > usual.bytes
        assert more.files >= usual.files


def test_the_number_of_checkpoints_is_bounded_however_long_the_run() -> None:
    def checkpoints(epochs: int, mode: str) -> int:
        pbt = {"num_samples": 10, "burn_in_period": 5, "perturbation_interval": 5}
        configuration = {"pbt": pbt, "trainer": {"max_epochs": epochs}}
        return Plan(configuration, SIZES, mode, 0, False, 0).checkpoints

    assert checkpoints(1000, "synchronous") == checkpoints(5000, "synchronous") == 84
    assert checkpoints(5, "synchronous") == 72  # of one generation there is but one end each
    assert checkpoints(1000, "asynchronous") == 10 * 200 + 62


def test_files_take_whole_blocks() -> None:
    assert [one_file(size).bytes for size in (0, 1, 4096, 4097)] == [BLOCK, BLOCK, BLOCK, 2 * BLOCK]


def test_sizes_are_told_as_people_say_them() -> None:
    sizes = (12, 4_096, 11_400_000, 1_340_000_000, 2_000_000_000_000)
    assert [in_units(size) for size in sizes] == [
        *("12 bytes", "4.1 kB", "11 MB", "1.3 GB", "2,000 GB")
    ]


# What is told.
def test_it_is_in_the_answer_and_in_words(tmp_path: Path) -> None:
    outcome = prepared(tmp_path)
    disk = DiskUse(**outcome.result["disk"])
    assert disk.bytes > 40 * disk.checkpoint_bytes
    told = outcome.result["notes"][-1]
    assert told.startswith(f"needs at most {in_units(disk.bytes)} of disk and {disk.files:,} files")
    assert in_units(disk.checkpoint_bytes) in told


# What is refused.
SmallDisk = Callable[..., Path]


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """Return a folder on a disk with little room: a real one where this user may mount it."""
    mounted: list[Path] = []

    def make(*, megabytes: int = 4000, files: int = 10**6) -> Path:
        place = tmp_path / "disk"
        place.mkdir()
        options = f"size={megabytes}m,nr_inodes={files}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if os.getuid() == 0 and not subprocess.run(command, check=False).returncode:
            mounted.append(place)
        else:
            pretend(monkeypatch, f_bavail=megabytes * 10**6 // BLOCK, f_favail=files)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


def pretend(monkeypatch: pytest.MonkeyPatch, **numbers: int) -> None:
    usual = {"f_blocks": 10**9, "f_bavail": 10**9, "f_frsize": BLOCK}
    files = {"f_files": 10**9, "f_favail": 10**9}
    volume = SimpleNamespace(**(usual | files | numbers))
    monkeypatch.setattr(module.os, "statvfs", lambda _: volume)


def test_a_disk_with_too_little_room_is_refused(small_disk: SmallDisk) -> None:
    place = small_disk(megabytes=20)
    with pytest.raises(InputError) as refused:
        prepared(place)
    words = str(refused.value)
    assert words.startswith(f"{place}/run: the disk has ")
    assert "MB free" in words
    assert "spec.population" in words


def test_it_is_the_disk_of_the_run_to_come_that_is_looked_at(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    """As `autolfads validate` does, from a folder of its own; what will be is not there yet."""
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    to_come = small_disk(megabytes=20) / "runs" / "reach"
    with pytest.raises(InputError) as refused:
        prepared(tmp_path / "small", room_at=to_come)
    assert str(refused.value).startswith(f"{to_come}: the disk has ")
    assert not to_come.parent.exists()
    to_come = tmp_path / "runs" / "reach"
    assert prepared(tmp_path / "large", room_at=to_come).outcome == "finished"


def test_a_disk_that_holds_too_few_files_is_refused(small_disk: SmallDisk) -> None:
    place = small_disk(files=500)
    with pytest.raises(InputError, match="more files; this run may need") as refused:
        prepared(place)
    assert str(place) in str(refused.value)


def test_a_disk_with_just_enough_is_not_refused(small_disk: SmallDisk) -> None:
    assert prepared(small_disk(megabytes=500, files=10_000)).outcome == "finished"


def test_a_volume_that_says_nothing_of_its_size_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, f_blocks=0, f_bavail=0, f_files=0, f_favail=0)
    assert prepared(tmp_path).outcome == "finished"


def test_data_that_was_made_there_already_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"generate": {"problem": "lorenz", "conditions": 3, "trials": 5, "channels": 5}}
    (tmp_path / "first").mkdir()
    disk = DiskUse(**prepared(tmp_path / "first", data=data).result["disk"])
    made = next((tmp_path / "first").glob("run/prepare/attempt-1/*.h5")).stat().st_size
    pretend(monkeypatch, f_frsize=1, f_bavail=disk.bytes - made)
    (tmp_path / "enough").mkdir()
    assert prepared(tmp_path / "enough", data=data).outcome == "finished"
    pretend(monkeypatch, f_frsize=1, f_bavail=disk.bytes - made - 1)
    (tmp_path / "less").mkdir()
    with pytest.raises(InputError, match="the disk has"):
        prepared(tmp_path / "less", data=data)


# The data file is read as bytes first.
def test_trouble_of_the_disk_is_told_as_that_and_not_as_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = hashlib.file_digest, 0

    def fails_at_first(file: Any, how: Any) -> Any:
        nonlocal failed
        if failed < 3:
            failed += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(file, how)

    monkeypatch.setattr(hashlib, "file_digest", fails_at_first)
    told: list[str | None] = []
    assert prepared(tmp_path, say=told.append).outcome == "finished"
    assert told == ["the disk reports input/output errors", None]


def test_a_missing_file_is_told_as_before(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.h5: no such data file"):
        prepared(tmp_path, data={"path": str(tmp_path / "gone.h5")})


def test_a_file_that_may_not_be_read_is_told_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def refused(path: Path, *how: Any, **more: Any) -> Any:  # root may read everything
        if path.name == "reach.h5":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *how, **more)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"reach\.h5: cannot be read: Permission denied"):
        prepared(tmp_path)
