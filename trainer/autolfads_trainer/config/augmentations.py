"""What must fit together of the augmentations: with one another, with the data, with the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.checks import Key
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.userinput import InputError

_STACKS = ("train_aug_stack", "infer_aug_stack")
_RANDOM = (classes.COORDINATED_DROPOUT, classes.SPIKE_JITTER, classes.TEMPORAL_SHIFT)


def check_augmentations(
    parts: dict[str, Any], sizes: DataSizes, where: Callable[[Key], str]
) -> None:
    """Check both stacks of a model's checked `parts`. Raises `InputError`."""
    for name in _STACKS:
        _check_each_once(parts[name], ("model", name, "transforms"), where)
        _check_orders(parts[name], ("model", name), where)
    train, infer = (_targets(parts[name]) for name in _STACKS)
    key = ("model", "infer_aug_stack", "transforms")
    for target in infer:
        if target in _RANDOM:
            raise InputError(
                f"{where(key)}: found {_short(target)}; expected it in model.train_aug_stack alone:"
                " validation is the same in every epoch"
            )
    if (classes.SAMPLE_VALIDATION in train) != (classes.SAMPLE_VALIDATION in infer):
        has, lacks = _STACKS if classes.SAMPLE_VALIDATION in train else reversed(_STACKS)
        raise InputError(
            f"{where(('model', lacks, 'transforms'))}: SampleValidation is in model.{has} and not"
            " here; expected it in both: what is held out is never seen"
        )
    counts = all(part["_target_"] in classes.OF_COUNTS for part in parts["reconstruction"])
    if classes.SPIKE_JITTER in train and not counts:
        raise InputError(
            f"{where(('model', 'train_aug_stack', 'transforms'))}: found SpikeJitter; expected a"
            " reconstruction of counts with it (Poisson, PoissonBPS): it moves spikes"
        )
    for part in parts["train_aug_stack"]["transforms"]:
        if part.get("width", 0) >= sizes.encod_steps:
            raise InputError(
                f"{where(('model', 'train_aug_stack', 'transforms'))}: found a width of"
                f" {part['width']}; expected less than the {sizes.encod_steps} time steps of"
                " encod_data"
            )
    _check_missing(parts, sizes, where)


def _check_each_once(stack: dict[str, Any], key: Key, where: Callable[[Key], str]) -> None:
    targets = [target for target in _targets(stack) if not classes.is_own(target)]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise InputError(
            f"{where(key)}: found {_short(twice)} more than once; expected one of each"
        )


def _check_orders(stack: dict[str, Any], key: Key, where: Callable[[Key], str]) -> None:
    """Refuse what has an effect on both and is listed for one of them."""
    pairs = (classes.COORDINATED_DROPOUT, classes.SAMPLE_VALIDATION, classes.SELECTIVE_BACKPROP)
    for index, target in enumerate(_targets(stack)):
        of_batch, of_loss = (index in stack[name] for name in ("batch_order", "loss_order"))
        if target in pairs and of_batch != of_loss:
            lacks = "loss_order" if of_batch else "batch_order"
            raise InputError(
                f"{where((*key, lacks))}: lacks {index}, {_short(target)}; expected it in both"
                " orders: what it does to a batch is made good in the loss"
            )
    order = [_targets(stack)[index] for index in stack["batch_order"]]
    if classes.SELECTIVE_BACKPROP in order and classes.SPIKE_JITTER in order:
        raise InputError(
            f"{where((*key, 'batch_order'))}: found SpikeJitter and SelectiveBackpropThruTime;"
            " expected one of them: spikes cannot be moved where some are missing"
        )
    for place, target in enumerate(order):
        before = next((one for one in order[:place] if one in pairs), None)
        if target in (classes.SPIKE_JITTER, classes.TEMPORAL_SHIFT) and before is not None:
            raise InputError(
                f"{where((*key, 'batch_order'))}: {_short(target)} moves data, and comes after"
                f" {_short(before)}, which knows elements by their places; expected it before"
            )


def _check_missing(parts: dict[str, Any], sizes: DataSizes, where: Callable[[Key], str]) -> None:
    missing = next((one for one in sizes.sessions if one.missing), None)
    if missing is None:
        return
    for name in _STACKS:
        if classes.SELECTIVE_BACKPROP not in _targets(parts[name]):
            raise InputError(
                f"{missing.path}: {missing.missing}, which says that data are missing; expected a"
                f" number, or SelectiveBackpropThruTime in model.{name}"
            )
    if any(part["_target_"] == classes.POISSON_BPS for part in parts["reconstruction"]):
        raise InputError(
            f"{where(('model', 'reconstruction'))}: found PoissonBPS, and {missing.path} lacks"
            " data; expected Poisson: the null rate of a batch would be of what is not there"
        )


def _targets(stack: dict[str, Any]) -> list[str]:
    return [part["_target_"] for part in stack["transforms"]]


def _short(target: str) -> str:
    return target.rpartition(".")[2]
