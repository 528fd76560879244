"""What every reconstruction has: how the read-out's numbers describe the data, and what that costs.

The methods' names are those of the existing pipeline, so that users' own classes fit.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class Reconstruction(nn.Module):
    """A distribution of each channel's data in each bin.

    Axes before the channels are any, of trials and time the last two; parameters of one channel are
    a last axis of `n_params`.
    """

    n_params: ClassVar[int] = 1
    counts: ClassVar[bool] = False  # of whole numbers, which bits per spike have a meaning for
    own: ClassVar[bool] = False  # a user's: it may work in place on what it is given

    def reshape_output_params(self, output_params: Tensor) -> Tensor:
        """Take the read-out's `(…, n_params · N)`, one parameter of all channels after another.

        Returns `(…, N, n_params)`.
        """
        return torch.stack(output_params.chunk(self.n_params, dim=-1), dim=-1)

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return what each element of `data (…, B, R, N)` costs, given `(…, B, R, N, n_params)`."""
        raise NotImplementedError

    def compute_means(self, output_params: Tensor) -> Tensor:
        """Return the expected data `(…, N)`."""
        raise NotImplementedError

    @property
    def has_penalty(self) -> bool:
        """Whether there is a penalty on this class's own parameters."""
        return type(self).compute_l2 is not Reconstruction.compute_l2

    def compute_l2(self) -> Tensor | None:
        """Return a penalty `()` on this class's own parameters; None where there is none."""
        return None
