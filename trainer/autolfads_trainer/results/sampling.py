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
    for _, batch in data.chunks(batch_size):
        infer = (_by_the_model if reference else _by_the_engine)(model, batch)
        at_once = max(1, ROWS.get(device.type, ROWS["cpu"]) // batch.trials)
        sums: dict[str, Tensor] = {}
        for first in range(0, samples, at_once):
            count = min(at_once, samples - first)
            # Each sample's numbers are the same however many samples are taken at once.
            drawn = [draw_samples(model.sizes, batch.trials, generator) for _ in range(count)]
            both = (torch.cat(part, dim=-2) for part in zip(*drawn, strict=True))
            output = infer(Samples(*(part * model.variational for part in both)))
            for name in OUTPUTS:
                value = output.output_means if name == "output_params" else getattr(output, name)
                total = value.unflatten(0, (count, batch.trials)).sum(dim=0)
                sums[name] = sums[name] + total if name in sums else total
            done += count * batch.trials
            progress(done / (samples * data.trials))
        for name, total in sums.items():
            parts[name].append((total / samples).cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


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
