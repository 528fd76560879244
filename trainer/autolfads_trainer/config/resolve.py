"""From what a user said and the sizes of the data to one complete, checked configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolfads_trainer import own_classes
from autolfads_trainer.config import classes, sections
from autolfads_trainer.config.augmentations import check_augmentations
from autolfads_trainer.config.checks import Section, validate
from autolfads_trainer.config.consistency import check_datamodule, check_model, check_start
from autolfads_trainer.config.defaults import DataSizes, default_batch
from autolfads_trainer.config.interpolation import Interpolator
from autolfads_trainer.config.keys import used_keys
from autolfads_trainer.config.layers import DEFAULTS, Layers
from autolfads_trainer.config.manifest import layers_of
from autolfads_trainer.config.parts import Parts
from autolfads_trainer.config.search_space import overruled, search_space_of
from autolfads_trainer.userinput import InputError


@dataclass(frozen=True)
class Resolved:
    """What a run goes by. `configuration` and `search_space` are plain JSON."""

    configuration: dict[str, Any]  # in the shape and with the names of users' files
    search_space: dict[str, dict[str, Any]]  # by path; empty: nothing is tuned
    notes: tuple[str, ...]  # what the user should know, one line each


def resolve(
    spec: Mapping[str, Any],
    *,
    config_file: Path | None,
    sizes: DataSizes,
    allow_import: Sequence[str] = (),
) -> Resolved:
    """Return the configuration of a run, of which `spec` is the manifest's spec as JSON.

    Layers, the last wins: the defaults, `config_file`, `spec.config`, the spec's own fields.
    Modules in `allow_import` may be named by `_target_`, and are imported then; nothing else is.
    Raises `InputError`: one sentence that names the key, what was found and what was expected.
    """
    own_classes.allow(allow_import)
    layers = layers_of(spec, config_file, sizes)
    said, notes = used_keys(layers)
    interpolator = Interpolator(layers.tree, layers.where)
    said = {name: interpolator.resolved(value, (name,)) for name, value in said.items()}

    sizes = _sizes_in_training(said["datamodule"], sizes, layers)
    reader = _Reader(said, layers, sizes, allow_import, notes)
    model = reader.model()
    pbt = reader.plain("pbt", sections.PbtSection)
    trainer = reader.plain("trainer", sections.TrainerSection)
    trainer["gradient_clip_val"] = trainer["gradient_clip_val"] or None
    sampling = reader.plain("posterior_sampling", sections.PosteriorSamplingSection)
    configuration = {
        **validate(sections.SeedSection, {"seed": said["seed"]}, (), layers.where),
        "model": model,
        "datamodule": reader.datamodule(model),
        "pbt": pbt,
        "trainer": trainer,
        "posterior_sampling": sampling,
    }
    if said.get("start"):
        configuration["start"] = start = reader.plain("start", sections.StartSection)
        check_start(start, model, layers.where)
    pbt["hps"], space, left_out = search_space_of(pbt["hps"], configuration, layers)
    if pbt["num_samples"] == 1:
        notes.append("population 1: no tuning takes place; every setting stays as configured")
        space = {}
    else:
        notes += [*left_out, *overruled(space, layers)]
        first = pbt["burn_in_period"] or pbt["perturbation_interval"]
        if first >= trainer["max_epochs"]:
            notes.append(
                f"the first generation lasts {first} epochs and the run {trainer['max_epochs']}: "
                "no member ever learns from another"
            )
        if not space:
            notes.append("the search space is empty: members copy one another, nothing is tuned")
    return Resolved(configuration, space, tuple(notes))


def _sizes_in_training(said: dict[str, Any], sizes: DataSizes, layers: Layers) -> DataSizes:
    """Return the sizes once trials are split anew, where that is asked for. Raises `InputError`."""
    checked = validate(
        sections.ReshufflingSection,
        {name: said[name] for name in sections.ReshufflingSection.model_fields if name in said},
        ("datamodule",),
        layers.where,
    )
    if checked["reshuffle_tv_seed"] is None:
        return sizes
    ratio = checked["reshuffle_tv_ratio"]
    found = sizes.reshuffled(ratio)
    for one in found.sessions:
        if not one.train_trials:
            where = layers.where(("datamodule", "reshuffle_tv_ratio"))
            raise InputError(
                f"{where}: found {ratio:g}, which leaves no trial of {one.path} for training;"
                " expected a smaller share"
            )
    if layers.origin(("datamodule", "batch_size")) == DEFAULTS:
        said["batch_size"] = default_batch(found)
    return found


@dataclass(frozen=True)
class _Reader:
    """Checks the sections of what was said; `notes` grows."""

    said: dict[str, Any]
    layers: Layers
    sizes: DataSizes
    allow_import: Sequence[str]
    notes: list[str]

    def plain(self, name: str, section: type[Section]) -> dict[str, Any]:
        """Return the keys of one section that `section` knows, checked."""
        values = {
            key: value for key, value in self.said[name].items() if key in section.model_fields
        }
        return validate(section, values, (name,), self.layers.where)

    def target(self, name: str) -> str:
        """Return the class of one section."""
        where = self.layers.where((name, "_target_"))
        return classes.class_for(name, self.said[name]["_target_"], where, self.allow_import)

    def model(self) -> dict[str, Any]:
        """Return `model` with every part."""
        target = self.target("model")
        model = self.plain("model", sections.ModelSection)
        self.notes.extend(check_model(model, self.sizes, self.layers.where))
        said = self.said["model"]
        parts = Parts(
            model,
            said,
            self.said["datamodule"],
            self.sizes,
            self.layers,
            self.allow_import,
            self.notes,
        )
        held = {name: getattr(parts, name)(said[name]) for name in sections.MODEL_PARTS}
        check_augmentations(held, self.sizes, self.layers.where)
        self.notes.extend(
            f"{name}: is a class of one's own, which the engine knows nothing of: each member is"
            " trained by the reference, alone and more slowly"
            for name in classes.own_classes_of(held)
        )
        return {"_target_": target, **model, **held}

    def datamodule(self, model: dict[str, Any]) -> dict[str, Any]:
        """Return `datamodule`, which names the data file."""
        target = self.target("datamodule")
        datamodule = self.plain("datamodule", sections.DatamoduleSection)
        notes = check_datamodule(datamodule, model, self.sizes, self.layers.where)
        self.notes.extend(notes)
        return {"_target_": target, **datamodule}
