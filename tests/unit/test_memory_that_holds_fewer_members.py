"""A group that does not fit into memory is halved, and said: a process with a limit of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="a process's memory can be limited on Linux alone"
)

PROGRAM = """
import resource, sys, threading
from concurrent.futures import ThreadPoolExecutor
import torch
torch.set_num_threads(1)
from small_models import never, small_data, small_member
from autolfads_trainer.training.side_by_side import SideBySide

room, count = int(sys.argv[1]), 8
data = small_data()
members = [small_member(number, epochs=1, data=data, gen_dim=400) for number in range(count)]
together = SideBySide(count, print)
there = threading.Barrier(count)

def train(member):
    with together.coming():
        there.wait()
        return together.train(member, never, lambda: False)

with ThreadPoolExecutor(count) as pool:
    list(pool.map(lambda _: there.wait(), range(count)))  # they have their stacks
    pages = int(open("/proc/self/statm").read().split()[0])
    most = pages * resource.getpagesize() + room * 10**6
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for future in [pool.submit(train, member) for member in members]:
        try:
            print("at its end:", future.result())
        except Exception as error:
            print(type(error).__name__, error)
"""


def with_room_for(megabytes: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(megabytes)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_group_that_does_not_fit_is_halved_until_it_does() -> None:
    # What a group takes differs with torch: from a room that is too small for any to one for all.
    for room in range(120, 280, 20):
        said = with_room_for(room)
        if said[-8:] == ["at its end: True"] * 8:
            break
    assert said[0] == "memory does not hold 8 members at once: 4 at a time"
    assert said[-8:] == ["at its end: True"] * 8


def test_where_not_even_one_fits_each_is_told() -> None:
    said = with_room_for(2)
    assert said[:3] == [
        f"memory does not hold {many} members at once: {many // 2} at a time" for many in (8, 4, 2)
    ]
    errors = said[3:]
    assert len(errors) == 8
    for error in errors:
        assert "InputError there is not enough memory on cpu for a single member" in error
        assert "expected a smaller datamodule.batch_size" in error
