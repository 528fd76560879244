"""Checkpoints that something damages while nobody is at work, and what the run makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from deaths import Came, came_of
from house import POPULATION, House, a_house, calm

from autolfads_trainer.records import Outcome

SEEN_WITHIN = {"autolfads_trainer.patience.SEEN_WITHIN": 0.5}  # seconds: what is gone stays gone
PLACES = ("save", "end", "best")


def cut(path: Path, _other: Path) -> None:
    """Take its second half away."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path, _other: Path) -> None:
    """Change one bit in its midst."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def take(path: Path, _other: Path) -> None:
    """Remove it."""
    path.unlink()


def change(path: Path, other: Path) -> None:
    """Put another checkpoint in its place, a sound one."""
    shutil.copyfile(other, path)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "cut": cut,
    "flipped": flip,
    "removed": take,
    "replaced": change,
}


def damaged(place: Path, what: str, way: str) -> tuple[Came, list[Outcome]]:
    """Stop a run where a checkpoint is needed next, damage that, and end the run.

    `what`: a `save` in the midst of a generation, the `end` of the first generation of the member
    that is best then, or the `best` of the whole run before its export.
    Returns what the run came to, and the outcomes that tell of damage.
    """
    at, nth = {
        "save": ({"role": "worker", "call": "step", "moment": "before"}, 6),
        "end": ({"role": "controller", "call": "link", "kind": "order"}, 2 * POPULATION + 1),
        "best": ({"role": "controller", "call": "link", "kind": "task of export"}, 1),
    }[what]
    with a_house(place) as house:
        controller = house.start(at=at, nth=nth, then="kill all", save_every=0.0, workers=1)
        point = house.wait_until_struck(controller)
        house.wait(controller)
        checkpoint = {"save": _save, "end": _end, "best": _best}[what](house)
        others = (path for path in house.root.rglob("*.ckpt") if path != house.root / checkpoint)
        WAYS[way](house.root / checkpoint, next(others))
        house.finish(save_every=0.0, constants=SEEN_WITHIN)
        told = [outcome for outcome in house.outcomes() + _exports(house) if outcome.damaged]
        assert all(outcome.damaged == checkpoint for outcome in told)
        return came_of(house, struck=point is not None), told


def _save(house: House) -> str:
    assert house.struck is not None
    status = house.folder.status(house.struck[1])
    assert status is not None
    assert status.saved is not None
    return status.saved


def _end(house: House) -> str:
    return _checkpoint(min(_finished(house, 1), key=lambda outcome: outcome.score or 0.0))


def _best(house: House) -> str:
    member, generation = json.loads(calm()[0]["end.json"])["best"]
    return _checkpoint(_finished(house, generation)[member])


def _finished(house: House, generation: int) -> list[Outcome]:
    """Return the outcome that counts of each member in a generation."""
    return [
        next(o for _, o in house.attempts(member, generation) if o and o.outcome == "finished")
        for member in range(POPULATION)
    ]


def _checkpoint(outcome: Outcome) -> str:
    assert outcome.checkpoint is not None
    return outcome.checkpoint


def _exports(house: House) -> list[Outcome]:
    return [outcome for _, outcome in house.folder.attempts("export") if outcome is not None]
