"""The training API as one module: `from training_utils import EarlyStopping, TrainingMetrics, CheckpointManager`."""

from kelly.training import *  # noqa: F403
