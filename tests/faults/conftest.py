"""One faulty volume for the tests of a module, each with a folder and rules of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import Volume, mounted
from run_directory_examples import listing


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    """The volume, mounted once."""
    folder = tmp_path_factory.mktemp("disk")
    (folder / "source").mkdir()
    with mounted(folder / "source", folder / "volume") as volume:
        yield volume


@pytest.fixture
def volume(shared: Volume) -> Iterator[Volume]:
    """The volume, a good disk again after the test."""
    yield shared
    shared.clear()


@pytest.fixture
def here(volume: Volume) -> Path:
    """A folder of the volume."""
    folder = volume.path / f"{len(listing(volume.path)):03d}"
    folder.mkdir()
    return folder
