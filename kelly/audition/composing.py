"""From an emotion to a phrase of some bars of 4/4; `page/composing.js` does the same.

MelodyTransformer gives the pitches of each bar, HarmonyPredictor the chord, DynamicsEngine loudness and articulation,
GroovePredictor timing and accents of the sixteenths.
"""

from collections.abc import Mapping

import numpy as np

from kelly.audition.arranging import Arranger, Floats
from kelly.audition.phrase import STEPS_PER_BAR, Note, Phrase, round_half_up, without_overlaps
from kelly.audition.rng import HARMONY, sample, uniform
from kelly.features import emotion
from kelly.features.context import DECAY
from kelly.features.vocabulary import NUM_CHORDS
from kelly.rtneural.reader import Model
from kelly.runtime.errors import KellyError
from kelly.sources.music.tonality import AROUSAL_WEIGHTS, MEAN_BPM

MAX_BARS = 64
MIN_BPM, MAX_BPM = 30, 300
# Of the default tempo: arousal 1 is one standard deviation, in octaves, above the mean of the pieces that listeners
# rated (kelly.sources.music.tonality).
BPM_OCTAVES = AROUSAL_WEIGHTS["log_tempo"][2]


def default_bpm(arousal: float) -> int:
    """The tempo of an emotion where none is requested."""
    return round_half_up(MEAN_BPM * 2 ** (BPM_OCTAVES * arousal))


def compose(
    models: Mapping[str, Model], valence: float, arousal: float, *, seed: int, bars: int = 8, bpm: int | None = None
) -> Phrase:
    """Compose a phrase of one emotion, -1..1 each, from freshly reset networks; bpm: None: `default_bpm`.

    Raises KellyError where a value is out of range.
    """
    check(valence, arousal, seed, bars, bpm)
    tempo = default_bpm(arousal) if bpm is None else bpm
    embedding = emotion.embed(emotion.usual_coordinates(valence, arousal))
    dynamics = models["dynamicsengine"].run(embedding[None, None, : emotion.BLOCK_SIZE])[0, 0]
    pitches = models["melodytransformer"].run(np.tile(embedding, (1, bars, 1)))[0]
    chords = harmony(models["harmonypredictor"], embedding, seed, bars)
    grooves = groove(models["groovepredictor"], embedding, bars)
    notes: list[Note] = []
    previous: int | None = None
    for bar in range(bars):
        arranger = Arranger(bar, seed, tempo, dynamics, grooves[bar], chords[bar], pitches[bar])
        melody = list(arranger.melody(previous))
        previous = melody[-1].pitch
        notes += [*melody, *arranger.accompaniment()]
    return Phrase(valence, arousal, seed, tempo, bars, tuple(without_overlaps(notes)), tuple(chords))


def check(valence: float, arousal: float, seed: int, bars: int, bpm: int | None) -> None:
    """Raise KellyError, naming every value that is out of range."""
    ranges = [
        ("valence", valence, -1, 1),
        ("arousal", arousal, -1, 1),
        ("seed", seed, 0, 2**32 - 1),
        ("bars", bars, 1, MAX_BARS),
        ("tempo", MIN_BPM if bpm is None else bpm, MIN_BPM, MAX_BPM),
    ]
    errors = [f"{name} {value}: expected {low} to {high}" for name, value, low, high in ranges
              if not low <= value <= high]  # fmt: skip
    if errors:
        raise KellyError("; ".join(errors))


def harmony(model: Model, embedding: Floats, seed: int, bars: int) -> list[int]:
    """Sample one chord per bar, each from the network's prediction given those before; indices in CHORDS.

    No chord comes twice in a row: a frame of the network is a change of chord (docs/contract.md).
    """
    context, chords = np.zeros(NUM_CHORDS), list[int]()
    for bar in range(bars):
        probabilities = model.run(np.concatenate([embedding, np.minimum(context, 1.0)])[None, None])[0, 0]
        if chords:
            probabilities[chords[-1]] = 0.0
        chords.append(sample(probabilities.tolist(), uniform(seed, HARMONY, bar)))
        context = 0.5 * context
        context[chords[-1]] += 1.0
    return chords


def groove(model: Model, embedding: Floats, bars: int) -> Floats:
    """Timing and accents of each bar, float64[bars, 32].

    A network that takes the previous groove as context gets its own previous outputs. The first of its input ranges
    then has a decay (docs/contract.md).
    """
    uses_context = "decay" in model.metadata["inputs"][0]
    inputs, total, weight, grooves = embedding.copy(), np.zeros(2 * STEPS_PER_BAR), 0.0, []
    for _ in range(bars):
        if uses_context:
            inputs[: 2 * STEPS_PER_BAR] = total / (weight or 1.0)
        grooves.append(model.run(inputs[None, None])[0, 0])
        total, weight = DECAY * total + grooves[-1], DECAY * weight + 1.0
    return np.array(grooves)
