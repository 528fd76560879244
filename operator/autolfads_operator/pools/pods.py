"""Workers as pods: what the controller wants of them, and what the cluster says of them.

The controller takes its turns in a thread, and the API is asked from the operator's loop. This is
the place between the two: each side writes its own fields whole, and reads the other's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field


@dataclass
class PodPool:
    """The pods of one run, each a life named by its uid.

    Attributes:
        prepared: whether the run is prepared. Before that, workers are the pods that prepare;
            afterwards those are no workers any more, and must get no task that needs a GPU.
        preparing, training: the lives of pods whose worker runs, oldest first, by what they are
            for. Written by the operator's loop.
        told_to_leave: those of them that are being deleted. Written by the operator's loop.
        wanted: how many workers the controller can use. Written by the controller.
        dropped: lives that show no sign, whose pods are to be killed. Written by the controller.
    """

    prepared: Callable[[], bool]
    preparing: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    told_to_leave: frozenset[str] = frozenset()
    wanted: int = 0
    dropped: set[str] = field(default_factory=set)

    def want(self, count: int) -> None:
        """Note that the controller can use `count` workers."""
        self.wanted = count

    def drop(self, life: str) -> None:
        """Have a pod killed. The loop does it."""
        self.dropped.add(life)

    def lives(self) -> list[str]:
        """Return the lives that run now."""
        return [
            life
            for life in (self.training if self.prepared() else self.preparing)
            if life not in self.dropped
        ]

    def leaving(self) -> Collection[str]:
        """Return those that are being deleted: they save, and get nothing new to do."""
        return self.told_to_leave

    def vouches_for(self, life: str) -> bool:
        """Return True: every worker of a run's folder is a pod of this cluster, and listed."""
        del life
        return True
