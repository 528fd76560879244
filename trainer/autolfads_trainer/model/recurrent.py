"""The GRU of LFADS: its reset gate acts before the recurrent product, and its state is clipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autolfads_trainer.model.initial import normal


class ClippedGRUCell(nn.Module):
    """One step of a GRU whose state is clipped to ±`cell_clip`.

    `weight_ih (3H, in)` and `weight_hh (3H, H)` hold the rows of the gates z, r and of the
    candidate n, in that order:

        [x_z, x_r, x_n] = W_ih x + b_ih
        z = σ(x_z + W_hz h)     r = σ(x_r + W_hr h)     n = tanh(x_n + W_hn (r ∘ h))
        h' = clip(z ∘ h + (1 − z) ∘ n, ±cell_clip)

    `bias_hh` exists, is zero and is not trained: it is part of the names that checkpoints share
    with the existing implementation. `scale` of the weights' start values: input plus state for
    encoders; `fan_in=True` (decoder) takes each matrix's own number of columns.
    """

    def __init__(
        self, inputs: int, units: int, clip: float, generator: torch.Generator, *, fan_in: bool
    ) -> None:
        super().__init__()
        self.units = units
        self.clip = clip
        scale_ih, scale_hh = (inputs, units) if fan_in else (inputs + units,) * 2
        self.weight_ih = nn.Parameter(
            normal(3 * units, inputs, scale=scale_ih, generator=generator)
        )
        self.weight_hh = nn.Parameter(normal(3 * units, units, scale=scale_hh, generator=generator))
        bias = torch.zeros(3 * units)
        bias[: 2 * units] = 1.0  # gates start open: the state is kept at first
        self.bias_ih = nn.Parameter(bias)
        self.bias_hh = nn.Parameter(torch.zeros(3 * units), requires_grad=False)

    def project(self, inputs: Tensor) -> Tensor:
        """Take `inputs (..., in)`, of one step or of all steps at once, to `(..., 3H)`."""
        return nn.functional.linear(inputs, self.weight_ih, self.bias_ih)

    def kernels(self) -> tuple[Tensor, Tensor]:
        """Return the recurrent weights of the gates `(2H, H)` and of the candidate `(H, H)`.

        Taken once for a whole sequence: autograd would copy the full matrix for every slice.
        """
        gates, candidate = torch.split(self.weight_hh, [2 * self.units, self.units])
        return gates, candidate

    def forward(self, projected: Tensor, state: Tensor, kernels: tuple[Tensor, Tensor]) -> Tensor:
        """Take `projected (B, 3H)` inputs and the `state (B, H)` to the next state `(B, H)`."""
        w_zr, w_n = kernels
        x_z, x_r, x_n = projected.chunk(3, dim=1)
        h_z, h_r = nn.functional.linear(state, w_zr).chunk(2, dim=1)
        z = torch.sigmoid(x_z + h_z)
        r = torch.sigmoid(x_r + h_r)
        n = torch.tanh(x_n + nn.functional.linear(r * state, w_n))
        return torch.clamp(z * state + (1 - z) * n, -self.clip, self.clip)


class ClippedGRU(nn.Module):
    """A `ClippedGRUCell` over time. Its cell is called `cell`, as checkpoints name it."""

    def __init__(self, inputs: int, units: int, clip: float, generator: torch.Generator) -> None:
        super().__init__()
        self.cell = ClippedGRUCell(inputs, units, clip, generator, fan_in=False)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Take `inputs (time, B, in)` and the start `state (B, H)` to all states `(time, B, H)`."""
        kernels = self.cell.kernels()
        states = []
        for projected in self.cell.project(inputs).unbind(0):
            state = self.cell(projected, state, kernels)
            states.append(state)
        return torch.stack(states)


class BidirectionalGRU(nn.Module):
    """Two GRUs over the same input, one in each direction of time."""

    def __init__(self, inputs: int, units: int, clip: float, generator: torch.Generator) -> None:
        super().__init__()
        self.fwd_gru = ClippedGRU(inputs, units, clip, generator)
        self.bwd_gru = ClippedGRU(inputs, units, clip, generator)

    def forward(self, inputs: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return the forward and the backward states, each `(time, B, H)` in the order of time.

        `inputs` is `(time, B, in)`; `start (2, 1, H)` holds the start states, forward first.
        """
        trials = inputs.shape[1]
        forward = self.fwd_gru(inputs, start[0].expand(trials, -1))
        backward = self.bwd_gru(inputs.flip(0), start[1].expand(trials, -1)).flip(0)
        return forward, backward
