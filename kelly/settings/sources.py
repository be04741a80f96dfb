"""What params.yaml may say under `models.<name>.data`: one block a source, each the arguments of that source."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Block(BaseModel):
    """A part of params.yaml: every key must be there, none may be unknown, and types are taken at their word."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SequenceLaw(Block):
    """Synthetic sequences for an LSTM network."""

    num_sequences: int = Field(ge=50, le=10_000_000)
    num_frames: int = Field(ge=1, le=4_096)
    seed: int | None = Field(ge=0, lt=2**32)


class RowLaw(Block):
    """Synthetic single frames for a network without memory."""

    num_sequences: int = Field(ge=50, le=10_000_000)
    seed: int | None = Field(ge=0, lt=2**32)


class Files(Block):
    """What all sources that read files have in common."""

    max_skipped_share: float = Field(ge=0, lt=1)


class MelodyCorpus(Files):
    """Melodies of scores that music21 carries."""

    collections: list[Literal["bach", "ryansMammoth", "oneills1850", "airdsAirs"]] = Field(min_length=1)
    num_frames: int = Field(ge=1, le=256)
    max_pieces: int | None = Field(ge=5)


class HarmonyCorpus(Files):
    """Chords of scores that music21 carries."""

    collections: list[Literal["bach"]] = Field(min_length=1)
    max_pieces: int | None = Field(ge=5)


class Folder(Files):
    """A folder of music in one of the layouts of kelly.datasets.layouts.

    max_files: spread evenly over the folder; max_windows_per_piece: sequences, spread evenly over the piece
    """

    path: str = Field(min_length=1)
    max_files: int | None = Field(ge=5)
    max_windows_per_piece: int | None = Field(ge=1)


class Augmentation(Block):
    """Variations of a performance, for training alone: louder or softer, faster or slower by up to these shares."""

    copies: int = Field(ge=0, le=16)
    velocity: float = Field(ge=0, lt=1)
    tempo: float = Field(ge=0, le=0.5)


class SoundFolder(Folder):
    """Rated sound files."""

    num_frames: int = Field(ge=1, le=4_096)


class RenderedFolder(SoundFolder):
    """Rated MIDI files, played with a soundfont."""

    soundfont: str = Field(min_length=1)


class MelodyFolder(Folder):
    """Melodies of MIDI files."""

    num_frames: int = Field(ge=1, le=256)


class DynamicsFolder(Folder):
    """Performances in bars, or in windows of so many seconds; part: of their pitched notes or of their drums."""

    part: Literal["pitched", "drums"]
    window_s: float | None = Field(ge=0.5, le=60)
    augmentation: Augmentation


class BeatDynamicsFolder(Folder):
    """Performances whose beats are annotated in seconds, which no variation of their tempo would keep."""

    window_s: float | None = Field(ge=0.5, le=60)


class GrooveFolder(Folder):
    """Performances in bars of 4/4."""

    context: Literal["embedding", "heard"]
    augmentation: Augmentation


class PublishedGroove(Block):
    """What the Groove MIDI Dataset needs besides: which of its published splits is tested on."""

    test_split: Literal["test", "validation"]


class PublishedGrooveDynamics(DynamicsFolder, PublishedGroove):
    """Dynamics of the Groove MIDI Dataset."""


class PublishedGrooveGroove(GrooveFolder, PublishedGroove):
    """Groove of the Groove MIDI Dataset."""


class DeamFolder(SoundFolder):
    """DEAM; ratings: dynamic, twice a second, or static, one of the whole song."""

    ratings: Literal["dynamic", "static"]


class EmotionData(Block):
    source: Literal["synthetic", "deam", "vgmidi", "midi"]
    synthetic: SequenceLaw
    deam: DeamFolder
    vgmidi: RenderedFolder
    midi: RenderedFolder


class MelodyData(Block):
    source: Literal["corpus", "synthetic", "midi", "lakh", "pop909", "vgmidi"]
    corpus: MelodyCorpus
    synthetic: SequenceLaw
    midi: MelodyFolder
    lakh: MelodyFolder
    pop909: MelodyFolder
    vgmidi: MelodyFolder


class HarmonyData(Block):
    source: Literal["corpus", "synthetic", "midi", "lakh", "pop909", "vgmidi"]
    corpus: HarmonyCorpus
    synthetic: RowLaw
    midi: Folder
    lakh: Folder
    pop909: Folder
    vgmidi: Folder


class DynamicsData(Block):
    source: Literal["synthetic", "midi", "groove", "maestro", "lakh", "pop909"]
    synthetic: RowLaw
    midi: DynamicsFolder
    groove: PublishedGrooveDynamics
    maestro: DynamicsFolder
    lakh: DynamicsFolder
    pop909: BeatDynamicsFolder


class GrooveData(Block):
    source: Literal["synthetic", "midi", "groove", "lakh"]
    synthetic: RowLaw
    midi: GrooveFolder
    groove: PublishedGrooveGroove
    lakh: GrooveFolder
