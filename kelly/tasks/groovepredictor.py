"""GroovePredictor: emotion embedding (64) → timing (16) and accents (16) of the sixteenths of a bar."""

from kelly.tasks.layers import Dense
from kelly.tasks.task import EmotionBlock, Task

TASK = Task(
    title="GroovePredictor",
    label="Groove",
    num_inputs=64,
    layers=(Dense(128, "tanh"), Dense(64, "tanh"), Dense(32, "tanh")),
    loss="mse",
    metric="r2",
    metric_label="R2",
    primary_metric="r2",
    emotion=EmotionBlock("inputs", start=32, block=1),
)
