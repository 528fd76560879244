"""A small data file's sizes, and a configuration file that uses every key users' files have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import Resolved, resolve
from autolfads_trainer.userinput import InputError
from autolfads_trainer.yaml_text import parse_yaml

SIZES = DataSizes(
    path="reach.h5",
    encod_dim=11,
    encod_steps=30,
    recon_dim=15,
    recon_steps=36,
    ext_input_dim=2,
    train_trials=90,
    valid_trials=24,
    keys=frozenset({"train_hand", "valid_hand", "targets"}),
)

# Sizes agree with SIZES; ignored sections hold what would be refused anywhere else.
EVERY_KEY = """\
ignore_warnings: false
seed: 12
datamodule:
  _target_: lfads_torch.datamodules.BasicDataModule
  batch_size: 32
  datafile_pattern: ${relpath:recordings/reach.h5}
  batch_keys: [hand]
  attr_keys: [targets]
  reshuffle_tv_seed: null
  reshuffle_tv_ratio: null
  sv_rate: 0.0
  sv_seed: 3
  dm_ic_enc_seq_len: ${model.ic_enc_seq_len}
model:
  _target_: lfads_torch.model.LFADS
  encod_data_dim: 11
  encod_seq_len: 30
  recon_seq_len: 36
  ext_input_dim: 2
  ic_enc_seq_len: 6
  ic_enc_dim: 20
  ci_enc_dim: 18
  ci_lag: 2
  con_dim: 17
  co_dim: 3
  ic_dim: 16
  gen_dim: 40
  fac_dim: 10
  readin:
  - _target_: torch.nn.Identity
  readout:
    _target_: torch.nn.ModuleList
    modules:
    - _target_: lfads_torch.modules.readin_readout.FanInLinear
      in_features: ${model.fac_dim}
      out_features: 15
  train_aug_stack:
    _target_: lfads_torch.modules.augmentations.AugmentationStack
    transforms:
    - _target_: lfads_torch.modules.augmentations.CoordinatedDropout
      cd_rate: 0.25
      cd_pass_rate: 0.1
      ic_enc_seq_len: ${model.ic_enc_seq_len}
    batch_order: [0]
    loss_order: [0]
  infer_aug_stack:
    _target_: lfads_torch.modules.augmentations.AugmentationStack
    transforms: []
  reconstruction:
  - _target_: lfads_torch.modules.recons.Poisson
  variational: true
  co_prior:
    _target_: lfads_torch.modules.priors.AutoregressiveMultivariateNormal
    tau: 8
    nvar: 0.2
    shape: ${model.co_dim}
  ic_prior:
    _target_: lfads_torch.modules.priors.MultivariateNormal
    mean: 0.5
    variance: 0.3
    shape: ${model.ic_dim}
  ic_post_var_min: 2e-4
  dropout_rate: 0.15
  cell_clip: 4
  loss_scale: 1_000
  recon_reduce_mean: true
  lr_init: 2e-3
  lr_stop: 3e-5
  lr_decay: 0.9
  lr_patience: 5
  lr_adam_beta1: 0.8
  lr_adam_beta2: 0.99
  lr_adam_epsilon: 1.0e-7
  lr_scheduler: true
  weight_decay: 1e-6
  l2_start_epoch: 1
  l2_increase_epoch: 30
  l2_ic_enc_scale: 0.01
  l2_ci_enc_scale: 0.02
  l2_gen_scale: 0.03
  l2_con_scale: 0.04
  kl_start_epoch: 2
  kl_increase_epoch: 40
  kl_ic_scale: 2e-6
  kl_co_scale: 3e-6
pbt:
  metric: valid/recon_smth
  num_samples: 6
  perturbation_interval: 10
  burn_in_period: 20
  patience: 3
  min_improvement_ratio: 1e-3
  resources_per_trial: {cpu: 1, gpu: 0.25}
  hps:
    model.lr_init:
      _target_: lfads_torch.extensions.tune.HyperParam
      min_samp: 1e-4
      max_samp: 1e-2
      init: 2e-3
      sample_fn: loguniform
      explore_wt: 0.4
      enforce_limits: true
    model.kl_ic_scale: {min_samp: 1e-7, max_samp: 1e-5}
trainer:
  _target_: pytorch_lightning.Trainer
  max_epochs: 120
  gradient_clip_val: 50
  engine: reference
  accelerator: ${oc.env:DEVICE}
  precision: 32
callbacks:
  anything: {_target_: somebody.elses.Callback, folder: "${oc.env:HOME}"}
logger:
  log: {_target_: somebody.elses.Logger}
posterior_sampling:
  use_best_ckpt: true
  fn: {_target_: somebody.elses.sampling, filename: out.h5, num_samples: 20}
"""


def resolved(text: str = "", *, sizes: DataSizes = SIZES, **spec: Any) -> Resolved:
    """Resolve an inline configuration (YAML text) and further fields of the spec."""
    if text:
        spec["config"] = parse_yaml(text, "spec.config", "configuration")
    return resolve(spec, config_file=None, sizes=sizes)


def from_file(folder: Path, text: str, **spec: Any) -> Resolved:
    """Resolve a configuration file that holds `text`."""
    path = folder / "config.yaml"
    path.write_text(text)
    return resolve(spec, config_file=path, sizes=SIZES)


def error(text: str = "", *, sizes: DataSizes = SIZES, **spec: Any) -> str:
    """Return the message of the InputError that an inline configuration leads to."""
    with pytest.raises(InputError) as caught:
        resolved(text, sizes=sizes, **spec)
    return str(caught.value)


def file_error(folder: Path, text: str, **spec: Any) -> str:
    """Return the message, without the folder, that a configuration file leads to."""
    with pytest.raises(InputError) as caught:
        from_file(folder, text, **spec)
    return str(caught.value).replace(f"{folder}/", "")
