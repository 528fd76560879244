"""How the rows of a group are divided among the blocks of a GPU, and in what pieces they work."""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton

ENOUGH = 100  # blocks: about as many as large GPUs have multiprocessors
WIDEST, NARROWEST = 64, 16  # columns of a piece; a product of fewer is none for the hardware


class Blocks(NamedTuple):
    """Trials of a block, and columns of a product's pieces, outer and inner."""

    rows: int
    columns: int
    inner: int

    @classmethod
    def of(cls, members: int, trials: int, units: int) -> Blocks:
        """Choose them for a loop of so many units."""
        many = members * triton.cdiv(trials, 32) >= ENOUGH
        return cls(32 if many else 16, at_least(units), 32)

    def grid(self, members: int, trials: int) -> tuple[int, int]:
        """Return the blocks there are."""
        return triton.cdiv(trials, self.rows), members


def at_least(columns: int) -> int:
    """Return how wide a piece is that so many columns are done in."""
    return min(WIDEST, max(NARROWEST, int(triton.next_power_of_2(columns))))


def precision() -> str:
    """Return what products of single precision are rounded to now, as Triton calls it."""
    exact = torch.backends.cuda.matmul.fp32_precision in ("ieee", "none")
    return "ieee" if exact else "tf32"
