"""From an emotion to a phrase: what each network says of every bar, and notes made of it.

A phrase is one emotion held for some bars of 4/4, from freshly reset networks. Of each bar MelodyTransformer tells the
pitches, HarmonyPredictor the chord, DynamicsEngine loudness and articulation, GroovePredictor timing and accents of the
sixteenths. `page/composing.js` does the same.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kelly.audition import arranging, phrase, rng
from kelly.audition.arranging import Arranger, Floats, chord_name, chord_root, chord_tones
from kelly.audition.phrase import PARTS, SIXTEENTHS, Note, Phrase, apart, rounded
from kelly.audition.rng import HARMONY, pick, uniform
from kelly.features import emotion
from kelly.features.context import DECAY
from kelly.rtneural.reader import Model
from kelly.runtime.errors import KellyError
from kelly.sources.music.chords import NUM_CHORDS, QUALITIES
from kelly.sources.music.tonality import AROUSAL_WEIGHTS, MEAN_BPM

MAX_BARS = 64
MIN_BPM, MAX_BPM = 30, 300
# Tempo of an emotion where none is asked for: arousal 1 is one standard deviation, in octaves, above the mean of the
# pieces that listeners rated (kelly.sources.music.tonality).
BPM_OCTAVES = AROUSAL_WEIGHTS["log_tempo"][2]


def usual_bpm(arousal: float) -> int:
    """The tempo of an emotion where none is asked for."""
    return rounded(MEAN_BPM * 2 ** (BPM_OCTAVES * arousal))


def compose(
    models: Mapping[str, Model], valence: float, arousal: float, *, seed: int, bars: int = 8, bpm: int | None = None
) -> Phrase:
    """Compose a phrase of one emotion, -1..1 each, from freshly reset networks; bpm: as is usual for it.

    Raises KellyError where a value is out of range.
    """
    check(valence, arousal, seed, bars, bpm)
    tempo = usual_bpm(arousal) if bpm is None else bpm
    embedding = emotion.embed(emotion.usual_coordinates(valence, arousal))
    dynamics = models["dynamicsengine"].run(embedding[None, None, : emotion.BLOCK_SIZE])[0, 0]
    pitches = models["melodytransformer"].run(np.tile(embedding, (1, bars, 1)))[0]
    chords = harmony(models["harmonypredictor"], embedding, seed, bars)
    grooves = groove(models["groovepredictor"], embedding, bars)
    notes: list[Note] = []
    before: int | None = None
    for bar in range(bars):
        arranger = Arranger(bar, seed, tempo, dynamics, grooves[bar], chords[bar], pitches[bar])
        melody = list(arranger.melody(before))
        before = melody[-1].pitch
        notes += [*melody, *arranger.accompaniment()]
    return Phrase(valence, arousal, seed, tempo, bars, tuple(apart(notes)), tuple(chords))


def check(valence: float, arousal: float, seed: int, bars: int, bpm: int | None) -> None:
    """Raise KellyError, telling all that is out of range."""
    wrong = [f"{name} {value:g}: expected -1 to 1" for name, value in (("valence", valence), ("arousal", arousal))
             if not -1 <= value <= 1]  # fmt: skip
    tempo = MIN_BPM if bpm is None else bpm
    ranges = (("seed", seed, 0, 2**32 - 1), ("bars", bars, 1, MAX_BARS), ("tempo", tempo, MIN_BPM, MAX_BPM))
    for name, number, low, high in ranges:
        if not low <= number <= high:
            wrong.append(f"{name} {number}: expected {low} to {high}")
    if wrong:
        raise KellyError("; ".join(wrong))


def harmony(model: Model, embedding: Floats, seed: int, bars: int) -> list[int]:
    """One chord a bar, each drawn from what the network expects after those so far; indices in CHORDS.

    None comes twice in a row: a frame of the network is a change of chord (docs/contract.md).
    """
    total, chords = np.zeros(NUM_CHORDS), list[int]()
    for bar in range(bars):
        chances = model.run(np.concatenate([embedding, np.minimum(total, 1.0)])[None, None])[0, 0]
        if chords:
            chances[chords[-1]] = 0.0
        chords.append(pick(chances.tolist(), uniform(seed, HARMONY, bar)))
        total = 0.5 * total
        total[chords[-1]] += 1.0
    return chords


def groove(model: Model, embedding: Floats, bars: int) -> Floats:
    """Timing and accents of each bar, float64[bars, 32]; what was heard, where a network asks for it, is what it made.

    That is told by the first stretch of its inputs, which then has a decay (docs/contract.md).
    """
    hears = "decay" in model.metadata["inputs"][0]
    inputs, total, weight, grooves = embedding.copy(), np.zeros(2 * SIXTEENTHS), 0.0, []
    for _ in range(bars):
        if hears:
            inputs[: 2 * SIXTEENTHS] = total / (weight or 1.0)
        grooves.append(model.run(inputs[None, None])[0, 0])
        total, weight = DECAY * total + grooves[-1], DECAY * weight + 1.0
    return np.array(grooves)


def constants() -> dict[str, Any]:
    """What the page's JavaScript must know of all this, so that no number stands in both."""
    numbers = {
        name: value
        for module in (phrase, rng, arranging)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | tuple)
    }
    return numbers | {
        "MEAN_BPM": MEAN_BPM,
        "BPM_OCTAVES": BPM_OCTAVES,
        "DECAY": DECAY,
        "PARTS": {name: vars(part) for name, part in PARTS.items()},
        "QUALITIES": QUALITIES,
        "CHORD_NAMES": [chord_name(chord) for chord in range(NUM_CHORDS)],
        "CHORD_TONES": [chord_tones(chord) for chord in range(NUM_CHORDS)],
        "CHORD_ROOTS": [chord_root(chord) for chord in range(NUM_CHORDS)],
        "GAIN": emotion.GAIN,
        "LEAN": emotion.LEAN,
        "CENTRES": emotion.CENTRES.tolist(),
        "LEANS_WITH": emotion.LEANS_WITH.tolist(),
        "USUAL": emotion.USUAL.tolist(),
        "BLOCK_SIZE": emotion.BLOCK_SIZE,
    }
