"""Every name that others see: labels, conditions, reasons, places in a pod."""

from __future__ import annotations

from autolfads_operator.api import GROUP

FIELD_MANAGER = "autolfads-operator"
"""Who owns the fields that are applied server-side."""

# Labels of everything that belongs to a run. The uid and not the name: a run of the same name that
# is made again must not take its predecessor's pods for its own.
RUN_UID = f"{GROUP}/run-uid"
RUN_NAME = f"{GROUP}/run-name"
ROLE = f"{GROUP}/role"
PREPARE, WORKER = "prepare", "worker"  # values of ROLE

MADE_FROM = f"{GROUP}/made-from"
"""Annotation of a Job: the hash of the settings that its template was made from."""

QUEUE = "kueue.x-k8s.io/queue-name"
"""Label of a run, and of its Jobs: Kueue admits them, and then says when they are suspended."""

CLAIM = f"{GROUP}/claim"
"""Label of a Job and its pods with `dra`: the ResourceClaim that they share."""

# In a pod.
CONTAINER = "worker"
RUN_FOLDER = "/autolfads/run"
DATA_FOLDER = "/autolfads/data"
SCRATCH = "/tmp"  # noqa: S108  (an emptyDir of the pod's own)
VOLUME, SCRATCH_VOLUME = "autolfads", "scratch"
LIFE = "AUTOLFADS_LIFE"
LEFT = 143
"""The exit code of a worker that was told to leave."""

# On the volume, below its root.
RUNS, DATA = "runs", "data"


class Condition:
    """Types of conditions."""

    ACCEPTED = "Accepted"
    DATA_READY = "DataReady"
    WORKERS_READY = "WorkersReady"
    PROGRESSING = "Progressing"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Reason:
    """Reasons of conditions and Events; described in docs/kubernetes.md."""

    # Accepted
    ACCEPTED = "Accepted"
    UNSUPPORTED = "Unsupported"
    PATH_OUTSIDE = "PathOutsideData"
    POD_TEMPLATE_INVALID = "PodTemplateInvalid"
    CLAIM_MISSING = "ClaimMissing"
    CLAIM_NOT_SHARED = "ClaimNotShared"
    SEVERAL_OPERATORS = "SeveralOperators"
    SPEC_CHANGED = "SpecChanged"
    # DataReady
    PREPARED = "Prepared"
    PREPARING = "Preparing"
    WAITING_TO_PREPARE = "Suspended"
    NOT_LOOKED_AT = "NotLookedAt"
    INPUT_REFUSED = "InputRefused"
    FORBIDDEN = "Forbidden"
    # WorkersReady, and DataReady while the pod that prepares does not come up
    READY = "WorkersReady"
    STARTING = "Starting"
    NONE_WANTED = "NoneWanted"
    WAITING_FOR_DATA = "WaitingForData"
    NO_SUCH_RESOURCE = "NoSuchResource"
    NOT_SHARED = "NotShared"
    GPU_IS_SHARED = "GpuIsShared"
    TOO_FEW = "TooFew"
    NO_DEVICE_CLASS = "NoDeviceClass"
    UNSCHEDULABLE = "Unschedulable"
    QUEUED = "Queued"
    IMAGE_NOT_PULLED = "ImageNotPulled"
    POD_NOT_STARTED = "PodNotStarted"
    POD_DIED = "PodDied"
    POD_REFUSED = "PodRefused"
    WORKERS_DIE = "WorkersDie"
    # Progressing
    TRAINING = "Training"
    EXPORTING = "Exporting"
    WAITING_FOR_WORKERS = "WaitingForWorkers"
    VOLUME_STALLED = "VolumeStalled"
    VOLUME_TROUBLE = "VolumeTrouble"
    RUN_FOLDER_BROKEN = "RunFolderBroken"
    STOPPED = "Stopped"
    OVER = "Over"
    # Suspended
    BY_USER = "SuspendedByUser"
    NOT_SUSPENDED = "NotSuspended"
    SAVING = "Saving"
    # Succeeded and Failed
    ENDED = "Ended"
    NOT_ENDED = "NotEnded"
    DEADLINE = "DeadlineExceeded"
    MEMBERS_LOST = "MembersLost"
    NOT_FAILED = "NotFailed"
