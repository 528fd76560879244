"""How good the rates in the results are, from the same arrays that users will read."""

from __future__ import annotations

import torch

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.results.sampling import Arrays
from autolfads_trainer.training.scores import Scores


def quality_of(
    sizes: Sizes, data: Split, outputs: Arrays, *, counts: bool = True
) -> dict[str, float]:
    """Return bps, co_bps, fp_bps and r2 of one session's sampled rates; NaN: nothing to score.

    Bits per spike have no meaning for data that are no `counts`.
    """
    rates = torch.as_tensor(outputs["output_params"])
    scores = Scores(sizes, torch.device("cpu"))
    if counts:
        observed = None if data.observed is None else data.observed.cpu()
        # A rate that underflows to 0 would make one stray spike infinitely wrong.
        scores.add_counts(torch.log(rates.clamp_min(1e-9)), data.recon.cpu(), 0, observed)
    scores.add_rates(rates, None if data.truth is None else data.truth.cpu())
    return scores.read()
