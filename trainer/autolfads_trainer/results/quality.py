"""How good the rates in the results are, from the same arrays that users will read."""

from __future__ import annotations

import torch

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.results.sampling import Arrays
from autolfads_trainer.training.scores import Scores


class Quality:
    """bps, co_bps, fp_bps and r2 of one session's sampled rates, added up some trials at a time.

    Bits per spike have no meaning for data that are no `counts`.
    """

    def __init__(self, sizes: Sizes, data: Split, *, counts: bool = True) -> None:
        self.data, self.counts = data, counts
        self.scores = Scores(sizes, torch.device("cpu"))

    def add(self, trials: slice, outputs: Arrays) -> None:
        """Add what was sampled for these trials."""
        data, rates = self.data.take(trials), torch.as_tensor(outputs["output_params"])
        if self.counts:
            observed = None if data.observed is None else data.observed.cpu()
            # A rate that underflows to 0 would make one stray spike infinitely wrong.
            self.scores.add_counts(torch.log(rates.clamp_min(1e-9)), data.recon.cpu(), 0, observed)
        self.scores.add_rates(rates, None if data.truth is None else data.truth.cpu())

    def read(self) -> dict[str, float]:
        """Return the scores; NaN: nothing to score."""
        return self.scores.read()
