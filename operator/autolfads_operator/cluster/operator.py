"""What the loops of all runs share."""

from __future__ import annotations

from dataclasses import dataclass, field

from autolfads_operator.cluster.client import Client
from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.mirror import Mirror
from autolfads_operator.cluster.settings import OperatorSettings


@dataclass
class Operator:
    """One operator, which looks after one namespace."""

    client: Client
    settings: OperatorSettings
    mirror: Mirror
    facts: ClusterFacts
    other_operators: list[str] = field(default_factory=list)
    at_work: set[str] = field(default_factory=set)  # runs that take turns on the volume
