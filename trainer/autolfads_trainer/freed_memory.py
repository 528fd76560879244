"""Keeping memory that was freed for the next step. No torch.

A training step takes some hundred megabytes and frees them again. glibc gives such amounts back to
the kernel at once, and the kernel clears each page anew: a tenth of a step on a CPU.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3)
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; return whether its C library can (glibc's can).

    It then gives nothing back before it ends.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _MOST))
