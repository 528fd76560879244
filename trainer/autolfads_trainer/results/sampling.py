"""Averaging a model's outputs over samples of its posteriors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.engine.dropping import Dropping
from autolfads_trainer.engine.forward import Encoded, Pass, Samples, trials_first
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Noise, draw_samples
from autolfads_trainer.short_memory import free_memory, is_out_of_memory

Arrays = dict[str, NDArray[np.float32]]

OUTPUTS = tuple(name for name in LFADSOutput.__dataclass_fields__ if name != "output_means")
ROWS = {"cpu": 256, "cuda": 32_768}  # samples times trials at once, about: what a device is best at


@torch.no_grad()
def posterior_means(
    model: LFADS,
    data: Split,
    *,
    samples: int,
    batch_size: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
    reference: bool = False,
) -> Arrays:
    """Return the mean of every output over `samples` posterior samples, for all trials of `data`.

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
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in OUTPUTS}
    rows = ROWS.get(device.type, ROWS["cpu"])
    for _, batch in data.chunks(batch_size):
        infer = (_by_the_model if reference else _by_the_engine)(model, batch)
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
        for name, total in sums.items():
            parts[name].append((total / samples).cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


def _summed(output: LFADSOutput, samples: int) -> dict[str, Tensor]:
    """Return every output summed over the samples of each trial; `output_params` are means."""
    values = {name: getattr(output, name) for name in OUTPUTS}
    values["output_params"] = output.output_means
    return {
        name: value.unflatten(0, (samples, len(value) // samples)).sum(dim=0)
        for name, value in values.items()
    }


def _by_the_engine(model: LFADS, batch: Split) -> Callable[[Samples], LFADSOutput]:
    one = Pass(model, dict(model.named_parameters()), Dropping(None, None))
    # What is inferred of the data is the same for every sample.
    encoded = one.encode(batch.encod.transpose(0, 1).contiguous())
    ext_input = batch.ext_input.transpose(0, 1)

    def infer(samples: Samples) -> LFADSOutput:
        times = len(samples.ic) // batch.trials
        seen = encoded.controller
        again = Encoded(
            _again(encoded.ic_mean, times),
            _again(encoded.ic_std, times),
            None if seen is None else _again(seen, times),
        )
        return trials_first(model, again, one.decode(again, _again(ext_input, times), samples))

    return infer


def _by_the_model(model: LFADS, batch: Split) -> Callable[[Samples], LFADSOutput]:
    def infer(samples: Samples) -> LFADSOutput:
        times = len(samples.ic) // batch.trials
        nothing = samples.co[..., :0, :]  # nothing is dropped
        noise = Noise.of([nothing] * 6, *samples)
        encod, ext_input = (part.repeat(times, 1, 1) for part in (batch.encod, batch.ext_input))
        output: LFADSOutput = model(encod, ext_input, noise=noise, sample=True)
        return output

    return infer


def _again(values: Tensor, times: int) -> Tensor:
    """Return `values (…, B, width)` for all trials, `times` times one after another, as a copy."""
    return torch.cat([values] * times, dim=-2)
