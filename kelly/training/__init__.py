"""Training: the public API, also importable as `training_utils`."""

from kelly.networks import DynamicsEngine, EmotionRecognizer, GroovePredictor, HarmonyPredictor, MelodyTransformer
from kelly.training.checkpoints import CheckpointManager
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import TrainingMetrics
from kelly.training.loop import train
from kelly.training.options import OptimizationConfig, RunOptions

# One loop trains all five; the network's task determines loss and metric.
train_emotion_recognizer = train
train_melody_transformer = train
train_harmony_predictor = train
train_dynamics_engine = train
train_groove_predictor = train

__all__ = [
    "CheckpointManager",
    "DynamicsEngine",
    "EarlyStopping",
    "EmotionRecognizer",
    "GroovePredictor",
    "HarmonyPredictor",
    "MelodyTransformer",
    "OptimizationConfig",
    "RunOptions",
    "TrainingMetrics",
    "train",
    "train_dynamics_engine",
    "train_emotion_recognizer",
    "train_groove_predictor",
    "train_harmony_predictor",
    "train_melody_transformer",
]
