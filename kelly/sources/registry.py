"""The sources of each network by name; those that read files are layouts of kelly.sources.layouts."""

from collections.abc import Mapping

from kelly.sources import corpus
from kelly.sources.examples import dynamics, emotion, groove, harmony, melody
from kelly.sources.source import AudioSource, GeneratedSource, MidiSource, Source
from kelly.sources.synthetic import dynamics as synthetic_dynamics
from kelly.sources.synthetic import emotion as synthetic_emotion
from kelly.sources.synthetic import groove as synthetic_groove
from kelly.sources.synthetic import harmony as synthetic_harmony
from kelly.sources.synthetic import melody as synthetic_melody

SOURCES: Mapping[str, dict[str, Source]] = {
    "emotionrecognizer": {
        "synthetic": GeneratedSource(synthetic_emotion.generate),
        "deam": AudioSource(emotion.from_audio, emotion.UNITS),
        **dict.fromkeys(("vgmidi", "midi"), AudioSource(emotion.from_midi, emotion.UNITS)),
    },
    "melodytransformer": {
        "corpus": GeneratedSource(corpus.melody),
        "synthetic": GeneratedSource(synthetic_melody.generate),
        **dict.fromkeys(("midi", "lakh", "pop909", "vgmidi"), MidiSource(melody.extract_examples, melody.UNITS)),
    },
    "harmonypredictor": {
        "corpus": GeneratedSource(corpus.harmony),
        "synthetic": GeneratedSource(synthetic_harmony.generate),
        **dict.fromkeys(("midi", "lakh", "pop909", "vgmidi"), MidiSource(harmony.extract_examples, harmony.UNITS)),
    },
    "dynamicsengine": {
        "synthetic": GeneratedSource(synthetic_dynamics.generate),
        **dict.fromkeys(
            ("midi", "groove", "maestro", "lakh", "pop909"), MidiSource(dynamics.extract_examples, dynamics.UNITS)
        ),
    },
    "groovepredictor": {
        "synthetic": GeneratedSource(synthetic_groove.generate),
        **dict.fromkeys(("midi", "groove", "lakh"), MidiSource(groove.extract_examples, groove.UNITS)),
    },
}
