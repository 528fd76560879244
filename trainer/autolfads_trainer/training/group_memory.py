"""The memory of a group of members: what they have, on a leading axis, and each member's slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.scores import Scores


class Flat:
    """Tensors by name, of members, in one memory `values (M, P)`; `named` are its parts."""

    def __init__(self, like: Mapping[str, Tensor], members: int) -> None:
        sizes = [value.numel() for value in like.values()]
        first = next(iter(like.values()), torch.empty(0))
        self.values = first.detach().new_zeros(members, sum(sizes))
        self.named = {
            name: part.view(members, *value.shape)
            for (name, value), part in zip(
                like.items(), torch.split(self.values, sizes, dim=1), strict=True
            )
        }

    def hold(self, place: int, mine: Mapping[str, Tensor]) -> None:
        """Write a member's tensors here; they are parts of this memory from now on."""
        with torch.no_grad():
            for name, of_all in self.named.items():
                held = of_all.detach()[place]
                held.copy_(mine[name])
                mine[name].data = held

    @staticmethod
    def leave(mine: Mapping[str, Tensor]) -> None:
        """Give a member's tensors memory of their own again."""
        for value in mine.values():
            value.data = value.detach().clone()


class Places:
    """All else that a step of a member reads and writes: small tensors, by `places_of`."""

    def __init__(self, like: Member, members: int) -> None:
        self._sizes = like.model.sizes
        self._tensors = {
            key: torch.stack([owner[name]] * members)
            for key, (owner, name) in places_of(like).items()
        }

    def __getitem__(self, key: str) -> Tensor:
        return self._tensors[key]

    def hold(self, place: int, member: Member) -> None:
        """Write a member's tensors here; they are parts of this memory from now on."""
        for key, (owner, name) in places_of(member).items():
            held = self._tensors[key][place]
            held.copy_(owner[name])
            owner[name] = held

    def hyperparameters(self) -> Hyperparameters:
        """Return those of all members, as a step reads them."""
        values = {
            key.removeprefix("hp.values."): value
            for key, value in self._tensors.items()
            if key.startswith("hp.values.")
        }
        others = {name: self._tensors[f"hp.{name}"] for name in Hyperparameters.OF_A_STEP}
        return Hyperparameters.of(values, **others)

    def scores(self) -> Scores:
        """Return the scores' sums of all members."""
        return self._scores({name: self._tensors[f"scores.{name}"] for name in Scores.SUMS})

    def scores_like(self, other: Scores) -> Scores:
        """Return sums of all members that are nobody's."""
        return self._scores({name: torch.zeros_like(vars(other)[name]) for name in Scores.SUMS})

    def _scores(self, sums: Mapping[str, Tensor]) -> Scores:
        made = Scores(self._sizes, next(iter(sums.values())).device)
        vars(made).update(sums)
        return made


def places_of(member: Member) -> dict[str, tuple[dict[str, Any], str]]:
    """Return where a member keeps what a step reads and writes: in which mapping, by which name."""
    hp = member.hp
    return {
        "sums": (vars(member), "sums"),
        "optimizer.steps": (vars(member.optimizer), "steps"),
        **{f"hp.values.{name}": (hp.values, name) for name in hp.values},
        **{f"hp.{name}": (vars(hp), name) for name in hp.OF_A_STEP},
        **{f"scores.{name}": (vars(member.scores), name) for name in Scores.SUMS},
    }


def generator_like(other: torch.Generator) -> torch.Generator:
    """Return another generator of the same device."""
    return torch.Generator(device=other.device)
