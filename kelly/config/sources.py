"""The settings of each data source, `models.NAME.data.SOURCE` in params.yaml, and which sources each network has.

A setting with a default may be left out of params.yaml. docs/settings.md lists them all.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"  # where Debian's fluid-soundfont-gm puts it


class StrictModel(BaseModel):
    """A part of params.yaml in which no key is unknown and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SyntheticSequences(StrictModel):
    """Synthetic sequences for a recurrent network. seed: None: the shared seed."""

    num_sequences: int = Field(ge=50, le=10_000_000)
    num_frames: int = Field(ge=1, le=4_096)
    seed: int | None = Field(default=None, ge=0, lt=2**32)


class SyntheticRows(StrictModel):
    """Synthetic single frames for a feed-forward network. seed: None: the shared seed."""

    num_sequences: int = Field(ge=50, le=10_000_000)
    seed: int | None = Field(default=None, ge=0, lt=2**32)


class MelodyCorpus(StrictModel):
    """Melodies of scores that come with music21. max_skipped_share: see Folder."""

    collections: list[Literal["bach", "ryansMammoth", "oneills1850", "airdsAirs"]] = Field(min_length=1)
    num_frames: int = Field(ge=1, le=256)
    max_pieces: int | None = Field(default=None, ge=5)
    max_skipped_share: float = Field(default=0.5, ge=0, lt=1)


class HarmonyCorpus(StrictModel):
    """Chords of scores that come with music21. max_skipped_share: see Folder."""

    collections: list[Literal["bach"]] = Field(min_length=1)
    max_pieces: int | None = Field(default=None, ge=5)
    max_skipped_share: float = Field(default=0.5, ge=0, lt=1)


class Folder(StrictModel):
    """A folder of music in a layout of kelly.sources.layouts.

    max_files: a limit, spread evenly over the folder; None: all
    max_windows_per_piece: a limit to the sequences of a piece, spread evenly over it; None: all
    max_skipped_share: share of the files that may be unreadable before the data is refused
    """

    path: str = Field(min_length=1)
    max_files: int | None = Field(default=None, ge=5)
    max_windows_per_piece: int | None = Field(default=None, ge=1)
    max_skipped_share: float = Field(default=0.5, ge=0, lt=1)


class Augmentation(StrictModel):
    """Variations of a performance, for training alone.

    copies: per performance; velocity, tempo: louder or softer, faster or slower by up to these shares
    """

    copies: int = Field(default=0, ge=0, le=16)
    velocity: float = Field(default=0.2, ge=0, lt=1)
    tempo: float = Field(default=0.1, ge=0, le=0.5)


class AudioFolder(Folder):
    """Rated audio files."""

    num_frames: int = Field(default=30, ge=1, le=4_096)


class RenderedFolder(AudioFolder):
    """Rated MIDI files, rendered with a soundfont."""

    soundfont: str = Field(default=SOUNDFONT, min_length=1)


class MelodyFolder(Folder):
    """Melodies of MIDI files. num_frames: bars of a sequence."""

    num_frames: int = Field(default=32, ge=1, le=256)


class BeatDynamicsFolder(Folder):
    """Performances with annotated beats, which rules out tempo augmentation. window_s: see DynamicsFolder."""

    window_s: float | None = Field(default=None, ge=0.5, le=60)


class DynamicsFolder(BeatDynamicsFolder):
    """Performances of pitched notes or of drums. window_s: seconds of a window, for music without bars; None: a bar."""

    part: Literal["pitched", "drums"] = "pitched"
    augmentation: Augmentation = Augmentation()


class GrooveFolder(Folder):
    """Performances in bars of 4/4.

    context: the input is the emotion embedding, or its first half is replaced by the groove of the previous bars
    """

    context: Literal["embedding", "previous"] = "embedding"
    augmentation: Augmentation = Augmentation()


class PublishedSplits(StrictModel):
    """test_split: which published split of the Groove MIDI Dataset is tested on."""

    test_split: Literal["test", "validation"] = "test"


class DrumDynamicsFolder(DynamicsFolder, PublishedSplits):
    """Dynamics of the Groove MIDI Dataset."""

    part: Literal["pitched", "drums"] = "drums"


