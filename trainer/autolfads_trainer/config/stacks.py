"""Augmentation stacks: each transform, and the orders of those that act."""

from __future__ import annotations

from typing import Any

from autolfads_trainer.config import arguments, classes
from autolfads_trainer.config.checks import Key, validate
from autolfads_trainer.config.layers import DEFAULTS
from autolfads_trainer.config.reading import PartReader
from autolfads_trainer.own_classes import check_own
from autolfads_trainer.userinput import InputError, shown

_ORDERS = ("batch_order", "loss_order")


class Stacks(PartReader):
    """Checks both augmentation stacks."""

    def train_aug_stack(self, value: Any) -> dict[str, Any]:
        """Return the augmentations of training."""
        return self._stack(value, "train_aug_stack")

    def infer_aug_stack(self, value: Any) -> dict[str, Any]:
        """Return the augmentations of validation."""
        return self._stack(value, "infer_aug_stack")

    def _stack(self, value: Any, name: str) -> dict[str, Any]:
        key = ("model", name)
        stack = self.part(value, key, "augmentation stack")
        unknown = [n for n in stack if n not in ("_target_", "transforms", *_ORDERS)]
        if unknown:  # tells the nearest
            validate(arguments.Stack, {unknown[0]: None}, key, self.where)
        said = stack.get("transforms")
        said = self.list_at([] if said is None else said, (*key, "transforms"))
        orders = {}
        for order_name in _ORDERS:
            order = stack.get(order_name)
            if order is None or (not said and self._from_below(key, order_name)):
                order = []
            orders[order_name] = self._order(order, (*key, order_name), len(said))
        transforms = [
            self._transform(part, (*key, "transforms", str(index)))
            for index, part in enumerate(said)
        ]
        return self._without_idle(key, transforms, orders)

    def _transform(self, value: Any, at: Key) -> dict[str, Any]:
        part = self.part(value, at, "augmentation")
        if classes.is_own(part["_target_"]):
            return check_own("augmentation", part, self.where(at))
        checked = self.arguments(part, arguments.AUGMENTATIONS[part["_target_"]], at)
        if "ic_enc_seq_len" in checked:
            steps = self.model["ic_enc_seq_len"]
            self.same(checked, "ic_enc_seq_len", steps, "model.ic_enc_seq_len", at)
        if "sv_rate" in checked:
            rate = self.said_datamodule.get("sv_rate") or 0.0
            self.same(checked, "sv_rate", rate, "datamodule.sv_rate", at)
            checked.pop("recon_reduce_mean")  # it is the model's
        return checked

    def _without_idle(
        self, key: Key, transforms: list[dict[str, Any]], orders: dict[str, list[int]]
    ) -> dict[str, Any]:
        """Return the stack without what does nothing, which a note tells of."""
        kept = []
        for index, part in enumerate(transforms):
            listed = any(index in order for order in orders.values())
            if listed and part.get("sv_rate") != 0:
                kept.append(index)
                continue
            named = part["_target_"].rpartition(".")[2]
            why = "but in neither order" if not listed else "with a datamodule.sv_rate of 0"
            self.notes.append(f"{'.'.join(key)}: {named} is listed {why}, so there is none")
        return {
            "_target_": classes.STACK,
            "transforms": [transforms[index] for index in kept],
            **{
                name: [kept.index(index) for index in order if index in kept]
                for name, order in orders.items()
            },
        }

    def _from_below(self, key: Key, order: str) -> bool:
        """Whether the stack was emptied by a layer that left the order as it was beneath."""
        origin = self.layers.origin((*key, order))
        return origin == DEFAULTS or origin != self.layers.origin((*key, "transforms"))

    def _order(self, value: Any, key: Key, transforms: int) -> list[int]:
        order = self.list_at(value, key)
        for i, index in enumerate(order):
            whole_number = isinstance(index, int | float) and not isinstance(index, bool)
            if not whole_number or index not in range(transforms):
                have = f"0 to {transforms - 1}" if transforms else "no index: transforms is empty"
                raise InputError(
                    f"{self.where((*key, str(i)))}: found {shown(index)}; expected {have}"
                )
        if len(set(order)) != len(order):
            raise InputError(
                f"{self.where(key)}: found {shown(order)}; expected each index at most once"
            )
        return [int(index) for index in order]
