"""A run's turns on the shared volume, in a thread of their own, and what is seen of them outside.

The operator's loop never touches the volume: it reads `seen`, which is replaced after each turn.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autolfads_operator import __version__
from autolfads_operator.claiming import claim, deciding_hash
from autolfads_operator.cluster.metrics.tally import Tally
from autolfads_operator.cluster.names import DATA, DATA_FOLDER
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.settings import OperatorSettings
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.vitals import Vitals
from autolfads_operator.pools.pods import PodPool
from autolfads_operator.view.pace import Pace
from autolfads_operator.view.picture import Picture, picture_of
from autolfads_trainer.disk import make_folder
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import End, Owner
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError

MOST_HELD = 48_000_000  # bytes of one run's records: a hundred runs share this process


class FolderRefused(InputError):  # noqa: N818  (the folder is)
    """The run's folder is not this run's, or not as this run has left it."""


@dataclass(frozen=True)
class Seen:
    """What the last turn saw."""

    picture: Picture
    seconds_left: float | None
    end: End | None
    showing_life: frozenset[str]  # of our workers

    @property
    def prepared(self) -> bool:
        """Whether data and configuration are frozen."""
        return self.picture.population is not None

    def is_news_after(self, before: Seen | None) -> bool:
        """Return whether the cluster is to be looked at for it: epochs and scores can wait."""
        return before is None or self._milestones != before._milestones

    @property
    def _milestones(self) -> tuple[object, ...]:
        return (self.prepared, self.end, self.showing_life, self.picture.state,
                self.picture.generation)  # fmt: skip


@dataclass
class VolumeSide:
    """One run's controller, made in its first turn: reading hangs where the volume does."""

    run: RunObject
    settings: OperatorSettings
    clock: Callable[[], float] = time.monotonic
    pool: PodPool = field(init=False)
    seen: Seen | None = field(init=False, default=None)
    tally: Tally = field(init=False, default_factory=Tally)
    unfit: str | None = field(init=False, default=None)  # what the volume cannot do
    keep_results: bool = field(init=False)
    _begun: bool = field(init=False)  # its data were frozen: the folder holds what was trained
    _noted_keep: bool | None = field(init=False, default=None)
    _controller: Controller | None = field(init=False, default=None)
    _pace: Pace = field(init=False, default_factory=Pace)

    def __post_init__(self) -> None:
        self.pool = PodPool(self._is_prepared)
        self.keep_results = self.run.spec.keep_results
        self._begun = self.run.status.get("seed") is not None

    def _is_prepared(self) -> bool:
        return self._controller is not None and self._controller.ledger.run is not None

    def turn(self) -> bool:
        """Take a turn; return whether the run is over. Raises as `Controller.turn` does."""
        controller = self._controller
        if controller is None:
            controller = self._begin()
            if controller is None:
                return False
        self._note_keep_results(controller)
        over = controller.turn()
        self._begun = self._begun or self._is_prepared()
        running = len(self.pool.training)
        self.tally.note(controller.ledger, controller.statuses, running, self.clock())
        picture = picture_of(controller.ledger, controller.statuses)
        lives = self.pool.lives()
        self.seen = Seen(
            picture=picture,
            seconds_left=self._pace.seconds_left(self.clock(), picture),
            end=controller.ledger.end,
            showing_life=frozenset(life for life in lives if life in controller.statuses),
        )
        return over

    @property
    def more(self) -> bool:
        """Whether the last turn left something to do."""
        return self._controller is not None and self._controller.more

    def trouble(self) -> str | None:
        """Return what the run waits for, in plain words."""
        return self._controller.trouble() if self._controller is not None else None

    def begin_again(self) -> None:
        """Read everything anew in the next turn."""
        self._controller = None

    def _begin(self) -> Controller | None:
        folder = RunFolder(self.settings.root / self.run.folder)
        if self._begun:
            self._refuse_if_gone(folder)
        # A pod that mounts it would have kubelet make it, as root, and nobody could bring data.
        make_folder(self.settings.root / DATA, within=self.settings.root)
        try:
            owner = claim(folder, owner_of(self.run, self.settings))
        except InputError as error:
            raise FolderRefused(str(error)) from None
        except StoreError as error:
            if folder.root.is_dir() and folder.owner() is not None:
                raise
            self.unfit = str(error)
            return None
        folder.receive_workers()
        self.unfit = None
        self._noted_keep = owner.keep_results
        vitals = Vitals(silent_after=self.settings.silent_after)
        self._controller = Controller(folder, owner, self.pool, vitals=vitals, most_held=MOST_HELD)
        self._begun = self._begun or self._is_prepared()
        return self._controller

    def _refuse_if_gone(self, folder: RunFolder) -> None:
        """Make nothing in the place of a run that was begun: that would train it all again.

        Raises `StoreError` where its folder was taken away, and `FileNotFoundError` where no
        folder of any run is seen, as when the volume is not mounted: that passes by itself.
        """
        if folder.root.is_dir() and folder.owner() is not None:
            return
        if not folder.root.parent.is_dir():
            where = folder.root.parent
            raise FileNotFoundError(
                errno.ENOENT, f"{where} is not there; is it mounted?", str(where)
            )
        raise StoreError(
            f"{self.run.folder}: is gone from the volume, or empty; nothing is made in its place. "
            "Bring it back and set spec.suspend: true and then false, or apply a run of another "
            "name"
        )

    def _note_keep_results(self, controller: Controller) -> None:
        """Write down whether results outlive the run's object: it may change while it exists."""
        if self._noted_keep != self.keep_results:
            controller.folder.note_keep_results(self.keep_results)
            self._noted_keep = self.keep_results


def owner_of(run: RunObject, settings: OperatorSettings) -> Owner:
    """Return whose the folder will be. Paths become those that a worker sees in its pod."""
    spec = run.spec.as_json()
    if "path" in spec["data"]:
        spec["data"]["path"] = str(Path(DATA_FOLDER, spec["data"]["path"]))
    if spec.get("configFile"):
        spec["configFile"] = str(Path(DATA_FOLDER, spec["configFile"]))
    return Owner(
        name=run.name,
        spec=spec,
        spec_hash=deciding_hash(spec),
        namespace=run.namespace,
        uid=run.uid,
        cluster=settings.cluster,
        keep_results=run.spec.keep_results,
        autolfads=__version__,
    )
