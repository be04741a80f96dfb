"""What defines a task: its inputs and outputs, its layers, its loss and its metrics."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from kelly.tasks.layers import LSTM, Layer


class EmotionBlock(NamedTuple):
    """Where one half of a piece's emotion embedding (kelly.features.emotion) stands in the data of a task.

    array: in its inputs or in its targets; start: position of the first of 32 values; block: 0 valence, 1 arousal
    """

    array: Literal["inputs", "targets"]
    start: int
    block: int


@dataclass(frozen=True)
class Task:
    """One of the five tasks. Plain data: what the packages do for a task is in a registry of theirs, by its name.

    title: class name, and the name in messages; `name`, its lower case, is used for files, params and metrics
    label: short name in console output
    num_inputs, layers: the network, applied frame by frame
    loss: mean squared error, binary cross entropy, or cross entropy in nats
    metric: logged in the history beside the loss, a key of kelly.training.objectives.METRICS
    metric_label: its short name in console output
    primary_metric: the score that the report shows beside the skill
    emotion: where the emotion of a piece can be read
    """

    title: str
    label: str
    num_inputs: int
    layers: tuple[Layer, ...]
    loss: Literal["mse", "bce", "cross_entropy"]
    metric: str
    metric_label: str
    primary_metric: str
    emotion: EmotionBlock

    @property
    def name(self) -> str:
        """The name of the network in files, params and metrics."""
        return self.title.lower()

    @property
    def num_outputs(self) -> int:
        """Size of the last layer."""
        return self.layers[-1].size

    @property
    def is_recurrent(self) -> bool:
        """Whether an LSTM carries a state from frame to frame."""
        return any(isinstance(layer, LSTM) for layer in self.layers)

    @property
    def num_parameters(self) -> int:
        """Numbers in the exported file (PyTorch counts an LSTM's second bias as well)."""
        sizes = [self.num_inputs, *(layer.size for layer in self.layers)]
        return sum(layer.num_parameters(size) for layer, size in zip(self.layers, sizes, strict=False))
