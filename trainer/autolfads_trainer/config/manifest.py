"""The layers of one run: defaults, configuration file, inline configuration, the spec's fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autolfads_trainer.config.checks import Key
from autolfads_trainer.config.defaults import MODEL_SIZES, DataSizes, default_configuration
from autolfads_trainer.config.interpolation import resolve_relpaths
from autolfads_trainer.config.layers import DEFAULTS, Layers, Origin, plain
from autolfads_trainer.userinput import InputError, shown
from autolfads_trainer.yaml_text import read_yaml

# The spec's own fields, and the key of the configuration that each one says.
SPEC_FIELDS: dict[Key, Key] = {
    ("population",): ("pbt", "num_samples"),
    ("seed",): ("seed",),
    ("pbt", "generationEpochs"): ("pbt", "perturbation_interval"),
    ("pbt", "burnInEpochs"): ("pbt", "burn_in_period"),
    ("pbt", "maxEpochs"): ("trainer", "max_epochs"),
    ("pbt", "patience"): ("pbt", "patience"),
    ("pbt", "minImprovementRatio"): ("pbt", "min_improvement_ratio"),
    ("pbt", "searchSpace"): ("pbt", "hps"),
    ("export", "posteriorSamples"): ("posterior_sampling", "num_samples"),
}
SPEC_SEARCH_SPACE = Origin("spec.pbt.searchSpace", is_key=True)


def layers_of(spec: Mapping[str, Any], config_file: Path | None, sizes: DataSizes) -> Layers:
    """Return everything that is said about a run, the most specific on top.

    Raises `InputError` when a layer cannot be read or is no configuration.
    """
    layers = Layers()
    layers.lay(default_configuration(sizes), DEFAULTS)
    if config_file is not None:
        said = plain(read_yaml(config_file, "configuration"), str(config_file))
        _lay(layers, resolve_relpaths(said, config_file.parent), str(config_file))
    inline = spec.get("config")
    if inline is not None:
        if not isinstance(inline, Mapping):
            raise InputError(f"spec.config: found {shown(inline)}; expected a mapping")
        _lay(layers, plain(inline, "spec.config"), "spec.config")
    for field, key in SPEC_FIELDS.items():
        value = _field(spec, field)
        if value is not None:
            name = ".".join(("spec", *field))
            layers.put(key, plain(value, name), Origin(name, is_key=True))
    for name in MODEL_SIZES:  # null: from the data, as if it were not there
        if layers.tree["model"].get(name) is None:
            size = getattr(sizes, MODEL_SIZES[name][0])
            layers.put(("model", name), size, DEFAULTS)
    return layers


def _lay(layers: Layers, layer: dict[str, Any], source: str) -> None:
    for section in ("model", "datamodule", "pbt", "trainer", "posterior_sampling", "start"):
        value = layer.get(section)
        if value is not None and not isinstance(value, dict):
            raise InputError(f"{source}: {section}: found {shown(value)}; expected a mapping")
    layers.lay(layer, Origin(source))
    # `posterior_sampling.fn.num_samples` is today's name of the older `…num_samples`.
    sampling = layer.get("posterior_sampling") or {}
    fn = sampling.get("fn")
    if isinstance(fn, dict) and fn.get("num_samples") is not None:
        origin = Origin(f"{source}: posterior_sampling.fn.num_samples", is_key=True)
        older = sampling.get("num_samples", fn["num_samples"])
        if older != fn["num_samples"]:
            raise InputError(
                f"{origin.name}: found {shown(fn['num_samples'])}, and"
                f" posterior_sampling.num_samples is {shown(older)}; expected one of them"
            )
        layers.put(("posterior_sampling", "num_samples"), fn["num_samples"], origin)


def _field(spec: Mapping[str, Any], field: Key) -> Any:
    value: Any = spec
    for name in field:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
