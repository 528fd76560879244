"""Workers that are given up for dead and come back: real processes that are stopped for a while."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from deaths import Came, came_of
from house import House, a_house, wait_for

from autolfads_trainer.records import Task

LEFT = 143
SILENT_AFTER = 8.0  # seconds: drawing the report takes one, and several on a busy machine
Given = Literal["gone", "silent"]
When = Literal["given up", "after the end"]


def comes_back(
    place: Path, at: dict[str, str], *, nth: int = 1, given: Given = "gone", when: When = "given up"
) -> Came:
    """Stop a worker at a point, have it given up, let it go on, and end the run.

    Seen to: it changes nothing but files of its own that nobody names, and leaves with 143, unless
    it had finished before.
    """
    with a_house(place) as house:
        controller = house.start(
            at={"role": "worker", **at},
            nth=nth,
            then="stop",
            forgets="at once" if given == "gone" else "when dropped",
            save_every=0.0,
            vitals={"silent_after": SILENT_AFTER if given == "silent" else 300.0},
        )
        if house.wait_until_struck(controller) is None:
            return came_of(house, struck=False)
        assert house.struck is not None
        ghost, life = house.struck[:2]
        status = house.folder.status(life)
        if status is not None and status.task is not None:
            task = house.folder.task(status.task)
        else:  # given up so soon that its files are removed: its last task is the one
            task = max(
                (task for task in house.tasks() if task.worker == life),
                key=lambda task: (
                    task.kind == "export",
                    (task.order or "//").split("/")[2],
                    task.folder,
                ),
            )
        assert task is not None
        wait_for(lambda: house.folder.outcome(task.folder) is not None, house.said())
        if when == "after the end":
            assert house.wait(controller) == 0, house.said()
        with _all_still_but(house, ghost):
            changed = _let_go(house, ghost, lambda: _is_done_with(house, life, task))
        had_finished = _is_done_with(house, life, task)
        if not had_finished:  # it is gone before its exit code is noted
            wait_for(lambda: _exit_code(house, ghost) is not None, house.said())
        assert had_finished or _exit_code(house, ghost) == LEFT, house.said()
        _assert_harmless(house, task, life, changed)
        assert house.wait(controller) == 0, house.said()
        return came_of(house)


@contextmanager
def _all_still_but(house: House, ghost: int) -> Iterator[None]:
    """Stop everybody else, so that whatever changes now is of the ghost."""
    others: list[int] = []

    def others_yet() -> list[int]:
        # One that was not stopped yet may have started another, which has not been noted yet.
        born = [child for process in others for child in _children(process)]
        return [one for one in {*house.living(), *born} if one not in (ghost, *others)]

    while more := others_yet():
        for process in more:
            os.kill(process, signal.SIGSTOP)
        wait_for(lambda: all(_state(process) in "TZX" for process in more), "they do not stop")
        others += more
    try:
        yield
    finally:
        for process in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return [child for child in found if _state(child) not in "ZX"]


def _is_done_with(house: House, life: str, task: Task) -> bool:
    status = house.folder.status(life)
    return status is not None and status.task is None and status.ended == task.folder


def _let_go(house: House, ghost: int, over: Callable[[], bool]) -> set[str]:
    """Let the ghost go on until it has left, or it is `over`; return the files that it changed."""
    before = house.contents()
    os.kill(ghost, signal.SIGCONT)
    wait_for(lambda: _state(ghost) in "ZX" or over(), f"it does not leave: {house.said()}")
    after = house.contents()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def _exit_code(house: House, process: int) -> Any:
    note = house.notes / f"exit-{process}"
    return json.loads(note.read_text()) if note.exists() else None


def _assert_harmless(house: House, task: Task, life: str, changed: set[str]) -> None:
    strange = {
        name
        for name in changed
        if not name.startswith((f"{task.folder}/", f"workers/{life}.", f"workers/.{life}."))
    }
    assert not strange, f"a worker that was given up changed {strange}"
    named = {name for other in house.tasks() for name in (other.start_from, other.order) if name}
    named |= {outcome.checkpoint for outcome in house.outcomes() if outcome.checkpoint}
    named |= {f"{task.folder}/{name}.json" for name in ("task", "outcome")}
    assert not named & changed, f"a worker that was given up changed {named & changed}"
