"""Whatever is killed, and whenever: started again, the run ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from real_runs import EPOCHS, SLOW, Make, RunOnDisk

from autolfads_trainer.records import WorkerStatus
from autolfads_trainer.store import RunFolder


def wait_for(what: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "did not come to pass"
        time.sleep(0.05)


def workers_in(root: Path) -> dict[int, WorkerStatus]:
    """Return the living worker processes of the run in `root`, by process number."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "autolfads_trainer.worker" in words and str(root) in words:
            life = words[words.index("--life") + 1]
            status = RunFolder(root).status(life)
            if status is not None:
                found[int(process.name)] = status
    return found


def in_the_midst_of(root: Path, generation: int) -> list[int]:
    """Return the workers that are some epochs into training in the given generation."""
    return [
        number
        for number, status in workers_in(root).items()
        if status.task is not None
        and f"gen-{generation:03d}" in status.task
        and status.epoch is not None
        and status.epoch % EPOCHS > 3
    ]


def assert_same_run(one: RunOnDisk, other: RunOnDisk) -> None:
    assert one.orders() == other.orders()
    assert one.fitlog() == other.fitlog()
    assert (one.root / "results/autolfads.zip").exists()


def test_the_same_seed_gives_the_same_run_on_any_number_of_workers(
    make_run: Make, finished: RunOnDisk
) -> None:
    again = make_run()
    again.finish("--workers", "1")
    assert_same_run(again, finished)
    assert any(json.loads(order)["copied"] for order in again.orders().values())


def test_killed_workers_and_controllers_change_nothing(
    make_run: Make, finished_slow: RunOnDisk
) -> None:
    killed = make_run(pbt=SLOW)
    process = killed.start("--save-every", "0.3")
    wait_for(lambda: bool(in_the_midst_of(killed.root, 1)))
    os.kill(in_the_midst_of(killed.root, 1)[0], signal.SIGKILL)  # a worker
    wait_for(lambda: bool(in_the_midst_of(killed.root, 2)))
    process.kill()  # the controller
    process.wait()
    wait_for(lambda: not workers_in(killed.root))  # left alone, its workers save and leave
    process = killed.start()
    wait_for(lambda: bool(in_the_midst_of(killed.root, 2) or in_the_midst_of(killed.root, 3)))
    for number in workers_in(killed.root):  # all at once
        os.kill(number, signal.SIGKILL)
    process.kill()
    process.wait()
    killed.finish()

    endings = {outcome["outcome"] for outcome in killed.outcomes()}
    assert {"abandoned", "saved", "finished"} <= endings
    assert_same_run(killed, finished_slow)


def test_ctrl_c_saves_and_the_same_command_goes_on(
    make_run: Make, finished_slow: RunOnDisk, tmp_path: Path, data_file: Path
) -> None:
    stopped = make_run(pbt=SLOW)
    process = stopped.start()
    wait_for(lambda: bool(in_the_midst_of(stopped.root, 2)))
    # Meanwhile a second command in the same folder is refused, and does no harm.
    assert "another 'autolfads run'" in stopped.finish(expect=2)
    assert process.poll() is None

    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert "stopping: workers save and leave" in printed
    assert "members are saved" in printed
    assert "goes on" in printed
    assert not workers_in(stopped.root)
    assert "saved" in {outcome["outcome"] for outcome in stopped.outcomes()}
    assert "abandoned" not in {outcome["outcome"] for outcome in stopped.outcomes()}
    # The project moves, data, manifest and run together.
    place = shutil.move(tmp_path, tmp_path.with_name("elsewhere"))
    moved = RunOnDisk(place / stopped.manifest.name, place / stopped.root.name)
    data = shutil.copy(data_file, place / "copy.h5")
    moved.manifest.write_text(moved.manifest.read_text().replace(str(data_file), str(data)))
    assert "going on" in moved.finish()
    assert_same_run(moved, finished_slow)
