"""A GRU over a whole sequence as one kernel each way. In Triton; called by `encoder`."""

from __future__ import annotations

import triton
import triton.language as tl

from autolfads_trainer.engine.fused.cell import backward_step, forward_step


@triton.jit
def forward_kernel(
    gates,
    resets,
    states,
    start,
    kernels,
    steps,
    trials,
    units,
    clip,
    clipped,
    BACK: tl.constexpr,
    BR: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    rows = tl.program_id(0) * BR + tl.arange(0, BR)
    member = tl.program_id(1).to(tl.int64)
    there = rows < trials
    gates += member * steps * trials * 3 * units
    resets += member * steps * trials * units
    states += member * steps * trials * units
    kernels += member * 3 * units * units
    before = start + member * trials * units + rows * units
    for number in range(steps):
        at = number
        if BACK:
            at = steps - 1 - number
        gate = gates + (at * trials + rows) * 3 * units
        after = states + (at * trials + rows) * units
        forward_step(
            gate,
            gate,
            resets + (at * trials + rows) * units,
            before,
            after,
            there,
            kernels,
            units,
            number < clipped,
            clip,
            before,
            before,
            kernels,
            0,
            0,
            False,
            False,
            BN,
            BK,
            PRECISION,
        )
        before = after


@triton.jit
def backward_kernel(
    of_states,
    gates,
    states,
    start,
    carried,
    kernels,
    steps,
    trials,
    units,
    clip,
    clipped,
    BACK: tl.constexpr,
    BR: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    rows = tl.program_id(0) * BR + tl.arange(0, BR)
    member = tl.program_id(1).to(tl.int64)
    there = rows < trials
    of_states += member * steps * trials * units
    gates += member * steps * trials * 3 * units
    states += member * steps * trials * units
    kernels += member * 3 * units * units
    first = start + member * trials * units + rows * units
    carried_rows = carried + member * trials * units + rows * units
    for gone in range(steps):
        number = steps - 1 - gone
        at, earlier = number, number - 1
        if BACK:
            at = steps - 1 - number
            earlier = at + 1
        before = states + (earlier * trials + rows) * units
        if number == 0:
            before = first
        backward_step(
            of_states + (at * trials + rows) * units,
            gates + (at * trials + rows) * 3 * units,
            before,
            carried_rows,
            there,
            kernels,
            units,
            number < clipped,
            clip,
            before,
            before,
            kernels,
            0,
            True,
            False,
            False,
            BN,
            BK,
            PRECISION,
        )
