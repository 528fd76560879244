"""What the fuzz targets share: seeds, a limit of memory, and what counts as a finding."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2] / "unit"))  # the examples of the unit tests

MEMORY = 1_500_000_000  # beside what the imported libraries have mapped


def fuzz(one: Callable[[Path], None], seeds: Iterable[bytes]) -> None:
    """Give `one` a file again and again, changed so that new lines of ours are reached.

    Whatever `one` raises is a finding; so is a crash, a hang, and too much memory.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus, path = folder / "corpus", folder / "given"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number:03d}").write_bytes(seed)

    def given(content: bytes) -> None:
        path.write_bytes(content)
        one(path)

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    atheris.Setup([*sys.argv, str(corpus)], given)
    atheris.Fuzz()
