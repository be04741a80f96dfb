"""The three kinds of data source: generated, MIDI files, rated audio."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kelly.data.dataset import Dataset
from kelly.sources.extraction.measured import ExtractExamples, Measured


@dataclass(frozen=True)
class GeneratedSource:
    """A source that gives a whole data set at once: synthetic, or the scores of a package.

    make: settings of the source → data set
    """

    make: Callable[..., Dataset]


@dataclass(frozen=True)
class MidiSource:
    """A folder of MIDI files in a layout of kelly.sources.layouts.

    examples: (entry, midi, **settings) → the examples of one file, and its category; units: what a frame and its values are
    """

    examples: ExtractExamples
    units: Mapping[str, str]


@dataclass(frozen=True)
class AudioSource:
    """A folder of rated audio, or of rated MIDI files that are rendered, in a layout of kelly.sources.layouts.

    measure: (entry, **settings) → the examples of one file; units: what a frame and its values are
    """

    measure: Callable[..., Measured]
    units: Mapping[str, str]


Source = GeneratedSource | MidiSource | AudioSource
