"""What identifies a training run, in its checkpoints and exports."""

from collections.abc import Mapping
from typing import Any

import torch

from kelly.config.params import TrainingConfig
from kelly.runtime.code import TRAINING_CODE
from kelly.tasks import Task


def run_fingerprint(task: Task, settings: TrainingConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies a run: runs with equal fingerprints compute the same."""
    return {
        "training": settings.model_dump(),
        "data": dict(data),
        "network": f"{task.num_inputs} inputs, {task.layers}, {task.loss}",
        "code": TRAINING_CODE,
        "torch": str(torch.__version__),
    }
