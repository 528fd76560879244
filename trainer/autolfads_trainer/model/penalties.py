"""The L2 penalty on recurrent kernels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autolfads_trainer.model.lfads import LFADS


def l2_penalty(model: LFADS, scales: Mapping[str, Tensor]) -> Tensor:
    """Return Σ scale · ½‖W_hh‖² over the penalised kernels, divided by their number of elements.

    `scales` maps `l2_{ic_enc,ci_enc,gen,con}_scale` to tensors of one element; a kernel counts
    where its scale is above zero.
    """
    encoder, cell = model.encoder, model.decoder.rnn.cell
    kernels = [
        ("l2_ic_enc_scale", encoder.ic_enc.fwd_gru.cell.weight_hh),
        ("l2_ic_enc_scale", encoder.ic_enc.bwd_gru.cell.weight_hh),
        ("l2_gen_scale", cell.gen_cell.weight_hh),
    ]
    if model.sizes.has_controller:
        kernels += [
            ("l2_ci_enc_scale", encoder.ci_enc.fwd_gru.cell.weight_hh),
            ("l2_ci_enc_scale", encoder.ci_enc.bwd_gru.cell.weight_hh),
            ("l2_con_scale", cell.con_cell.weight_hh),
        ]
    penalty = torch.zeros((), device=model.decoder.con_h0.device)
    elements = torch.zeros_like(penalty)
    for name, kernel in kernels:
        penalty = penalty + scales[name] * 0.5 * (kernel**2).sum()
        elements = elements + torch.where(scales[name] > 0, float(kernel.numel()), 0.0)
    return penalty / (elements + 1e-8)
