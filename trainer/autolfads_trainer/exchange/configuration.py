"""The configuration of a model of which there are its weights, and what was saved beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.keys import USED
from autolfads_trainer.exchange.given import Given
from autolfads_trainer.exchange.known import USUAL, Known, some
from autolfads_trainer.exchange.lightning import Foreign
from autolfads_trainer.exchange.observed import readin_of, readout_of, reconstruction_of
from autolfads_trainer.exchange.priors import prior_of
from autolfads_trainer.exchange.settings import settings_of
from autolfads_trainer.exchange.shapes import sessions_in, shapes_of
from autolfads_trainer.exchange.stacks import stack_of


@dataclass(frozen=True)
class Description:
    """A model's configuration."""

    model: dict[str, Any]  # the `model` section of a resolved configuration
    notes: tuple[str, ...]  # what was assumed or left out, one line each


def configuration_of(foreign: Foreign, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the `model` section of which `foreign` holds the weights; see `describe`."""
    return describe(foreign, config).model


def describe(
    foreign: Foreign, config: Mapping[str, Any] | None = None, source: str = "config"
) -> Description:
    """Return the configuration that fits weights, and what had to be assumed.

    Settings are those saved with the weights; read-ins, read-outs and priors follow from the
    weights' names and shapes, one read-in and read-out for each session. `config`, the run's own
    configuration or its `model` section, says what the file does not; `source` is its name in
    messages. Raises `InputError` where they contradict one another, or make no model.
    """
    known = Known(foreign, Given.of(config, source))
    sessions = sessions_in(known.shapes)
    if not sessions:
        raise known.error(f"has no 'readout.0.weight', but {some(known.shapes)}", "an LFADS")
    _check_kinds(known)
    settings = settings_of(known)
    readins = [readin_of(known, session) for session in range(sessions)]
    if sessions == 1:
        # There it is what the encoder sees, here the channels of the data.
        settings["encod_data_dim"] = readins[0].get("in_features", settings["encod_data_dim"])
    readouts = [readout_of(known, session) for session in range(sessions)]
    model = {
        "_target_": classes.LFADS,
        **settings,
        "readin": readins,
        "readout": {"_target_": classes.MODULE_LIST, "modules": readouts},
        "train_aug_stack": _stack(known, "train_aug_stack"),
        "infer_aug_stack": _stack(known, "infer_aug_stack"),
        "reconstruction": [
            reconstruction_of(
                known,
                session,
                sessions,
                readins[session].get("in_features", settings["encod_data_dim"]),
                readouts[session]["out_features"],
            )
            for session in range(sessions)
        ],
        "co_prior": prior_of(known, "co_prior", settings["co_dim"]),
        "ic_prior": prior_of(known, "ic_prior", settings["ic_dim"]),
    }
    _check_weights(known, model)
    _tell(known)
    return Description(model, tuple(known.notes))


def _stack(known: Known, name: str) -> dict[str, Any]:
    pickled = known.foreign.hyperparameters.get(name)
    found = stack_of(pickled)
    if found is not None:
        stack, unknown = found
        if unknown:
            known.notes.append(f"model.{name}: left out, as not known: {some(unknown)}")
        return stack
    if pickled is not None:
        known.notes.append(f"model.{name}: what was saved is no AugmentationStack")
    given = known.given.stack(name)
    if given is not None:
        return given
    known.usual.append(f"model.{name}")
    return {"transforms": [], "batch_order": [], "loss_order": [], **USUAL[name]}


def _check_kinds(known: Known) -> None:
    kinds = set()
    for name, weight in known.foreign.state_dict.items():
        if not weight.is_floating_point():
            raise known.error(f"state_dict: '{name:.80}' is of {weight.dtype}", "torch.float32")
        kinds.add(str(weight.dtype))
    other = sorted(kinds - {"torch.float32"})
    if other:
        known.notes.append(f"weights of {', '.join(other)} become torch.float32")


def _check_weights(known: Known, model: Mapping[str, Any]) -> None:
    """Raise `InputError` unless these are the model's weights, and all of them."""
    expected, found = shapes_of(model), known.shapes
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    differing = [
        f"{name} is {found[name]} and not {shape}"
        for name, shape in expected.items()
        if found.get(name, shape) != shape
    ]
    wrong = [
        f"{word}{some(names)}"
        for word, names in (
            ("missing ", missing),
            ("unexpected ", unexpected),
            ("", differing),
        )
        if names
    ]
    if wrong:
        raise known.error(
            f"state_dict: {'; '.join(wrong)}", "the weights of the LFADS that it speaks of"
        )


def _tell(known: Known) -> None:
    """Add notes on what nobody said, and on what is not used."""
    unused = [
        name
        for name in known.foreign.hyperparameters
        if name not in USED["model"] and not name.startswith("_")
    ]
    for what, names in (
        ("not in the file, so as usual", known.usual),
        ("not used of hyper_parameters", unused),
        ("left out, as no weights", known.foreign.left_out),
    ):
        if names:
            known.notes.append(f"{what}: {some(names)}")
