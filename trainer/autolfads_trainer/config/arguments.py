"""What each class that `_target_` can name takes beside it."""

from __future__ import annotations

from typing import Annotated, Any

from autolfads_trainer.config import classes
from autolfads_trainer.config.bounds import RATE, SCALE, Bounds
from autolfads_trainer.config.checks import (
    AboveZero,
    NotNegative,
    Rate,
    Scale,
    Section,
    Switch,
    number,
    whole,
)

_OptionalSize = Annotated[int | None, whole(1, or_null=True)]
_OptionalRate = Annotated[float | None, number(RATE, or_null=True)]
_OptionalShape = Annotated[int | None, whole(0, or_null=True)]


class Nothing(Section):
    """A class without arguments."""


class Readin(Section):
    """A linear read-in."""

    in_features: _OptionalSize = None
    out_features: _OptionalSize = None
    pcr_init: Switch = False
    requires_grad: Switch = False


class Readout(Section):
    """A linear read-out."""

    in_features: _OptionalSize = None
    out_features: _OptionalSize = None
    pcr_init: Switch = False
    requires_grad: Switch = True


class Unread(Section):
    """No layer: factors are what the reconstruction takes."""

    out_features: _OptionalSize = None


class OfSessions(Section):
    """What is common to layers that are one for each file: `pcr_init` unless it is switched off."""

    datafile_pattern: Any = None
    pcr_init: Switch = True


class MultisessionReadin(OfSessions):
    """A read-in for each file."""

    out_features: _OptionalSize = None
    requires_grad: Switch = False


class MultisessionReadout(OfSessions):
    """A read-out for each file."""

    in_features: _OptionalSize = None
    requires_grad: Switch = True
    recon_params: _OptionalSize = None


class MultisessionReconstruction(Section):
    """One copy of `recon` for each file."""

    datafile_pattern: Any = None
    recon: Any = None


class ZeroInflatedGamma(Section):
    """The reconstruction of this name."""

    recon_dim: _OptionalSize = None
    gamma_loc: Annotated[float, number(SCALE)]
    scale_init: AboveZero
    scale_prior: AboveZero
    scale_penalty: Scale


class Normal(Section):
    """`MultivariateNormal`."""

    mean: Annotated[float, number(Bounds())]
    variance: AboveZero
    shape: _OptionalShape = None


class Autoregressive(Section):
    """`AutoregressiveMultivariateNormal`."""

    tau: AboveZero  # bins
    nvar: AboveZero
    shape: _OptionalShape = None


class StudentT(Section):
    """`MultivariateStudentT`."""

    loc: Annotated[float, number(Bounds())]
    scale: AboveZero
    df: AboveZero
    shape: _OptionalShape = None


class SampleValidation(Section):
    """The augmentation of this name."""

    sv_rate: _OptionalRate = None
    ic_enc_seq_len: _OptionalShape = None
    recon_reduce_mean: Any = None


class SpikeJitter(Section):
    """The augmentation of this name."""

    width: NotNegative = 2  # steps


class TemporalShift(Section):
    """The augmentation of this name."""

    std: Scale = 3.0  # steps
    max_shift: NotNegative = 6  # steps


class CoordinatedDropout(Section):
    """The augmentation of this name."""

    cd_rate: Rate
    cd_pass_rate: Rate = 0.0
    ic_enc_seq_len: _OptionalShape = None


class Stack(Section):
    """An augmentation stack."""

    transforms: Any = None
    batch_order: Any = None
    loss_order: Any = None


class ModuleList(Section):
    """A list as a class."""

    modules: Any = None


PRIORS: dict[str, type[Section]] = {
    classes.NULL: Nothing,
    classes.NORMAL: Normal,
    classes.AUTOREGRESSIVE: Autoregressive,
    classes.STUDENT_T: StudentT,
}
AUGMENTATIONS: dict[str, type[Section]] = {
    classes.COORDINATED_DROPOUT: CoordinatedDropout,
    classes.SAMPLE_VALIDATION: SampleValidation,
    classes.SELECTIVE_BACKPROP: Nothing,
    classes.SPIKE_JITTER: SpikeJitter,
    classes.TEMPORAL_SHIFT: TemporalShift,
}
