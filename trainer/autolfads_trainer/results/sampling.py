"""Averaging a model's outputs over samples of its posteriors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import draw_noise

Arrays = dict[str, NDArray[np.float32]]

OUTPUTS = tuple(LFADSOutput.__dataclass_fields__)


@torch.no_grad()
def posterior_means(
    model: LFADS,
    data: Split,
    *,
    samples: int,
    batch_size: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Arrays:
    """Return the mean of every output over `samples` posterior samples, for all trials of `data`.

    `output_params` are means of the distribution: for Poisson, rates per bin `(trials, R, N)`.
    A trial's samples depend on the batches that it is taken in; the same arguments on the same
    device give the same numbers. `progress` is called with the share done.
    """
    generator = torch.Generator(device=data.encod.device).manual_seed(seed)
    done = 0
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in OUTPUTS}
    for _, batch in data.chunks(batch_size):
        sums: dict[str, Tensor] = {}
        for _ in range(samples):
            noise = draw_noise(model.sizes, batch.trials, generator)
            output = model(batch.encod, batch.ext_input, noise=noise, sample=True)
            for name in OUTPUTS:
                value = output.output_means if name == "output_params" else getattr(output, name)
                sums[name] = sums[name] + value if name in sums else value
            done += batch.trials
            progress(done / (samples * data.trials))
        for name, total in sums.items():
            parts[name].append((total / samples).cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}
