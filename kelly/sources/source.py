"""The three kinds of data source: generated, MIDI files, rated audio."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kelly.data.dataset import Dataset
from kelly.sources.extraction.file_examples import ExtractExamples, FileExamples


@dataclass(frozen=True)
class GeneratedSource:
    """A synthetic process, or the scores that a package contains: `make(**settings)` returns the data set."""

    make: Callable[..., Dataset]


@dataclass(frozen=True)
class MidiSource:
    """A folder of MIDI files: `extract(entry, midi, **settings)` returns the examples of a file, and its category.

    units: the meaning of a frame and of its values
    """

    extract: ExtractExamples
    units: Mapping[str, str]


@dataclass(frozen=True)
class AudioSource:
    """A folder of rated audio, or of rated MIDI files to render: `extract(entry, **settings)` returns the examples."""

    extract: Callable[..., FileExamples]
    units: Mapping[str, str]


Source = GeneratedSource | MidiSource | AudioSource
