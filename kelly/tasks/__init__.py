"""The five tasks as plain data, a file each, so that DVC reruns one network alone when its file changes.

A sixth task is a file here, a line below, and a row in the registry of each package: kelly.config.sources,
kelly.sources, kelly.export.contract, kelly.evaluation.metrics, kelly.plots.
"""

from collections.abc import Mapping

from kelly.tasks import dynamicsengine, emotionrecognizer, groovepredictor, harmonypredictor, melodytransformer
from kelly.tasks.layers import ACTIVATIONS, LSTM, Dense, Layer
from kelly.tasks.task import EmotionBlock, Task

__all__ = ["ACTIVATIONS", "LSTM", "TASKS", "Dense", "EmotionBlock", "Layer", "Task"]

TASKS: Mapping[str, Task] = {
    module.TASK.name: module.TASK
    for module in (emotionrecognizer, melodytransformer, harmonypredictor, dynamicsengine, groovepredictor)
}
