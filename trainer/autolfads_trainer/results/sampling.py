"""Averaging a model's outputs over samples of its posteriors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolfads_trainer.config.classes import has_own_classes
from autolfads_trainer.data.dataset import Split
from autolfads_trainer.engine.dropping import Dropping
from autolfads_trainer.engine.forward import Encoded, Pass, trials_first
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Noise, Samples, draw_samples
from autolfads_trainer.short_memory import free_memory, is_out_of_memory
from autolfads_trainer.training.augmentations.stack import AugmentationStack, stack_of
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.precision import exactly
from autolfads_trainer.userinput import InputError

Arrays = dict[str, NDArray[np.float32]]

OUTPUTS = tuple(name for name in LFADSOutput.__dataclass_fields__ if name != "output_means")
ROWS = {"cpu": 256, "cuda": 32_768}  # samples times trials at once, about: what a device is best at
BYTES = 1_000_000_000  # of them on a CPU, which kills where a GPU says that its memory is short


def joined(parts: Iterable[tuple[slice, Arrays]]) -> Arrays:
    """Return what `in_parts` yields in one piece, for all trials."""
    each = [arrays for _, arrays in parts]
    return {name: np.concatenate([part.pop(name) for part in each]) for name in OUTPUTS}


@torch.no_grad()
def in_parts(
    model: LFADS,
    data: Split,
    *,
    session: int = 0,
    samples: int,
    batch_size: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
    reference: bool = False,
) -> Iterator[tuple[slice, Arrays]]:
    """Yield the mean of every output over `samples` posterior samples, some trials at a time.

    They are of the model's session of this number, for all trials of `data`, in their order.

    `output_params` are means of the distribution: for Poisson, rates per bin `(trials, R, N)`.
    Of a model that is not variational there is one sample: its posteriors' means.
    A trial's samples depend on the batches that it is taken in; the same arguments on the same
    device give the same numbers. `progress` is called with the share done. `reference`: by the
    model itself and not by the engine.
    """
    samples = samples if model.variational else 1
    device = data.encod.device
    generator = torch.Generator(device=device).manual_seed(seed)
    done = 0
    rows = rows_at_once(model, session, device.type)
    stack = stack_of(model.configuration["infer_aug_stack"], split="valid")
    for trials, some in data.chunks(batch_size):
        batch = _as_inferred(model, session, some, stack)
        by_model = reference or has_own_classes(model.configuration)
        infer = (_by_the_model if by_model else _by_the_engine)(model, session, batch)
        sums: dict[str, Tensor] = {}
        taken = 0
        while taken < samples:
            count = min(max(1, rows // batch.trials), samples - taken)
            before = generator.get_state()
            try:
                # Each sample's numbers are the same however many samples are taken at once.
                drawn = [draw_samples(model.sizes, batch.trials, generator) for _ in range(count)]
                both = (torch.cat(part, dim=-2) for part in zip(*drawn, strict=True))
                found = _summed(infer(Samples(*(p * model.variational for p in both))), count)
            except Exception as error:
                if count == 1 or not is_out_of_memory(error):
                    raise
                error.__traceback__ = None  # it holds what was in that memory
                rows = count // 2 * batch.trials
                generator.set_state(before)
                free_memory(device)
                continue
            sums = {name: total + sums.get(name, 0) for name, total in found.items()}
            taken += count
            done += count * batch.trials
            progress(done / (samples * data.trials))
        yield trials, {name: (total / samples).cpu().numpy() for name, total in sums.items()}


def rows_at_once(model: LFADS, session: int, device: str) -> int:
    """Return how many samples times trials are taken at once, at most."""
    sizes = model.sizes
    numbers = sizes.gen_dim + sizes.fac_dim + sizes.con_dim + 4 * sizes.co_dim
    numbers += sizes.sessions[session].recon_data_dim * model.reconstructions[session].n_params
    most = BYTES // (2 * 4 * sizes.recon_seq_len * numbers)  # float32, and what is made of them
    return max(1, min(most, ROWS.get(device, ROWS["cpu"]))) if device == "cpu" else ROWS[device]


def _as_inferred(model: LFADS, session: int, batch: Split, stack: AugmentationStack) -> Split:
    """Return trials as the stack of inference has them: what is not to be seen is not."""
    if not stack.batch_order:
        return batch
    sizes, hp = model.sizes, Hyperparameters(model.configuration, batch.encod.device)
    seen, _ = stack(sizes, sizes.sessions[session], Series.of(batch), (), hp)
    encod, ext_input = seen.encod.transpose(0, 1), seen.ext_input.transpose(0, 1)
    return replace(batch, encod=encod, ext_input=ext_input)


def infer_array(
    model: LFADS,
    encod: NDArray[np.float32],
    ext_input: NDArray[np.float32] | None,
    *,
    session: int | None,
    samples: int,
    batch_size: int,
    seed: int,
) -> Arrays:
    """Do what `LFADS.infer` says."""
    sizes, sessions = model.sizes, len(model.sizes.sessions)
    session = 0 if session is None and sessions == 1 else session
    if not isinstance(session, int) or not 0 <= session < sessions:
        raise InputError(
            f"session: found {session!r}; expected a number from 0 to {sessions - 1}: the model's "
            "sessions in their order"
        )
    for name, value in (("samples", samples), ("batch_size", batch_size), ("trials", len(encod))):
        if value < 1:
            raise InputError(f"{name}: found {value}; expected at least 1")
    shape = (sizes.encod_seq_len, sizes.sessions[session].encod_data_dim)
    if encod.ndim != 3 or encod.shape[1:] != shape:
        raise InputError(
            f"encod_data: has the shape {encod.shape}; expected (trials, {shape[0]}, {shape[1]}): "
            "trials, time steps and channels as the model was trained with"
        )
    if ext_input is None:
        ext_input = np.zeros((*encod.shape[:2], 0), np.float32)
    steps, channels = ext_input.shape[1:] if ext_input.ndim == 3 else (0, -1)
    if (
        channels != sizes.ext_input_dim
        or len(ext_input) != len(encod)
        or (not shape[0] <= steps <= sizes.recon_seq_len)
    ):
        raise InputError(
            f"ext_input: has the shape {ext_input.shape}; expected ({len(encod)}, {shape[0]} to "
            f"{sizes.recon_seq_len}, {sizes.ext_input_dim}): trials, time steps and channels"
        )
    device = next(model.parameters()).device
    trials, external = (torch.as_tensor(a, device=device) for a in (encod, ext_input))
    split = Split(trials.nan_to_num(nan=0.0), trials[..., :0, :0], external, None)
    with exactly(device):
        return joined(
            in_parts(
                model, split, session=session, samples=samples, batch_size=batch_size, seed=seed
            )
        )


def _summed(output: LFADSOutput, samples: int) -> dict[str, Tensor]:
    """Return every output summed over the samples of each trial; `output_params` are means."""
    values = {name: getattr(output, name) for name in OUTPUTS}
    values["output_params"] = output.output_means
    return {
        name: value.unflatten(0, (samples, len(value) // samples)).sum(dim=0)
        for name, value in values.items()
    }


def _by_the_engine(model: LFADS, session: int, batch: Split) -> Callable[[Samples], LFADSOutput]:
    one = Pass(model, dict(model.named_parameters()), Dropping(None, None))
    # What is inferred of the data is the same for every sample.
    encoded = one.encode(one.read_in(session, batch.encod.transpose(0, 1).contiguous()))
    ext_input = batch.ext_input.transpose(0, 1)

    def infer(samples: Samples) -> LFADSOutput:
        times = len(samples.ic) // batch.trials
        seen = encoded.controller
        again = Encoded(
            _again(encoded.ic_mean, times),
            _again(encoded.ic_std, times),
            None if seen is None else _again(seen, times),
        )
        return trials_first(
            model, session, again, one.decode(again, _again(ext_input, times), samples)
        )

    return infer


def _by_the_model(model: LFADS, session: int, batch: Split) -> Callable[[Samples], LFADSOutput]:
    def infer(samples: Samples) -> LFADSOutput:
        times = len(samples.ic) // batch.trials
        nothing = samples.co[..., :0, :]  # nothing is dropped
        noise = Noise.of([nothing] * 6, *samples)
        encod, ext_input = (part.repeat(times, 1, 1) for part in (batch.encod, batch.ext_input))
        output: LFADSOutput = model(encod, ext_input, session=session, noise=noise, sample=True)
        return output

    return infer


def _again(values: Tensor, times: int) -> Tensor:
    """Return `values (…, B, width)` for all trials, `times` times one after another, as a copy."""
    return torch.cat([values] * times, dim=-2)
