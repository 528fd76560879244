"""What the lanes of one worker have in common: the data, and the steps that they take together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolfads_trainer.data.dataset import Dataset
    from autolfads_trainer.data.hdf5 import Recording
    from autolfads_trainer.training.member import Member
    from autolfads_trainer.training.side_by_side import SideBySide


class Shared:
    """Of a worker with so many `lanes`. `say` gets a line for the log."""

    def __init__(self, lanes: int = 1, say: Callable[[str], None] = print) -> None:
        self.lanes = lanes
        self.data_lock = threading.Lock()
        self.data: tuple[str, tuple[Recording, ...], Dataset] | None = None  # by the files' sha256
        self._say = say
        self._lock = threading.Lock()
        self._together: SideBySide | None = None

    def coming(self) -> AbstractContextManager[None]:
        """Have the other lanes wait for this one before they begin to train."""
        return nullcontext() if self.lanes == 1 else self._side_by_side().coming()

    def train(
        self, member: Member, after_step: Callable[[Member], bool], waits: Callable[[], bool]
    ) -> bool:
        """Train a member, in company where there is any: `SideBySide.train` and `Member.train`."""
        from autolfads_trainer.engine.step import Engine  # noqa: PLC0415  (it loads torch)

        alone = self.lanes == 1 and member.device.type == "cpu"
        if alone or not isinstance(member.way, Engine):
            return member.train(after_step)
        return self._side_by_side().train(member, after_step, waits)

    def rest(self) -> None:
        """Give back the memory of members that are not in training any more."""
        with self._lock:
            together = self._together
        if together is not None:
            together.rest()

    def _side_by_side(self) -> SideBySide:
        from autolfads_trainer.training.side_by_side import SideBySide  # noqa: PLC0415

        with self._lock:
            if self._together is None:
                self._together = SideBySide(self.lanes, self._say)
            return self._together
