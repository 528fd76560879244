"""The L2 penalty on recurrent kernels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# Which penalty's scale each recurrent kernel has.
SCALES = {
    "encoder.ic_enc.fwd_gru.cell.weight_hh": "l2_ic_enc_scale",
    "encoder.ic_enc.bwd_gru.cell.weight_hh": "l2_ic_enc_scale",
    "decoder.rnn.cell.gen_cell.weight_hh": "l2_gen_scale",
    "encoder.ci_enc.fwd_gru.cell.weight_hh": "l2_ci_enc_scale",
    "encoder.ci_enc.bwd_gru.cell.weight_hh": "l2_ci_enc_scale",
    "decoder.rnn.cell.con_cell.weight_hh": "l2_con_scale",
}


def l2_penalty(parameters: Mapping[str, Tensor], scales: Mapping[str, Tensor]) -> Tensor:
    """Return Σ scale · ½‖W_hh‖² over the penalised kernels, divided by their number of elements.

    `parameters` are a model's, by name; `scales` maps `l2_{ic_enc,ci_enc,gen,con}_scale` to tensors
    of one element; a kernel counts where its scale is above zero. Members may be a leading axis of
    both, and are of the answer then.
    """
    penalty = elements = torch.zeros((), device=next(iter(parameters.values())).device)
    for name, its_scale in SCALES.items():
        if name in parameters:  # without a controller some are not
            kernel, scale = parameters[name], scales[its_scale]
            size = float(kernel.shape[-2] * kernel.shape[-1])
            penalty = penalty + scale * 0.5 * (kernel**2).sum(dim=(-2, -1))
            elements = elements + torch.where(scale > 0, size, 0.0)
    return penalty / (elements + 1e-8)
