"""Workers as processes of this machine: the real worker program."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger_examples import claimed

from autolfads_operator.errors import RunStopped
from autolfads_operator.pools import local
from autolfads_operator.pools.local import MAX_BAD_STARTS, LocalPool
from autolfads_trainer.records import Assignment
from autolfads_trainer.store import RunFolder, StoreError

PATIENCE = 60.0


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for something that comes by itself; how long it takes is not what is tested."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return claimed(tmp_path / "run")


@pytest.fixture
def pool(folder: RunFolder) -> Iterator[LocalPool]:
    pool = LocalPool(folder.root, most=2)
    yield pool
    pool.kill()


def shown_life(folder: RunFolder, pool: LocalPool) -> bool:
    return all(folder.status(life) is not None for life in pool.lives())


def test_as_many_workers_run_as_are_wanted_and_at_most_those_allowed(
    folder: RunFolder, pool: LocalPool
) -> None:
    assert pool.lives() == []
    pool.want(1)
    (first,) = pool.lives()
    pool.want(5)
    assert len(pool.lives()) == 2
    assert pool.lives()[0] == first  # oldest first
    pool.want(1)
    assert len(pool.lives()) == 2  # none is stopped that has begun
    until(lambda: shown_life(folder, pool))


def test_a_worker_that_is_killed_is_replaced_by_another_life(
    folder: RunFolder, pool: LocalPool
) -> None:
    pool.want(1)
    (first,) = pool.lives()
    until(lambda: folder.status(first))
    pool.processes[0].popen.kill()
    until(lambda: not pool.lives())
    pool.want(1)
    (second,) = pool.lives()
    assert second != first
    until(lambda: folder.status(second))
    assert folder.status(first) is not None  # each life has files of its own


def test_workers_leave_with_0_only_when_told_that_the_run_is_over(
    folder: RunFolder, pool: LocalPool
) -> None:
    pool.want(2)
    until(lambda: shown_life(folder, pool))
    told, signalled = pool.processes
    folder.assign(told.life, Assignment(leave=True))
    assert told.popen.wait(PATIENCE) == 0
    assert pool.lives() == [signalled.life]
    pool.tell_to_leave()
    assert signalled.popen.wait(PATIENCE) == 143
    assert pool.lives() == []
    pool.tell_to_leave()  # nobody is left to hear it
    pool.kill()


def test_ctrl_c_reaches_the_controller_alone(folder: RunFolder, pool: LocalPool) -> None:
    pool.want(1)
    (process,) = pool.processes
    assert os.getsid(process.popen.pid) == process.popen.pid != os.getsid(0)
    until(lambda: folder.status(process.life))
    process.popen.send_signal(signal.SIGINT)
    before = folder.status(process.life)
    assert before is not None
    until(lambda: folder.status(process.life) != before)  # its counter moves on
    assert pool.lives() == [process.life]


def broken_installation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker program die while it imports what it needs."""
    folder.mkdir()
    (folder / "click.py").write_text("raise ImportError('click cannot be loaded today')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_workers_that_die_at_their_start_stop_the_run_with_their_last_words(
    folder: RunFolder, pool: LocalPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_installation(tmp_path / "broken", monkeypatch)
    for _ in range(MAX_BAD_STARTS):
        pool.want(1)
        until(lambda: not pool.lives())
    with pytest.raises(RunStopped) as stopped:
        pool.want(1)
    assert str(stopped.value).startswith("workers die as they start; the last one said:\n")
    assert str(stopped.value).endswith("ImportError: click cannot be loaded today")
    assert len(list((folder.root / "workers").glob("*.log"))) == MAX_BAD_STARTS


def test_only_bad_starts_in_a_row_count(
    folder: RunFolder, pool: LocalPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        broken_installation(tmp_path / "broken", patch)
        for _ in range(MAX_BAD_STARTS - 1):
            pool.want(1)
            until(lambda: not pool.lives())
        pool.want(0)
    assert pool.bad_starts == MAX_BAD_STARTS - 1
    monkeypatch.setattr(local, "SOON", 0.0)
    pool.want(1)
    until(lambda: pool.lives() and shown_life(folder, pool))
    pool.kill()
    pool.want(0)
    assert pool.bad_starts == 0


def test_a_worker_that_is_given_up_is_no_bad_start_though_its_files_are_removed_at_once(
    folder: RunFolder, pool: LocalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "SOON", 0.0)  # it has been there for a while
    pool.want(1)
    (process,) = pool.processes
    until(lambda: shown_life(folder, pool))
    pool.want(1)
    pool.drop(process.life)
    assert pool.lives() == []  # from now on its files may be removed
    assert folder.remove(f"workers/{process.life}.status.json")
    until(lambda: process.popen.poll() is not None)
    pool.want(0)
    assert pool.processes == []
    assert pool.bad_starts == 0


def test_workers_that_die_after_their_first_word_stop_the_run(
    folder: RunFolder, pool: LocalPool
) -> None:
    for _ in range(MAX_BAD_STARTS):
        pool.want(1)
        until(lambda: pool.lives() and shown_life(folder, pool))
        pool.kill()
    with pytest.raises(RunStopped, match=r"workers die as they start; .* was killed \(SIGKILL\)"):
        pool.want(1)


def test_a_worker_that_died_of_its_task_is_no_bad_start(folder: RunFolder, pool: LocalPool) -> None:
    pool.want(1)
    (process,) = pool.processes
    until(lambda: folder.status(process.life))
    status = folder.status(process.life)
    assert status is not None
    pool.kill()
    folder.report(process.life, status.model_copy(update={"task": "prepare/attempt-1"}))
    pool.want(0)
    assert pool.bad_starts == 0


def test_a_machine_that_starts_no_more_processes_stops_the_run_and_leaves_no_logs(
    folder: RunFolder, pool: LocalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    pool.want(2)
    assert pool.bad_starts == 1
    pool.want(2)
    assert pool.bad_starts == 1  # not at once again
    monkeypatch.setattr(local, "NEXT_TRY", 0.0)
    pool.next_try = 0.0
    with pytest.raises(RunStopped, match="workers cannot be started: Resource temporarily"):
        pool.want(2)
    assert folder.contents("workers") == []


def test_no_log_is_written_through_a_link(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (folder.root / "workers").symlink_to(tmp_path / "other")
    with pytest.raises(StoreError, match="is a link"):
        LocalPool(folder.root, most=1).want(1)
    assert list((tmp_path / "other").iterdir()) == []


def visible_gpus(pool: LocalPool) -> list[str]:
    """Return what each worker's CUDA_VISIBLE_DEVICES says, as the kernel knows it."""
    found = []
    for process in pool.processes:
        words = Path(f"/proc/{process.popen.pid}/environ").read_bytes().split(b"\0")
        found += [word.partition(b"=")[2] for word in words if word.startswith(b"CUDA_VIS")]
    return [gpu.decode() for gpu in found]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_workers_are_spread_over_the_gpus_and_a_new_one_takes_the_emptiest(
    folder: RunFolder,
) -> None:
    pool = LocalPool(folder.root, most=3, gpus=["3", "GPU-8932f937"])
    try:
        pool.want(3)
        until(lambda: shown_life(folder, pool))
        assert visible_gpus(pool) == ["3", "GPU-8932f937", "3"]
        pool.processes[1].popen.kill()
        until(lambda: len(pool.lives()) == 2)
        pool.want(3)
        until(lambda: shown_life(folder, pool))
        assert visible_gpus(pool) == ["3", "3", "GPU-8932f937"]
    finally:
        pool.kill()


def shares(pool: LocalPool) -> list[str]:
    return [str(each.popen.args[-1]) for each in pool.processes if each.life not in pool.leaving()]


def test_a_worker_that_began_alone_on_a_gpu_is_replaced_where_several_share_it(
    folder: RunFolder,
) -> None:
    """Who prepares is alone; with all of the memory it would leave none to those who come."""
    pool = LocalPool(folder.root, most=1, gpus=["0"])
    try:
        pool.want(1)
        until(lambda: shown_life(folder, pool))
        assert shares(pool) == ["--gpu-share=1"]
        pool.have(2, 1)
        assert set(pool.leaving()) == set(pool.lives())

        def two() -> bool:
            pool.want(2)
            return shares(pool) == ["--gpu-share=0.5", "--gpu-share=0.5"]

        until(two)
    finally:
        pool.kill()


CONTROLLER = """
import sys, time
from pathlib import Path
from autolfads_operator.pools.local import LocalPool
pool = LocalPool(Path(sys.argv[1]), most=2)
pool.want(2)
print(*(process.popen.pid for process in pool.processes), flush=True)
time.sleep(600)
"""


def running(pid: int) -> bool:
    """Return whether a process is there and is no zombie that waits to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_leave_when_their_controller_is_killed(folder: RunFolder) -> None:
    command = [sys.executable, "-c", CONTROLLER, str(folder.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        workers = [int(word) for word in controller.stdout.readline().split()]
        try:
            assert len(workers) == 2
            said = folder.root / "workers"
            until(lambda: len(list(said.glob("*.status.json"))) == 2)
            assert all(running(pid) for pid in workers)
            controller.kill()
            until(lambda: not any(running(pid) for pid in workers))
        finally:
            controller.kill()
            for pid in filter(running, workers):
                os.kill(pid, signal.SIGKILL)
    statuses = [folder.status(path.name.split(".")[0]) for path in said.glob("*.status.json")]
    assert [status.doing for status in statuses if status] == ["left", "left"]


def test_a_status_that_cannot_be_read_holds_up_nobody(
    folder: RunFolder, pool: LocalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_folder: RunFolder, _life: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(RunFolder, "status", unreadable)
    monkeypatch.setattr(local, "SOON", 0.0)  # as if each had been at work for a while
    for _ in range(2 * MAX_BAD_STARTS):
        pool.want(2)
        assert len(pool.lives()) == 2
        pool.drop(pool.lives()[0])  # it was silent for too long
        until(lambda: len(pool.lives()) == 1)


def test_workers_that_train_fewer_at_once_are_replaced(folder: RunFolder, pool: LocalPool) -> None:
    pool.have(1, 1)
    pool.want(1)
    (first,) = pool.lives()
    until(lambda: folder.status(first))
    pool.have(1, 3)
    assert set(pool.leaving()) == {first}  # it gets nothing new to do

    def another() -> bool:
        pool.want(1)
        return pool.lives() not in ([], [first])

    until(another)
    (second,) = pool.lives()
    assert second not in pool.leaving()
    lanes = [second, f"{second}-lane1", f"{second}-lane2"]  # which begin in any order
    until(lambda: all(folder.status(name) for name in lanes))
    told = [folder.status(name) for name in lanes]
    assert [status.lanes for status in told if status is not None] == [3, 3, 3]
    assert folder.status(f"{second}-lane3") is None
    pool.have(2, 3)  # as they do
    assert second not in pool.leaving()
    folder.assign(second, Assignment(leave=True))  # its first lane is told for all
    until(lambda: not pool.lives())
    assert pool.processes[0].popen.returncode == 0
