"""The results of an export become the results of the run, whole and once. No torch."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from autolfads_trainer.disk import sync_names
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.places import Place, place_of

_IN_THE_WAY = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def publish(root: Path, made: Path, results: Path) -> None:
    """Give the folder `made` the name `results`; both are below `root`.

    Another controller may have done so. Raises `StoreError` where there is nothing to publish, or
    something else in the way.
    """
    with place_of(results, root) as public:
        _refuse_link(public, results)
        try:
            with place_of(made, root) as own:
                _refuse_link(own, made)
                if own.is_folder():
                    _move(
                        own,
                        public,
                        f"{results}: is in the way of the run's results, which are in {made}",
                    )
                    sync_names(public.folder)
        except FileNotFoundError:  # with the folder that it was in: it was moved
            pass
        if not public.is_folder():
            raise StoreError(
                f"{made}: there are no results to publish; remove the folder "
                f"{made.relative_to(root).parts[0]} of the run, and they are made again"
            )


def _refuse_link(place: Place, path: Path) -> None:
    found = place.status()
    if found is not None and stat.S_ISLNK(found.st_mode):
        raise StoreError(f"{path}: is a link; expected only files and folders of the run")


def _move(own: Place, public: Place, in_the_way: str) -> None:
    try:
        own.rename(public)  # an empty folder of this name is no obstacle
    except OSError as error:
        # Another controller was faster, or the answer is wrong: what is there counts.
        if own.is_folder() and not own.is_same(public):  # the older name can be remembered
            if error.errno in _IN_THE_WAY:
                raise StoreError(
                    f"{in_the_way}; expected no such name: move it away, and go on with the run"
                ) from None
            raise
        if not public.is_folder():
            raise
