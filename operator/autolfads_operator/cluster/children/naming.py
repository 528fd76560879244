"""What a group's Job is called, and the claim that its pods share. Pure."""

from __future__ import annotations

from autolfads_operator.cluster.packing import Group
from autolfads_operator.cluster.run_object import RunObject


def group_name(run: RunObject, group: Group) -> str:
    """Return the name: another one for each way that the pods' template can be."""
    return f"{run.stem}-{group.suffix}-{run.made_from[:5]}"
