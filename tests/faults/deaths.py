"""A death at a chosen point, a new start, and what the run came to: for tests, and for soaking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from house import SYNCHRONOUS, House, a_house, calm
from points import Point

# What dies with a controller: all of its workers; none, but they leave without it, as on one
# machine; none, and they go on, as in a cluster. With a worker: nothing else, or everything.
WITH_A_CONTROLLER: tuple[dict[str, Any], ...] = (
    {"then": "kill all"},
    {"then": "kill", "leaves_with_parent": True},
    {"then": "kill", "leaves_with_parent": False},
)
WITH_A_WORKER: tuple[dict[str, Any], ...] = ({"then": "kill"}, {"then": "kill all"})


@dataclass(frozen=True)
class Came:
    """What a disturbed run came to."""

    struck: bool
    different: list[str]  # what is not as in the calm run, or not as it should be
    lost: int  # legs that nobody finished
    said: str

    @property
    def well(self) -> bool:
        """Whether it was struck, and nothing differs."""
        return self.struck and not self.different and not self.lost


def every_point(mode: str = SYNCHRONOUS) -> list[Point]:
    """Return the distinct points that a calm run reaches, in a fixed order."""
    return sorted(calm(mode=mode)[1])


def ways(point: Point) -> tuple[dict[str, Any], ...]:
    """Return what can die besides, where one dies at this point."""
    return WITH_A_CONTROLLER if point.role == "controller" else WITH_A_WORKER


def death_at(
    point: Point, place: Path, *, way: int = 0, nth: int = 1, mode: str = SYNCHRONOUS
) -> Came:
    """Let a process die when it comes to `point` for the `nth` time, and end the run."""
    options = ways(point)[way % len(ways(point))]
    with a_house(place, mode=mode) as house:
        controller = house.start(at=point._asdict(), nth=nth, save_every=0.0, **options)
        struck = house.wait_until_struck(controller) is not None
        if point.role == "worker" and options["then"] == "kill":
            assert house.wait(controller) == 0, house.said()
        elif struck:
            house.wait(controller)
            house.finish(save_every=0.0)
        return came_of(house, struck=struck)


def came_of(house: House, *, struck: bool = True) -> Came:
    """Compare the run of a house, which has ended, with the calm one and with what is due."""
    finished = {
        task.order
        for task in house.tasks()
        if task.kind == "train"
        and (outcome := house.folder.outcome(task.folder)) is not None
        and outcome.outcome == "finished"
    }
    orders = {str(p.relative_to(house.root)) for p in house.root.glob("members/*/gen-*/order.json")}
    return Came(
        struck=struck,
        different=house.different(),
        lost=len(orders - finished),
        said=house.said(),
    )
