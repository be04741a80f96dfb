"""The options of `train` and `train_model`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from kelly.config.params import ScheduleKind
from kelly.networks import Network
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.history import TrainingMetrics


@dataclass(frozen=True)
class OptimizationConfig:
    """How the weights are optimised.

    weight_decay, max_gradient_norm: see Adam; learning_rate_schedule, warmup_epochs: see Schedule
    """

    epochs: int = 50
    learning_rate: float = 0.001
    weight_decay: float = 0.0
    max_gradient_norm: float = 0.0
    learning_rate_schedule: ScheduleKind = "constant"
    warmup_epochs: int = 0
    device: torch.device | str = "cpu"


@dataclass(frozen=True)
class RunOptions:
    """What surrounds the optimisation: identity, resumption, callbacks, processes.

    fingerprint: JSON values that identify the run, stored in its checkpoints
    resume_from: what CheckpointManager.load_latest returned; training continues after that epoch
    custom_metrics: network → metrics by name, called without gradients after each epoch; they become columns of the
        history, so the names must be the same in every epoch, also of a resumed run
    before_checkpoint: called with network and history before the checkpoints of an epoch are saved
    after_epoch: called with the history after they are saved
    before_finish: called before the run is marked as finished; if it raises, the run resumes after its last epoch
    process_group: the processes that train the network, with the same data and options
    """

    fingerprint: dict[str, Any] | None = None
    resume_from: dict[str, Any] | None = None
    custom_metrics: Callable[[Network], Mapping[str, float]] | None = None
    before_checkpoint: Callable[[Network, TrainingMetrics], None] | None = None
    after_epoch: Callable[[TrainingMetrics], None] | None = None
    before_finish: Callable[[], None] | None = None
    process_group: ProcessGroup = SINGLE_PROCESS
