"""The equations of LFADS in plain numpy, one trial and one time step at a time.

Written from the equations alone, and slowly on purpose: what the model computes is held against
it. Dropout is given as factors by which elements are multiplied (0 or 1 / (1 − rate)).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Drops:
    """Factors of one trial's dropout; without any, everything passes."""

    def __init__(self, factors: Mapping[str, Array] | None = None) -> None:
        self.factors = factors

    def __call__(self, name: str, values: Array, step: int | None = None) -> Array:
        """Return `values` after the dropout called `name`."""
        if self.factors is None:
            return values
        factor = self.factors[name] if step is None else self.factors[name][step]
        assert factor.shape == values.shape
        return values * factor


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def gru_step(w: Mapping[str, Array], cell: str, x: Array, h: Array, clip: float) -> Array:
    size = len(h)
    kernel = w[f"{cell}.weight_hh"]
    from_input = w[f"{cell}.weight_ih"] @ x + w[f"{cell}.bias_ih"]
    new = np.zeros(size)
    z, r = np.zeros(size), np.zeros(size)
    for unit in range(size):
        z[unit] = sigmoid(from_input[unit] + kernel[unit] @ h)
        r[unit] = sigmoid(from_input[size + unit] + kernel[size + unit] @ h)
    for unit in range(size):
        n = np.tanh(from_input[2 * size + unit] + kernel[2 * size + unit] @ (r * h))
        new[unit] = min(max(z[unit] * h[unit] + (1 - z[unit]) * n, -clip), clip)
    return new


def both_ways(w: Mapping[str, Array], name: str, data: Array, clip: float) -> tuple[Array, Array]:
    """Return forward and backward states `(time, H)` over `data (time, channels)`."""
    steps = len(data)
    starts = w[f"encoder.{name}_h0"][:, 0]
    forward, backward = np.zeros((2, steps, starts.shape[1]))
    state = starts[0]
    for t in range(steps):
        state = gru_step(w, f"encoder.{name}.fwd_gru.cell", data[t], state, clip)
        forward[t] = state
    state = starts[1]
    for t in reversed(range(steps)):
        state = gru_step(w, f"encoder.{name}.bwd_gru.cell", data[t], state, clip)
        backward[t] = state
    return forward, backward


def encode(
    w: Mapping[str, Array], settings: Mapping[str, float], encod: Array, drop: Drops
) -> tuple[Array, Array, Array]:
    """Return mean and standard deviation of the initial condition, and the controller's input."""
    clip, recon_steps = settings["cell_clip"], int(settings["recon_seq_len"])
    first, lag = int(settings["ic_enc_seq_len"]), int(settings["ci_lag"])
    data = drop("encoder", encod)
    seen_by_ic, seen_by_ci = (data[:first], data[first:]) if first > 0 else (data, data)
    forward, backward = both_ways(w, "ic_enc", seen_by_ic, clip)
    summary = drop("initial_condition", np.concatenate([forward[-1], backward[0]]))
    both = w["encoder.ic_linear.weight"] @ summary + w["encoder.ic_linear.bias"]
    half = len(both) // 2
    mean, std = both[:half], np.sqrt(np.exp(both[half:]) + settings["ic_post_var_min"])
    if "encoder.ci_enc_h0" not in w:
        return mean, std, np.zeros((recon_steps, 0))
    forward, backward = both_ways(w, "ci_enc", seen_by_ci, clip)
    steps, units = forward.shape
    controller_input = np.zeros((recon_steps, 2 * units))
    for t in range(steps):
        if t - lag >= 0:
            controller_input[first + t, :units] = forward[t - lag]
        if t + lag < steps:
            controller_input[first + t, units:] = backward[t + lag]
    return mean, std, controller_input


def lfads(
    w: Mapping[str, Array],
    settings: Mapping[str, float],
    encod: Array,
    ext: Array,
    drop: Drops | None = None,
    standard: tuple[Array, Array] | None = None,
) -> dict[str, Array]:
    """Return all outputs for one trial: `encod (T, D)`, `ext (steps, X)`.

    `standard` are the normal numbers of the samples of initial condition (I) and control (R, U).
    """
    drop = drop or Drops()
    recon_steps, clip = int(settings["recon_seq_len"]), settings["cell_clip"]
    ic_mean, ic_std, controller_input = encode(w, settings, encod, drop)
    initial = ic_mean if standard is None else ic_mean + ic_std * standard[0]
    padded = np.zeros((recon_steps, ext.shape[1]))
    padded[: len(ext)] = ext
    padded = drop("ext_input", padded)

    rows = w["decoder.rnn.cell.fac_linear.weight"]
    to_factors = np.stack([row / np.sqrt(np.sum(row**2)) for row in rows])
    gen = w["decoder.ic_to_g0.weight"] @ initial + w["decoder.ic_to_g0.bias"]
    out: dict[str, list[Array]] = {
        name: []
        for name in (
            *("output_params", "factors", "co_means", "co_stds"),
            *("gen_states", "gen_inputs", "con_states"),
        )
    }
    gen_init = gen
    factors = to_factors @ drop("generator_start", gen)
    con = w["decoder.con_h0"][0]
    for t in range(recon_steps):
        gen_input, co_mean, co_std = padded[t], np.zeros(0), np.zeros(0)
        if "decoder.rnn.cell.co_linear.weight" in w:
            con_input = drop("controller", np.concatenate([controller_input[t], factors]), t)
            con = gru_step(w, "decoder.rnn.cell.con_cell", con_input, con, clip)
            both = w["decoder.rnn.cell.co_linear.weight"] @ con
            both = both + w["decoder.rnn.cell.co_linear.bias"]
            half = len(both) // 2
            co_mean, co_std = both[:half], np.sqrt(np.exp(both[half:]))
            control = co_mean if standard is None else co_mean + co_std * standard[1][t]
            gen_input = np.concatenate([control, padded[t]])
        gen = gru_step(w, "decoder.rnn.cell.gen_cell", gen_input, gen, clip)
        factors = to_factors @ drop("factors", gen, t)
        raw = w["readout.0.weight"] @ factors + w["readout.0.bias"]
        step = (raw[:, None], factors, co_mean, co_std, gen, gen_input, con)
        for name, value in zip(out, step, strict=True):
            out[name].append(value)
    arrays = {name: np.stack(values) for name, values in out.items()}
    return arrays | {"ic_mean": ic_mean, "ic_std": ic_std, "gen_init": gen_init}
