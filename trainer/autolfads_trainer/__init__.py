"""The AutoLFADS worker: model, data, training, results. Knows nothing of Kubernetes.

`from autolfads_trainer import LFADS` gives the model; it is imported on first use, so that the
run directory (`autolfads_trainer.store`) can be used where torch is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autolfads_trainer.model.lfads import LFADS

__all__ = ["LFADS"]


def __getattr__(name: str) -> Any:
    if name == "LFADS":
        from autolfads_trainer.model.lfads import LFADS  # noqa: PLC0415  (torch, on first use only)

        return LFADS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
