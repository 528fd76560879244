"""The decoder's loop as one kernel each way. In Triton; called by `decoder`."""

from __future__ import annotations

import triton
import triton.language as tl

from autolfads_trainer.engine.fused.cell import backward_step, forward_step, product


@triton.jit
def forward_kernel(
    # Of the generator.
    g_given,
    g_given_member,
    g_given_step,
    g_given_row,
    g_start,
    g_first,
    g_weight,
    g_weight_row,
    g_kernels,
    read,
    read_mask,
    g_gates,
    g_resets,
    g_states,
    factors,
    # Of the controller.
    c_given,
    c_start,
    c_weight,
    c_weight_row,
    c_kernels,
    out_weight,
    out_bias,
    seen_mask,
    noise,
    c_gates,
    c_resets,
    c_states,
    means,
    stds,
    controls,
    # Sizes.
    steps,
    trials,
    generator,
    factor,
    controller,
    outputs,
    clip,
    clipped,
    CONTROLLED: tl.constexpr,
    READ_DROPS: tl.constexpr,
    SEEN_DROPS: tl.constexpr,
    SAMPLED: tl.constexpr,
    BR: tl.constexpr,
    BG: tl.constexpr,
    BC: tl.constexpr,
    BF: tl.constexpr,
    BU: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    rows = tl.program_id(0) * BR + tl.arange(0, BR)
    member = tl.program_id(1).to(tl.int64)
    there = rows < trials
    every = member * steps * trials
    g_given += member * g_given_member
    g_weight += member * 3 * generator * g_weight_row
    g_kernels += member * 3 * generator * generator
    read += member * factor * generator
    before = g_start + (member * trials + rows) * generator
    read_from = g_first + (member * trials + rows) * factor
    u = tl.arange(0, BU)
    at_u = u[None, :]
    some = there[:, None] & (u < outputs)[None, :]
    c_before = c_start + (member * trials + rows) * controller
    c_weight += member * 3 * controller * c_weight_row
    c_kernels += member * 3 * controller * controller
    out_weight += member * 2 * outputs * controller
    out_bias += member * 2 * outputs
    for step in range(steps):
        row = every + step * trials + rows
        control = controls + row * outputs
        if CONTROLLED:
            c_after = c_states + row * controller
            forward_step(
                c_given + row * 3 * controller,
                c_gates + row * 3 * controller,
                c_resets + row * controller,
                c_before,
                c_after,
                there,
                c_kernels,
                controller,
                step < clipped,
                clip,
                read_from,
                seen_mask + row * factor,
                c_weight,
                c_weight_row,
                factor,
                True,
                SEEN_DROPS,
                BC,
                BK,
                PRECISION,
            )
            mean = tl.zeros((BR, BU), dtype=tl.float32)
            mean += tl.load(out_bias + u, mask=u < outputs, other=0.0)[None, :]
            logvar = tl.zeros((BR, BU), dtype=tl.float32)
            logvar += tl.load(out_bias + outputs + u, mask=u < outputs, other=0.0)[None, :]
            mean = product(
                mean, c_after, c_after, there, out_weight, 1, controller, controller, u, outputs,
                False, BK, PRECISION,
            )  # fmt: skip
            of_logvar = out_weight + outputs * controller
            logvar = product(
                logvar, c_after, c_after, there, of_logvar, 1, controller, controller, u, outputs,
                False, BK, PRECISION,
            )  # fmt: skip
            std = tl.exp(0.5 * logvar)
            value = mean
            if SAMPLED:
                drawn = tl.load(noise + row[:, None] * outputs + at_u, mask=some, other=0.0)
                value = mean + std * drawn
            tl.store(means + row[:, None] * outputs + at_u, mean, mask=some)
            tl.store(stds + row[:, None] * outputs + at_u, std, mask=some)
            tl.store(control[:, None] + at_u, value, mask=some)
            tl.debug_barrier()
            c_before = c_after
        after = g_states + row * generator
        forward_step(
            # In 64 bits: an export has so many rows that 32 do not reach its last steps.
            g_given + tl.cast(step, tl.int64) * g_given_step + rows * g_given_row,
            g_gates + row * 3 * generator,
            g_resets + row * generator,
            before,
            after,
            there,
            g_kernels,
            generator,
            step < clipped,
            clip,
            control,
            control,
            g_weight,
            g_weight_row,
            outputs,
            CONTROLLED,
            False,
            BG,
            BK,
            PRECISION,
        )
        these = factors + row * factor
        for first in range(0, factor, BF):
            n = first + tl.arange(0, BF)
            found = tl.zeros((BR, BF), dtype=tl.float32)
            found = product(
                found, after, read_mask + row * generator, there, read, 1, generator, generator,
                n, factor, READ_DROPS, BK, PRECISION,
            )  # fmt: skip
            tl.store(
                these[:, None] + n[None, :], found, mask=there[:, None] & (n < factor)[None, :]
            )
        tl.debug_barrier()
        before = after
        read_from = these


@triton.jit
def backward_kernel(
    # Of the generator.
    of_states,
    of_factors,
    of_first,
    g_start,
    g_weight,
    g_weight_row,
    g_kernels,
    read,
    read_mask,
    g_gates,
    g_states,
    g_carried,
    # Of the controller.
    of_c_states,
    of_means,
    of_stds,
    of_values,
    c_start,
    c_weight,
    c_weight_row,
    c_kernels,
    out_weight,
    seen_mask,
    noise,
    c_gates,
    c_states,
    stds,
    of_out,
    c_carried,
    # Sizes.
    steps,
    trials,
    generator,
    factor,
    controller,
    outputs,
    clip,
    clipped,
    CONTROLLED: tl.constexpr,
    READ_DROPS: tl.constexpr,
    SEEN_DROPS: tl.constexpr,
    SAMPLED: tl.constexpr,
    OF_STATES: tl.constexpr,
    OF_C_STATES: tl.constexpr,
    OF_MEANS: tl.constexpr,
    OF_STDS: tl.constexpr,
    OF_VALUES: tl.constexpr,
    BR: tl.constexpr,
    BG: tl.constexpr,
    BC: tl.constexpr,
    BF: tl.constexpr,
    BU: tl.constexpr,
    BK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    rows = tl.program_id(0) * BR + tl.arange(0, BR)
    member = tl.program_id(1).to(tl.int64)
    there = rows < trials
    every = member * steps * trials
    g_weight += member * 3 * generator * g_weight_row
    g_kernels += member * 3 * generator * generator
    read += member * factor * generator
    c_weight += member * 3 * controller * c_weight_row
    c_kernels += member * 3 * controller * controller
    out_weight += member * 2 * outputs * controller
    u = tl.arange(0, BU)
    at_u = u[None, :]
    some = there[:, None] & (u < outputs)[None, :]
    for gone in range(steps):
        step = steps - 1 - gone
        row = every + step * trials + rows
        earlier = row - trials
        before = g_states + earlier * generator
        to_factors = of_factors + earlier * factor
        if step == 0:
            before = g_start + (member * trials + rows) * generator
            to_factors = of_first + (member * trials + rows) * factor
        gates = g_gates + row * 3 * generator
        backward_step(
            of_states + row * generator,
            gates,
            before,
            g_carried + (member * trials + rows) * generator,
            there,
            g_kernels,
            generator,
            step < clipped,
            clip,
            of_factors + row * factor,
            read_mask + row * generator,
            read,
            factor,
            OF_STATES,
            True,
            READ_DROPS,
            BG,
            BK,
            PRECISION,
        )
        if CONTROLLED:
            here = row[:, None] * outputs + at_u
            of_value = tl.zeros((BR, BU), dtype=tl.float32)
            for gate in range(3):
                of_gate = g_weight + gate * generator * g_weight_row
                of_value = product(
                    of_value, gates + gate * generator, gates, there, of_gate, g_weight_row, 1,
                    generator, u, outputs, False, BK, PRECISION,
                )  # fmt: skip
            if OF_VALUES:
                of_value += tl.load(of_values + here, mask=some, other=0.0)
            of_mean = of_value
            if OF_MEANS:
                of_mean += tl.load(of_means + here, mask=some, other=0.0)
            of_std = tl.zeros_like(of_value)
            if SAMPLED:
                of_std += of_value * tl.load(noise + here, mask=some, other=0.0)
            if OF_STDS:
                of_std += tl.load(of_stds + here, mask=some, other=0.0)
            of_logvar = 0.5 * of_std * tl.load(stds + here, mask=some, other=0.0)
            out = of_out + row * 2 * outputs
            tl.store(out[:, None] + at_u, of_mean, mask=some)
            tl.store(out[:, None] + outputs + at_u, of_logvar, mask=some)
            tl.debug_barrier()
            c_before = c_states + earlier * controller
            if step == 0:
                c_before = c_start + (member * trials + rows) * controller
            c_gate = c_gates + row * 3 * controller
            backward_step(
                of_c_states + row * controller,
                c_gate,
                c_before,
                c_carried + (member * trials + rows) * controller,
                there,
                c_kernels,
                controller,
                step < clipped,
                clip,
                out,
                out,
                out_weight,
                2 * outputs,
                OF_C_STATES,
                True,
                False,
                BC,
                BK,
                PRECISION,
            )
            for first in range(0, factor, BF):
                n = first + tl.arange(0, BF)
                inside = there[:, None] & (n < factor)[None, :]
                add = tl.zeros((BR, BF), dtype=tl.float32)
                for gate in range(3):
                    of_gate = c_weight + gate * controller * c_weight_row
                    add = product(
                        add, c_gate + gate * controller, c_gate, there, of_gate, c_weight_row, 1,
                        controller, n, factor, False, BK, PRECISION,
                    )  # fmt: skip
                if SEEN_DROPS:
                    add *= tl.load(
                        seen_mask + row[:, None] * factor + n[None, :], mask=inside, other=0.0
                    )
                target = to_factors[:, None] + n[None, :]
                add += tl.load(target, mask=inside, other=0.0)
                tl.store(target, add, mask=inside)
            tl.debug_barrier()
