"""Real runs in real processes, fast: disturbed at a chosen point, and compared with a calm one."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import yaml
from forked import living
from points import Point

from autolfads_operator.replay import read_records, replay
from autolfads_trainer.data.problems import describe, generate, write
from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.store import RunFolder

PATIENCE_SECONDS = 120
POPULATION, GENERATIONS = 3, 3
SYNCHRONOUS, ASYNCHRONOUS = "synchronous", "asynchronous"
STEPS = 2  # in an epoch
# Of the report there is less to draw, and what never comes is not waited for that long.
QUICK = {"autolfads_trainer.tasks.export.EXAMPLE_TRIALS": 1}
CHANNELS, HELD_OUT, TIME_BINS = 8, 2, 10


class Forge:
    """The process that forks controllers: imports take their time once."""

    def __init__(self) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forked.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads},
        )

    def ask(self, **question: Any) -> Any:
        """Ask, and return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it; controllers end with it."""
        self.process.kill()
        self.process.wait()


@functools.cache
def forge() -> Forge:
    """Return the one that all tests of this process use."""
    made = Forge()
    atexit.register(made.close)
    return made


@functools.cache
def workshop() -> Path:
    """Return a folder for what all runs share; it goes with this process."""
    folder = tempfile.TemporaryDirectory(prefix="autolfads-faults-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@functools.cache
def manifest(seed: int = 5, mode: str = SYNCHRONOUS) -> Path:
    """Return a manifest of a small run: 3 members, 3 generations of 2 epochs of 2 steps."""
    data = workshop() / "lorenz.h5"
    if not data.exists():
        size = {"conditions": 8, "trials": 5, "channels": CHANNELS, "heldout": HELD_OUT}
        arrays = generate("lorenz", 0, **size)
        short = {name: a[:, :TIME_BINS] if a.ndim == 3 else a for name, a in arrays.items()}
        write(data, short, describe("lorenz", 0, **size))
    spec = {
        "data": {"path": str(data)},
        "population": POPULATION,
        "seed": seed,
        "pbt": {
            "mode": mode,
            **{"burnInEpochs": 2, "generationEpochs": 2, "maxEpochs": 2 * GENERATIONS},
        },
        "export": {"posteriorSamples": 1},
        "config": {
            "model": {
                **dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim"), 4),
                **{"gen_dim": 6, "fac_dim": 3, "co_dim": 1},
            },
            "datamodule": {"batch_size": 16},
        },
    }
    path = workshop() / f"{mode}-{seed}.yaml"
    head = {"apiVersion": "autolfads.io/v1alpha1", "kind": "AutoLFADSRun"}
    path.write_text(yaml.safe_dump({**head, "metadata": {"name": "small"}, "spec": spec}))
    return path


class House:
    """One run, its controllers and their workers."""

    def __init__(self, place: Path, seed: int = 5, mode: str = SYNCHRONOUS) -> None:
        place.mkdir(parents=True)
        self.seed, self.mode = seed, mode
        self.root, self.notes = place / "run", place / "notes"
        self.notes.mkdir()
        self.manifest = manifest(seed, mode)
        self.folder = RunFolder(self.root)

    # Processes.
    def start(self, **options: Any) -> int:
        """Start a controller; return the number of its process.

        `at`, `nth`, `then`: which point (any whose given parts are equal), which time a process
        reaches it, and whether to `kill`, `kill all`, `stop`, or tell to `leave`: once in a run.
        """
        given = {
            "root": str(self.root),
            "notes": str(self.notes),
            "manifest": str(self.manifest),
            "workers": 2,
            "save_every": 300.0,
            "clock": (1.0, 0.0),
            "vitals": {"stranger_silent_after": 0.5},
            **options,
            "constants": QUICK | options.get("constants", {}),
        }
        return int(forge().ask(start=given))

    def wait(self, controller: int) -> int:
        """Wait until a controller has ended; return its exit code."""
        return wait_for(lambda: forge().ask(code_of=controller), f"{self.root}: a controller hangs")

    def finish(self, **options: Any) -> None:
        """Start a controller, and wait until the run is over."""
        code = self.wait(self.start(**options))
        assert code == 0, self.said()

    def wait_until_struck(self, controller: int | None = None) -> Point | None:
        """Wait until a process has come to its point; None: the controller ended before."""

        def struck() -> bool:
            return self.struck is not None or (
                controller is not None and forge().ask(code_of=controller) is not None
            )

        wait_for(struck, f"{self.root}: the point was not reached")
        found = self.struck
        return Point(*found[2:]) if found else None

    @property
    def struck(self) -> list[Any] | None:
        """Process number, life and point of what was struck; None: nothing was yet."""
        try:
            return list(json.loads((self.notes / "struck").read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def forget_struck(self) -> None:
        """Let another point strike."""
        (self.notes / "struck").unlink(missing_ok=True)

    def living(self) -> list[int]:
        """Return the processes that live."""
        return living(self.notes)

    def kill_all(self) -> None:
        """Kill whatever lives, and see it gone."""

        def gone() -> bool:
            forge().ask(code_of=0)  # so that the dead are no more
            for process in self.living():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            return not self.living()

        wait_for(gone, "the killed do not die")
        time.sleep(0.05)  # one may just have been started, and not have made itself known
        wait_for(gone, "the killed do not die")

    def said(self) -> str:
        """Return what controllers and workers printed, for a message."""
        logs = [*self.notes.glob("log-*"), *self.root.glob("workers/*.log")]
        return "\n".join(f"{path.name}: {path.read_text()}" for path in sorted(logs))

    # What is on the disk.
    def history(self) -> dict[str, str]:
        """Return all that the run decided and came to; equal for runs that are the same run."""
        found = {
            str(path.relative_to(self.root)): path.read_text()
            for path in sorted(self.root.glob("members/*/gen-*/order.json"))
        }
        for name in ("run.json", "end.json", "results/fitlog.csv"):
            found[name] = (self.root / name).read_text()
        (rates,) = self.root.glob("results/lfads_output_*.h5")
        with h5py.File(rates) as file:
            found |= {f"rates/{name}": _digest(file[name][()]) for name in file}
        return found

    def findings(self) -> list[str]:
        """Return what is wrong with the run's records, as `autolfads replay` tells it."""
        owner = self.folder.owner()
        assert owner is not None
        return [str(finding) for finding in replay(read_records(self.folder, owner)).findings]

    def different(self) -> list[str]:
        """Return what is not as it should be now that the run has ended.

        That is, as in the calm run. In asynchronous mode decisions depend on the hour: there they
        must follow from what they say, and the run end well.
        """
        history, wrong = self.history(), self.findings()
        if self.mode == SYNCHRONOUS:
            return wrong + differences(calm(self.seed)[0], history)
        return wrong + [name for name in calm(self.seed, self.mode)[0] if name not in history]

    def attempts(self, member: int, generation: int) -> list[tuple[Task, Outcome | None]]:
        """Return the attempts at a leg."""
        return list(self.folder.attempts(self.folder.leg_folder(member, generation)))

    def outcomes(self) -> list[Outcome]:
        """Return all outcomes of training."""
        found = sorted(self.root.glob("members/*/gen-*/attempt-*/outcome.json"))
        return [Outcome.model_validate_json(path.read_bytes()) for path in found]

    def tasks(self) -> list[Task]:
        """Return all tasks."""
        found = [*self.root.glob("*/attempt-*/task.json")]
        found += self.root.glob("members/*/gen-*/attempt-*/task.json")
        return [Task.model_validate_json(path.read_bytes()) for path in sorted(found)]

    def contents(self) -> dict[str, str]:
        """Return the sha256 of each file, by path."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                name = str(path.relative_to(self.root))
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def reached(self) -> Counter[Point]:
        """Return how often each point was reached, by processes that recorded."""
        counts: Counter[Point] = Counter()
        for book in self.notes.glob("points-*"):
            counts.update(Point(*json.loads(line)) for line in book.read_text().splitlines())
        return counts


@contextmanager
def a_house(place: Path, seed: int = 5, mode: str = SYNCHRONOUS) -> Iterator[House]:
    """Give a house, and see that none of its processes stays."""
    house = House(place, seed, mode)
    try:
        yield house
    finally:
        house.kill_all()


def calm(seed: int = 5, mode: str = SYNCHRONOUS) -> tuple[dict[str, str], Counter[Point]]:
    """Return the history of a run that nobody disturbs, and the points that it reaches.

    Several saves in each generation, so that all points of a save are among them.
    """
    return _calm(seed, mode)


@functools.cache
def _calm(seed: int, mode: str) -> tuple[dict[str, str], Counter[Point]]:
    with a_house(workshop() / f"calm-{mode}-{seed}", seed, mode) as house:
        house.finish(record=True, save_every=0.0)
        return house.history(), house.reached()


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return the names of what differs."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def wait_for(what: Callable[[], Any], why: str) -> Any:
    """Wait until `what` returns something that is neither None nor False; return that."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (found := what()) is None or found is False:
        assert time.monotonic() < until, why
        time.sleep(0.01)
    return found


def _digest(array: Any) -> str:
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
