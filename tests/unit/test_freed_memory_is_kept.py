"""Memory that a step frees is there for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from autolfads_trainer.freed_memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    parts = [bytearray(8_000_000) for _ in range(10)]
step()
before = faults()
for _ in range(5):
    step()
print(faults() - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
def test_no_page_is_asked_for_again() -> None:
    assert page_faults("keep") < 1_000
    assert page_faults("as usual") > 10_000  # 80 MB, five times over: what it is for
