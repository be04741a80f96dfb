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


class GrooveFolder(Files):
    """A folder in the layout of the Groove MIDI Dataset."""

    path: str = Field(min_length=1)
    test_split: Literal["test", "validation"]


class DeamFolder(Files):
    """A folder in the layout of DEAM."""

    path: str = Field(min_length=1)
    num_frames: int = Field(ge=1, le=4_096)


class EmotionData(Block):
    source: Literal["synthetic", "deam"]
    synthetic: SequenceLaw
    deam: DeamFolder


class MelodyData(Block):
    source: Literal["corpus", "synthetic"]
    corpus: MelodyCorpus
    synthetic: SequenceLaw


class HarmonyData(Block):
    source: Literal["corpus", "synthetic"]
    corpus: HarmonyCorpus
    synthetic: RowLaw


class ExpressionData(Block):
    source: Literal["synthetic", "groove"]
    synthetic: RowLaw
    groove: GrooveFolder
