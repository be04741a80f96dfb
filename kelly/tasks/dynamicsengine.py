"""DynamicsEngine: valence half of the emotion embedding (32) → sixteen expression parameters."""

from kelly.tasks.layers import Dense
from kelly.tasks.task import EmotionBlock, Task

TASK = Task(
    title="DynamicsEngine",
    label="Dynamics",
    num_inputs=32,
    layers=(Dense(128, "relu"), Dense(64, "relu"), Dense(16, "sigmoid")),
    loss="mse",
    metric="r2",
    metric_label="R2",
    primary_metric="r2",
    emotion=EmotionBlock("inputs", start=0, block=0),
)
