"""What a loss is made of, by the names that the fit log gives it, in their order. No torch."""

from __future__ import annotations

PARTS = (
    *("loss", "recon", "recon/sess0"),
    *("wt_l2", "wt_l2/ramp", "wt_kl", "wt_kl/ic", "wt_kl/co", "wt_kl/ramp"),
)
