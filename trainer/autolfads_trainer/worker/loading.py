"""Loading what a task needs when there is one: preparing needs no torch, and does not wait for it.

What was loaded stays to the end of the process. Python is told so: looking through all of torch for
garbage, while it is loaded and when the process ends, takes longer than a second.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.tasks.context import Context

_loaded: set[str] = set()


def run_task(context: Context, task: Task) -> Outcome:
    """Do a task, and return what came of it."""
    if task.kind == "prepare":
        with _for_good("preparing"):
            from autolfads_trainer.tasks.prepare import prepare  # noqa: PLC0415
        return prepare(context, task)
    if task.kind == "train":
        with _for_good("training"):
            from autolfads_trainer.tasks.train import train  # noqa: PLC0415
        return train(context, task)
    with _for_good("exporting"):
        from autolfads_trainer.tasks.export import export  # noqa: PLC0415
    return export(context, task)


def load_training() -> None:
    """Load what training needs, ahead of the first task."""
    with _for_good("training"):
        from autolfads_trainer.tasks import train  # noqa: F401, PLC0415


@contextlib.contextmanager
def _for_good(what: str) -> Iterator[None]:
    """Load `what`, the first time."""
    if what in _loaded:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.freeze()
    _loaded.add(what)
