"""HarmonyPredictor: emotion embedding (64) and the chords so far (64) → probability of each next chord (64)."""

from kelly.tasks.layers import Dense
from kelly.tasks.task import EmotionBlock, Task

TASK = Task(
    title="HarmonyPredictor",
    label="Harmony",
    num_inputs=128,
    layers=(Dense(256, "tanh"), Dense(128, "tanh"), Dense(64, "softmax")),
    loss="cross_entropy",
    metric="top_1_accuracy",
    metric_label="Top-1",
    primary_metric="top_1_accuracy",
    emotion=EmotionBlock("inputs", start=0, block=0),
)
