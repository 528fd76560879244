"""Which keys are used, which are ignored with a line that says so; any other is an error."""

from __future__ import annotations

from typing import Any

from autolfads_trainer.config import sections
from autolfads_trainer.config.checks import unknown_key
from autolfads_trainer.config.layers import Layers
from autolfads_trainer.userinput import nearest

USED: dict[str, tuple[str, ...]] = {
    "model": ("_target_", *sections.ModelSection.model_fields, *sections.MODEL_PARTS),
    "datamodule": ("_target_", *sections.DatamoduleSection.model_fields),
    "pbt": tuple(sections.PbtSection.model_fields),
    "trainer": tuple(sections.TrainerSection.model_fields),
    "posterior_sampling": tuple(sections.PosteriorSamplingSection.model_fields),
    "start": tuple(sections.StartSection.model_fields),
}
# What the existing pipeline's own engines want to know; here they have no meaning.
IGNORED = ("ignore_warnings", "callbacks", "logger")
IGNORED_WITHIN = ("trainer", "posterior_sampling")

_KNOWN = [
    "seed",
    *USED,
    *IGNORED,
    *(f"{section}.{name}" for section, names in USED.items() for name in names),
]


def used_keys(layers: Layers) -> tuple[dict[str, Any], list[str]]:
    """Return the used keys of the merged tree, and a note for each group of ignored ones.

    Raises `InputError` for a key that is neither.
    """
    used: dict[str, Any] = {}
    notes: list[str] = []
    ignored = [name for name in layers.tree if name in IGNORED]
    if ignored:
        notes.append(f"ignored: {', '.join(ignored)}")
    for section, value in layers.tree.items():
        if section == "seed":
            used[section] = value
        elif section in USED:
            used[section], odd = _split(layers, section, value)
            if odd:
                # Rather one of ours, misspelt, than one of the existing pipeline's.
                told = (f"{section}.{name}{nearest(name, USED[section], 0.82)}" for name in odd)
                notes.append("ignored: " + ", ".join(told))
        elif section not in IGNORED:
            raise unknown_key(layers.where((section,)), section, _KNOWN)
    resources = used.get("pbt", {}).get("resources_per_trial")
    if isinstance(resources, dict) and "cpu" in resources:  # workers have the threads they are told
        notes.append("ignored: pbt.resources_per_trial.cpu")
    return used, notes


def _split(layers: Layers, section: str, value: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    used = {name: inner for name, inner in value.items() if name in USED[section]}
    odd = [name for name in value if name not in used]
    if section in IGNORED_WITHIN:
        fn = value.get("fn")
        if section == "posterior_sampling" and isinstance(fn, dict):
            # `fn.num_samples` has been read; see `manifest`.
            odd = [name for name in odd if name != "fn"]
            odd += [f"fn.{name}" for name in fn if name != "num_samples"]
        return used, odd
    for name in odd:
        raise unknown_key(layers.where((section, name)), f"{section}.{name}", _KNOWN)
    return used, []
