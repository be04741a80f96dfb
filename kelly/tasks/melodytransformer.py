"""MelodyTransformer: emotion embedding (64) → probability of each MIDI pitch in the next bar (128)."""

from kelly.tasks.layers import LSTM, Dense
from kelly.tasks.task import EmotionBlock, Task

TASK = Task(
    title="MelodyTransformer",
    label="Melody",
    num_inputs=64,
    layers=(Dense(256, "relu"), LSTM(256), Dense(256, "relu"), Dense(128, "sigmoid")),
    loss="bce",
    metric="top_10_accuracy",
    metric_label="Top-10",
    primary_metric="top_10_accuracy",
    emotion=EmotionBlock("inputs", start=0, block=0),
)