class DrumGrooveFolder(GrooveFolder, PublishedSplits):
    """Groove of the Groove MIDI Dataset."""


class DeamFolder(AudioFolder):
    """DEAM. ratings: dynamic, twice per second, or static, one per song."""

    ratings: Literal["dynamic", "static"] = "dynamic"


MIDI, GROOVE, MAESTRO, LAKH = "data/raw/midi", "data/raw/groove", "data/raw/maestro-v3.0.0", "data/raw/lmd_full"
POP909, VGMIDI, DEAM = "data/raw/POP909", "data/raw/vgmidi", "data/raw/DEAM"


class DataConfig(StrictModel):
    """What one network can learn from; a source that is left out, or a setting of it, has its default."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_defaults(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        defaults = {name: f.default.model_dump() for name, f in cls.model_fields.items() if not f.is_required()}
        return content | {n: d | content[n] for n, d in defaults.items() if isinstance(content.get(n), dict)}


# The sources of each network, the usual one first: a class where params.yaml must contain its settings, else defaults.
SOURCE_CONFIGS: Mapping[str, Mapping[str, StrictModel | type[StrictModel]]] = {
    "emotionrecognizer": {
        "synthetic": SyntheticSequences,
        "deam": DeamFolder(path=DEAM),
        "vgmidi": RenderedFolder(path=VGMIDI),
        "midi": RenderedFolder(path=MIDI),
    },
    "melodytransformer": {
        "corpus": MelodyCorpus,
        "synthetic": SyntheticSequences,
        "midi": MelodyFolder(path=MIDI),
        "lakh": MelodyFolder(path=LAKH),
        "pop909": MelodyFolder(path=POP909),
        "vgmidi": MelodyFolder(path=VGMIDI),
    },
    "harmonypredictor": {
        "corpus": HarmonyCorpus,
        "synthetic": SyntheticRows,
        "midi": Folder(path=MIDI),
        "lakh": Folder(path=LAKH),
        "pop909": Folder(path=POP909),
        "vgmidi": Folder(path=VGMIDI),
    },
    "dynamicsengine": {
        "synthetic": SyntheticRows,
        "midi": DynamicsFolder(path=MIDI),
        "groove": DrumDynamicsFolder(path=GROOVE),
        "maestro": DynamicsFolder(path=MAESTRO, window_s=4.0),
        "lakh": DynamicsFolder(path=LAKH),
        "pop909": BeatDynamicsFolder(path=POP909),
    },
    "groovepredictor": {
        "synthetic": SyntheticRows,
        "midi": GrooveFolder(path=MIDI),
        "groove": DrumGrooveFolder(path=GROOVE),
        "lakh": GrooveFolder(path=LAKH),
    },
}


def _data_config(name: str, sources: Mapping[str, StrictModel | type[StrictModel]]) -> type[DataConfig]:
    """The class of `models.NAME.data`: the chosen source, and the settings of each."""
    fields: Any = {s: (kind, ...) if isinstance(kind, type) else (type(kind), kind) for s, kind in sources.items()}
    chosen: Any = Literal[tuple(sources)]
    return create_model(f"{name}_data", __base__=DataConfig, source=(chosen, ...), **fields)


DATA_CONFIGS = {name: _data_config(name, sources) for name, sources in SOURCE_CONFIGS.items()}

# Why a source serves no other networks than it does; follows the source's title.
UNSUPPORTED: Mapping[str, str] = {
    "groove": "contains drums alone, without melody, chords or ratings of emotion",
    "maestro": "was played without a click, so that it has no bars, and has no ratings of emotion",
    "lakh": "has no ratings of emotion",
    "pop909": "has neither drums nor ratings of emotion",
    "vgmidi": "was written and not played: it has no dynamics or groove",
    "deam": "contains audio and ratings, without notes",
}


def source_names(model: str) -> list[str]:
    """The sources that a network can learn from, the usual one first."""
    return list(SOURCE_CONFIGS[model])


def source_config(model: str, source: str) -> type[StrictModel]:
    """The class of the settings of one source of a network."""
    settings = SOURCE_CONFIGS[model][source]
    return settings if isinstance(settings, type) else type(settings)
