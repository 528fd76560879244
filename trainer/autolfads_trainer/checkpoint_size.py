"""How large a model and its checkpoints are, known before anything is built. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autolfads_trainer.config.classes import IDENTITY, NULL, ZERO_INFLATED_GAMMA
from autolfads_trainer.config.tunable import hyperparameters_of
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.training.parts import parts_of, scores_of

NUMBER = 4  # bytes of a float32
# What one tensor costs beside its numbers, at most: its entry in the archive and in the archive's
# index, the gap to the next multiple of 64, and its names in the pickle.
_PER_TENSOR = 320
_ARCHIVE = 4096  # the archive's other entries and its end
_GENERATOR = 8192  # the random generator's state: 5056 on the CPU, 16 on a GPU


def tensors(model: Mapping[str, Any]) -> list[int]:
    """Return how many numbers each tensor of a model has, trained or not.

    `model` is the `model` section of a resolved configuration.
    """
    sizes = Sizes.of(model)
    seen, co = sizes.readin_dim, sizes.co_dim
    found = [2 * sizes.ic_enc_dim, *_gru(seen, sizes.ic_enc_dim), *_gru(seen, sizes.ic_enc_dim)]
    found += _linear(2 * sizes.ic_enc_dim, 2 * sizes.ic_dim)
    found += [*_linear(sizes.ic_dim, sizes.gen_dim), sizes.con_dim]
    found += _gru(co + sizes.ext_input_dim, sizes.gen_dim)
    found += [sizes.gen_dim * sizes.fac_dim]
    if sizes.has_controller:
        control = _gru(seen, sizes.ci_enc_dim)
        found += [2 * sizes.ci_enc_dim, *control, *control]
        found += _gru(2 * sizes.ci_enc_dim + sizes.fac_dim, sizes.con_dim)
        found += _linear(sizes.con_dim, 2 * co)
    for readin in model["readin"]:
        if "out_features" in readin:
            found += _linear(int(readin["in_features"]), int(readin["out_features"]))
    for readout in model["readout"]["modules"]:
        if readout["_target_"] == IDENTITY:
            continue
        found += _linear(sizes.fac_dim, int(readout["out_features"]))
    for session, reconstruction in zip(sizes.sessions, model["reconstruction"], strict=True):
        if reconstruction["_target_"] == ZERO_INFLATED_GAMMA:
            found += [2 * session.recon_data_dim]
    for prior, dims in (("ic_prior", sizes.ic_dim), ("co_prior", co)):
        if model[prior]["_target_"] != NULL:
            found += [dims, dims]
    return found


def _gru(inputs: int, units: int) -> list[int]:
    return [3 * units * inputs, 3 * units * units, 3 * units, 3 * units]


def _linear(inputs: int, outputs: int) -> list[int]:
    return [inputs * outputs, outputs]


def columns(model: Mapping[str, Any]) -> list[str]:
    """Return the names of all that a member measures in one epoch."""
    names = (*parts_of(model), *scores_of(len(model["reconstruction"])))
    measured = [f"{split}/{name}" for split in ("train", "valid") for name in names]
    tuned = [f"hp/{name}" for name in hyperparameters_of(model)]
    return ["epoch", *measured, "valid/recon_smth", *tuned]


def checkpoint_bytes(configuration: Mapping[str, Any], trials: int, epochs: int) -> int:
    """Return the most that a checkpoint can have, in a generation of so many `epochs`.

    `trials` are those of training. Weights, two moments of each, the rows of the generation, and
    where it is within an epoch.
    """
    model = configuration["model"]
    channels, sessions = Sizes.of(model).channels, len(model["reconstruction"])
    sizes, parts = tensors(model), len(parts_of(model))
    rest = 8 * (10 * channels + 4) + 8 * trials + _GENERATOR + 8 * parts
    count = 3 * len(sizes) + parts + 8 + sessions
    rows = epochs * _pickled(dict.fromkeys(columns(model), 0.0))
    return 3 * NUMBER * sum(sizes) + rest + rows + _frame(configuration, count)


def model_file_bytes(configuration: Mapping[str, Any]) -> int:
    """Return the most that the results' `model.ckpt` can have: weights and configuration."""
    sizes = tensors(configuration["model"])
    return NUMBER * sum(sizes) + _frame(configuration, len(sizes))


def _frame(configuration: Mapping[str, Any], count: int) -> int:
    return _ARCHIVE + _PER_TENSOR * count + _pickled(configuration)


def _pickled(value: Any) -> int:
    """Return the most that plain values take as torch pickles them: protocol 2, nothing shared."""
    if isinstance(value, str):
        return 10 + len(value.encode(errors="surrogatepass"))
    if isinstance(value, Mapping):
        return 16 + sum(_pickled(name) + _pickled(entry) for name, entry in value.items())
    if isinstance(value, list | tuple):
        return 16 + sum(_pickled(entry) for entry in value)
    return 10 + (value.bit_length() // 8 if isinstance(value, int) else 0)
