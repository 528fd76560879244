"""One step of the GRU of LFADS, forward and backward, by the threads that own some rows. In Triton.

The equations are those of `model.recurrent.ClippedGRUCell`, the names those of `engine.gru`. A step
goes through a few stages; between two of them lies a barrier, since what one thread has written
others read. Pointers to rows are blocks `(rows,)`; what is beyond the trials is never read.
"""

from __future__ import annotations

import triton
import triton.language as tl

# Gates z and r and the candidate n lie one after another in a row of three times the units.


@triton.jit
def rounded(values, PRECISION: tl.constexpr):
    """Round to the 10 bits of TF32, to the nearest: the units would cut the others off."""
    if PRECISION == "tf32":
        bits = values.to(tl.int32, bitcast=True)
        near = ((bits + 0x1000) & -0x2000).to(tl.float32, bitcast=True)
        return tl.where(values == values, near, values)  # what is no number stays none
    return values


@triton.jit
def product(
    total,
    left,
    drop,
    there,
    weight,
    along,
    across,
    inner,
    columns,
    width,
    DROPS: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Add `left (rows, inner) @ weight (inner, columns)` to `total`; `along`, `across`: strides.

    With `DROPS` the elements of `left` are multiplied by those of `drop`.
    """
    for first in range(0, inner, BK):
        k = first + tl.arange(0, BK)
        inside = there[:, None] & (k < inner)[None, :]
        a = tl.load(left[:, None] + k[None, :], mask=inside, other=0.0)
        if DROPS:
            a = a * tl.load(drop[:, None] + k[None, :], mask=inside, other=0.0)
        b = tl.load(
            weight + k[:, None] * along + columns[None, :] * across,
            mask=(k < inner)[:, None] & (columns < width)[None, :],
            other=0.0,
        )
        total = tl.dot(
            rounded(a, PRECISION), rounded(b, PRECISION), total, input_precision=PRECISION
        )
    return total


@triton.jit
def forward_step(
    given,
    gates,
    reset,
    before,
    after,
    there,
    kernels,
    units,
    clips,
    clip,
    other,
    drop,
    weight,
    weight_row,
    others,
    OTHERS: tl.constexpr,
    DROPS: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Take a step: from the state `before` to that `after`; leave gates, and r · `before`.

    `given`: what inputs that were known beforehand add to the gates. With `OTHERS` the inputs
    `other`, of which some may be dropped, add `weight` times themselves.
    """
    for first in range(0, units, BN):
        n = first + tl.arange(0, BN)
        at = n[None, :]
        inside = there[:, None] & (n < units)[None, :]
        z = tl.load(given[:, None] + at, mask=inside, other=0.0)
        r = tl.load(given[:, None] + units + at, mask=inside, other=0.0)
        if OTHERS:
            z = product(
                z, other, drop, there, weight, 1, weight_row, others, n, units, DROPS, BK, PRECISION
            )
            of_r = weight + units * weight_row
            r = product(
                r, other, drop, there, of_r, 1, weight_row, others, n, units, DROPS, BK, PRECISION
            )
        z = product(
            z, before, before, there, kernels, 1, units, units, n, units, False, BK, PRECISION
        )
        of_r = kernels + units * units
        r = product(r, before, before, there, of_r, 1, units, units, n, units, False, BK, PRECISION)
        z, r = tl.sigmoid(z), tl.sigmoid(r)
        tl.store(gates[:, None] + at, z, mask=inside)
        tl.store(gates[:, None] + units + at, r, mask=inside)
        h = tl.load(before[:, None] + at, mask=inside, other=0.0)
        tl.store(reset[:, None] + at, r * h, mask=inside)
    tl.debug_barrier()
    for first in range(0, units, BN):
        n = first + tl.arange(0, BN)
        at = n[None, :]
        inside = there[:, None] & (n < units)[None, :]
        c = tl.load(given[:, None] + 2 * units + at, mask=inside, other=0.0)
        if OTHERS:
            of_n = weight + 2 * units * weight_row
            c = product(
                c, other, drop, there, of_n, 1, weight_row, others, n, units, DROPS, BK, PRECISION
            )
        of_n = kernels + 2 * units * units
        c = product(c, reset, reset, there, of_n, 1, units, units, n, units, False, BK, PRECISION)
        c = 2.0 * tl.sigmoid(2.0 * c) - 1.0
        z = tl.load(gates[:, None] + at, mask=inside, other=0.0)
        h = tl.load(before[:, None] + at, mask=inside, other=0.0)
        following = c + z * (h - c)
        if clips:
            # Not by a minimum and a maximum, for which what is no number counts as the limit.
            following = tl.where(following > clip, clip, following)
            following = tl.where(following < -clip, -clip, following)
        tl.store(gates[:, None] + 2 * units + at, c, mask=inside)
        tl.store(after[:, None] + at, following, mask=inside)
    tl.debug_barrier()


@triton.jit
def backward_step(
    of_state,
    gates,
    before,
    carried,
    there,
    kernels,
    units,
    clips,
    clip,
    other,
    drop,
    weight,
    others,
    GIVEN: tl.constexpr,
    OTHERS: tl.constexpr,
    DROPS: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Take a step back: `carried` is the new state's gradient, and becomes that of `before`.

    Adds to it `of_state`, if `GIVEN`, and with `OTHERS` `other (rows, others) @ weight (others,
    units)`, of which some may be dropped. Leaves the gradients of the gates in their places.
    """
    for first in range(0, units, BN):
        n = first + tl.arange(0, BN)
        at = n[None, :]
        inside = there[:, None] & (n < units)[None, :]
        d = tl.load(carried[:, None] + at, mask=inside, other=0.0)
        if GIVEN:
            d += tl.load(of_state[:, None] + at, mask=inside, other=0.0)
        if OTHERS:
            add = tl.zeros_like(d)
            add = product(
                add, other, other, there, weight, units, 1, others, n, units, False, BK, PRECISION
            )
            if DROPS:
                add = add * tl.load(drop[:, None] + at, mask=inside, other=0.0)
            d += add
        z = tl.load(gates[:, None] + at, mask=inside, other=0.0)
        c = tl.load(gates[:, None] + 2 * units + at, mask=inside, other=0.0)
        h = tl.load(before[:, None] + at, mask=inside, other=0.0)
        if clips:
            d = tl.where(tl.abs(c + z * (h - c)) > clip, 0.0, d)
        tl.store(gates[:, None] + at, d * (h - c) * z * (1.0 - z), mask=inside)
        tl.store(gates[:, None] + 2 * units + at, d * (1.0 - z) * (1.0 - c * c), mask=inside)
        tl.store(carried[:, None] + at, d * z, mask=inside)
    tl.debug_barrier()
    for first in range(0, units, BN):
        n = first + tl.arange(0, BN)
        at = n[None, :]
        inside = there[:, None] & (n < units)[None, :]
        r = tl.load(gates[:, None] + units + at, mask=inside, other=0.0)
        h = tl.load(before[:, None] + at, mask=inside, other=0.0)
        d = tl.load(carried[:, None] + at, mask=inside, other=0.0)
        of_n, of_reset = kernels + 2 * units * units, tl.zeros_like(d)
        of_reset = product(
            of_reset,
            gates + 2 * units,
            gates,
            there,
            of_n,
            units,
            1,
            units,
            n,
            units,
            False,
            BK,
            PRECISION,
        )
        tl.store(gates[:, None] + units + at, of_reset * h * r * (1.0 - r), mask=inside)
        tl.store(carried[:, None] + at, d + of_reset * r, mask=inside)
    tl.debug_barrier()
    for first in range(0, units, BN):
        n = first + tl.arange(0, BN)
        at = n[None, :]
        inside = there[:, None] & (n < units)[None, :]
        d = tl.load(carried[:, None] + at, mask=inside, other=0.0)
        d = product(
            d, gates, gates, there, kernels, units, 1, units, n, units, False, BK, PRECISION
        )
        of_r = kernels + units * units
        d = product(
            d, gates + units, gates, there, of_r, units, 1, units, n, units, False, BK, PRECISION
        )
        tl.store(carried[:, None] + at, d, mask=inside)
    tl.debug_barrier()
