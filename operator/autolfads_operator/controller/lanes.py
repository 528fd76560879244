"""A pool's processes as the lanes that they have: each lane is a worker to the controller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autolfads_operator.pools import Pool
from autolfads_trainer.lanes import lane_of, leads, number_of, process_of
from autolfads_trainer.records import WorkerStatus


class Lanes:
    """A pool of lanes.

    How many a process has, its first one says. Of a process that has not said it to this controller
    yet, lanes that are at work are known by their tasks.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lanes: dict[str, int] = {}

    def note(self, statuses: Mapping[str, WorkerStatus], at_work: Iterable[str]) -> None:
        """Note what workers say, and which lives have tasks."""
        for life, status in statuses.items():
            if leads(life):
                self._know(life, status.lanes)
        for life in at_work:
            self._know(process_of(life), number_of(life) + 1)

    def _know(self, process: str, lanes: int) -> None:
        self._lanes[process] = max(lanes, self._lanes.get(process, 1))

    def _of(self, process: str) -> int:
        return self._lanes.get(process, 1)

    # As a pool.
    def want(self, count: int) -> None:
        """Ask for `count` processes."""
        self._pool.want(count)

    def drop(self, life: str) -> None:
        """End the process of a lane that shows no sign of itself, with all its lanes."""
        self._pool.drop(process_of(life))

    def lives(self) -> list[str]:
        """Return the lanes of all processes: the first of each, then the second of each…

        So a few tasks are spread over all.
        """
        processes = self._pool.lives()
        for gone in self._lanes.keys() - set(processes):
            del self._lanes[gone]
        most = max(map(self._of, processes), default=0)
        return [
            lane_of(process, number)
            for number in range(most)
            for process in processes
            if number < self._of(process)
        ]

    def vouches_for(self, life: str) -> bool:
        """Whether the pool would list the process of this lane if it lived."""
        return self._pool.vouches_for(process_of(life))

    def leaving(self) -> list[str]:
        """Return the lanes of processes that were told to leave."""
        return [
            lane_of(process, number)
            for process in self._pool.leaving()
            for number in range(self._of(process))
        ]
