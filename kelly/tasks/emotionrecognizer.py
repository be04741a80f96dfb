"""EmotionRecognizer: audio frame (128 log-mel energies) → emotion embedding (64)."""

from kelly.tasks.layers import LSTM, Dense
from kelly.tasks.task import EmotionBlock, Task

TASK = Task(
    title="EmotionRecognizer",
    label="Emotion",
    num_inputs=128,
    layers=(Dense(512, "tanh"), Dense(256, "tanh"), LSTM(128), Dense(64, "tanh")),
    loss="mse",
    metric="cosine_similarity",
    metric_label="Sim",
    primary_metric="cosine_similarity",
    emotion=EmotionBlock("targets", start=0, block=0),
)
