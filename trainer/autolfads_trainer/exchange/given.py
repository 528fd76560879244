"""What a user's configuration says of a model whose weights come from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.checks import Key, dotted, unknown_key
from autolfads_trainer.config.interpolation import Interpolator, resolve_relpaths
from autolfads_trainer.config.keys import USED
from autolfads_trainer.config.layers import plain
from autolfads_trainer.userinput import InputError, shown
from autolfads_trainer.yaml_text import read_yaml

# Sizes of these follow from the weights.
_NOT_READ = ("_target_", "readin", "readout")


def read_configuration(path: Path) -> dict[str, Any]:
    """Read a configuration file. Raises `InputError`."""
    said = plain(read_yaml(path, "configuration"), str(path))
    if said.get("kind") == "AutoLFADSRun":
        raise InputError(
            f"{path}: is a manifest; expected the configuration that it names (spec.configFile), or"
            " what it holds (spec.config) in a file of its own"
        )
    resolved: dict[str, Any] = resolve_relpaths(said, path.parent)
    return resolved


@dataclass(frozen=True)
class Given:
    """The `model` section of a configuration, with its references resolved."""

    source: str  # how messages name the configuration
    model: dict[str, Any]  # keys without a value are left out

    @classmethod
    def of(cls, config: Mapping[str, Any] | None, source: str) -> Given:
        """Take a whole configuration or a `model` section alone; None says nothing.

        Raises `InputError`.
        """
        if config is None:
            return cls(source, {})
        tree = plain(config, source)
        if "model" not in tree and classes.canonical(tree.get("_target_")) == classes.LFADS:
            tree = {"model": tree}
        section = tree.get("model")
        if not isinstance(section, dict):
            raise InputError(f"{source}: model: found {shown(section)}; expected a mapping")
        said = cls(source, section)
        for name in section:
            if name not in USED["model"]:
                known = [f"model.{key}" for key in USED["model"]]
                raise unknown_key(said.where(("model", name)), f"model.{name}", known)
        interpolator = Interpolator(tree, said.where)
        resolved = {
            name: interpolator.resolved(value, ("model", name))
            for name, value in section.items()
            if name not in _NOT_READ
        }
        return cls(source, {name: value for name, value in resolved.items() if value is not None})

    def where(self, key: Key) -> str:
        """Return how a message names `key`."""
        return f"{self.source}: {dotted(key)}"

    def reconstruction(self, session: int, sessions: int) -> dict[str, Any] | None:
        """Return the reconstruction of a session, with its class's canonical name."""
        value: Any = self.model.get("reconstruction")
        key: Key = ("model", "reconstruction")
        if isinstance(value, dict):
            # A ModuleList has one for each session, a MultisessionReconstruction one for all.
            for inner in ("modules", "recon"):
                if inner in value:
                    value, key = value[inner], (*key, inner)
                    break
        if isinstance(value, list):
            if len(value) != sessions:
                raise InputError(
                    f"{self.where(key)}: found a list of {len(value)}; expected one of {sessions},"
                    " since the weights have as many read-outs"
                )
            value, key = value[session], (*key, str(session))
        return self._part(value, key)

    def part(self, name: str) -> dict[str, Any] | None:
        """Return `ic_prior`, `co_prior` or a stack, with its class's canonical name."""
        return self._part(self.model.get(name), ("model", name))

    def stack(self, name: str) -> dict[str, Any] | None:
        """Return an augmentation stack with all of its keys."""
        value, key = self.part(name), ("model", name)
        if value is None:
            return None
        if value["_target_"] != classes.STACK:
            raise InputError(
                f"{self.where((*key, '_target_'))}: found {value['_target_']};"
                f" expected {classes.STACK}"
            )
        found: dict[str, Any] = {"_target_": classes.STACK}
        for inner in ("transforms", "batch_order", "loss_order"):
            items = value.get(inner) or []
            if not isinstance(items, list):
                raise InputError(
                    f"{self.where((*key, inner))}: found {shown(items)}; expected a list"
                )
            found[inner] = items
        found["transforms"] = [
            self._part(item, (*key, "transforms", str(i)))
            for i, item in enumerate(found["transforms"])
        ]
        return found

    def _part(self, value: Any, key: Key) -> dict[str, Any] | None:
        if value is None:
            return None
        name = classes.canonical(value.get("_target_")) if isinstance(value, dict) else None
        if not isinstance(name, str):
            raise InputError(
                f"{self.where(key)}: found {shown(value)}; expected a mapping whose _target_"
                " names a class"
            )
        return {**value, "_target_": name}
