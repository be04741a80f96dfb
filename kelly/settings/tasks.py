"""The five tasks in one table: what goes in, which layers, what comes out, and how it is learned and scored.

A sixth model is one more row. Strings of the form `module:name` are looked up by the stage that needs them, so that
none pays for the imports of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kelly.settings.layers import LSTM, Dense, Layer
from kelly.settings.sources import Block, DynamicsData, EmotionData, GrooveData, HarmonyData, MelodyData


@dataclass(frozen=True)
class Made:
    """A source that gives a whole data set: `module:function` of its settings."""

    function: str


@dataclass(frozen=True)
class Notes:
    """A folder of MIDI files: `module:function` of a lesson, (entry, midi, **settings) → rows and a trait."""

    lesson: str


@dataclass(frozen=True)
class Sound:
    """A folder of rated music that is listened to: `module:function`, (entry, **settings) → Measured."""

    function: str


Source = Made | Notes | Sound


@dataclass(frozen=True)
class Task:
    """One row of the table.

    title: the class name and what people read; `name`, its lower case, is the word for files, params and metrics
    label: the short name in console output
    num_inputs, layers: the network, frame by frame
    layout: `module:name` of a function, settings of the data → what inputs and outputs mean, for the export's metadata
    loss: what is minimised: mean squared error, binary cross entropy, or cross entropy in nats
    metric, metric_label: what the history follows beside the loss (a key of kelly.training.objectives.METRICS), and its
        short name in console output
    scores: `module:name` of the function that scores predictions, and headline: the score that the report shows
    picture: `module:name` of the function that draws what the network predicts; see kelly.pictures.shown
    references: what else it must beat, by name, beside those of kelly.evaluation.references; each a `module:name`
    emotion: where a piece's emotion can be read: in its inputs or its targets, from which number on a block of the
        embedding stands there (kelly.inputs.emotion), and which one
    data: what params.yaml may say of the data; sources: for each source, what is done with it; those that are folders
        are rows of kelly.datasets.layouts
    """

    title: str
    label: str
    num_inputs: int
    layers: tuple[Layer, ...]
    layout: str
    loss: Literal["mse", "bce", "cross_entropy"]
    metric: str
    metric_label: str
    scores: str
    headline: str
    picture: str
    emotion: tuple[Literal["inputs", "targets"], int, int]
    data: type[Block]
    sources: Mapping[str, Source]
    references: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The one word for this model in files, params and metrics."""
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


ROWS = (
    Task(
        title="EmotionRecognizer",
        label="Emotion",
        num_inputs=128,
        layers=(Dense(512, "tanh"), Dense(256, "tanh"), LSTM(128), Dense(64, "tanh")),
        layout="kelly.exports.contract:emotionrecognizer",
        loss="mse",
        metric="cosine_similarity",
        metric_label="Sim",
        scores="kelly.evaluation.scoring:emotion",
        headline="cosine_similarity",
        picture="kelly.pictures.emotion:draw",
        emotion=("targets", 0, 0),
        data=EmotionData,
        sources={
            "synthetic": Made("kelly.datasets.synthetic.emotion:emotion"),
            "deam": Sound("kelly.datasets.lessons.emotion:from_sound"),
            "vgmidi": Sound("kelly.datasets.lessons.emotion:from_notes"),
            "midi": Sound("kelly.datasets.lessons.emotion:from_notes"),
        },
    ),
    Task(
        title="MelodyTransformer",
        label="Melody",
        num_inputs=64,
        layers=(Dense(256, "relu"), LSTM(256), Dense(256, "relu"), Dense(128, "sigmoid")),
        layout="kelly.exports.contract:melodytransformer",
        loss="bce",
        metric="top_10_accuracy",
        metric_label="Top-10",
        scores="kelly.evaluation.scoring:melody",
        headline="top_10_accuracy",
        picture="kelly.pictures.melody:draw",
        emotion=("inputs", 0, 0),
        data=MelodyData,
        sources={
            "corpus": Made("kelly.datasets.corpus:melody"),
            "synthetic": Made("kelly.datasets.synthetic.melody:melody"),
            **dict.fromkeys(("midi", "lakh", "pop909", "vgmidi"), Notes("kelly.datasets.lessons.melody:lesson")),
        },
    ),
    Task(
        title="HarmonyPredictor",
        label="Harmony",
        num_inputs=128,
        layers=(Dense(256, "tanh"), Dense(128, "tanh"), Dense(64, "softmax")),
        layout="kelly.exports.contract:harmonypredictor",
        loss="cross_entropy",
        metric="top_1_accuracy",
        metric_label="Top-1",
        scores="kelly.evaluation.scoring:harmony",
        headline="top_1_accuracy",
        picture="kelly.pictures.harmony:draw",
        emotion=("inputs", 0, 0),
        data=HarmonyData,
        sources={
            "corpus": Made("kelly.datasets.corpus:harmony"),
            "synthetic": Made("kelly.datasets.synthetic.harmony:harmony"),
            **dict.fromkeys(("midi", "lakh", "pop909", "vgmidi"), Notes("kelly.datasets.lessons.harmony:lesson")),
        },
        references={
            "bigram": "kelly.evaluation.ngrams:bigram",
            "trigram": "kelly.evaluation.ngrams:trigram",
            "trigram_given_mode": "kelly.evaluation.ngrams:trigram_given_mode",
        },
    ),
    Task(
        title="DynamicsEngine",
        label="Dynamics",
        num_inputs=32,
        layers=(Dense(128, "relu"), Dense(64, "relu"), Dense(16, "sigmoid")),
        layout="kelly.exports.contract:dynamicsengine",
        loss="mse",
        metric="r2",
        metric_label="R2",
        scores="kelly.evaluation.scoring:dynamics",
        headline="r2",
        picture="kelly.pictures.dynamics:draw",
        emotion=("inputs", 0, 0),
        data=DynamicsData,
        sources={
            "synthetic": Made("kelly.datasets.synthetic.dynamics:dynamics"),
            **dict.fromkeys(
                ("midi", "groove", "maestro", "lakh", "pop909"), Notes("kelly.datasets.lessons.dynamics:lesson")
            ),
        },
    ),
    Task(
        title="GroovePredictor",
        label="Groove",
        num_inputs=64,
        layers=(Dense(128, "tanh"), Dense(64, "tanh"), Dense(32, "tanh")),
        layout="kelly.exports.contract:groovepredictor",
        loss="mse",
        metric="r2",
        metric_label="R2",
        scores="kelly.evaluation.scoring:groove",
        headline="r2",
        picture="kelly.pictures.groove:draw",
        emotion=("inputs", 32, 1),
        data=GrooveData,
        sources={
            "synthetic": Made("kelly.datasets.synthetic.groove:groove"),
            **dict.fromkeys(("midi", "groove", "lakh"), Notes("kelly.datasets.lessons.groove:lesson")),
        },
    ),
)

TASKS: Mapping[str, Task] = {task.name: task for task in ROWS}
