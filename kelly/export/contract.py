"""The meaning of every input and output, as in the metadata of each export; docs/contract.md describes it in words.

Positions are half-open ranges of the vector, values are closed intervals.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kelly.features import emotion, log_mel
from kelly.features.context import DECAY
from kelly.features.vocabulary import CHORDS, DRUM_DYNAMICS, DYNAMICS

Layout = dict[str, list[dict[str, Any]]]
Settings = Mapping[str, Any]  # of the data source that a network was trained on


def part(positions: list[int], values: list[float], meaning: str, **more: Any) -> dict[str, Any]:
    """A range of a vector with one meaning."""
    return {"positions": positions, "values": values, "meaning": meaning, **more}


def embedding(num_blocks: int = 2) -> list[dict[str, Any]]:
    """The emotion embedding, or its valence block alone."""
    names = ("valence", "arousal")[:num_blocks]
    formula = "pair p: tanh(gain*(x - centre[p]) + lean*q[p]), tanh(gain*(x - centre[p]) - lean*q[p])"
    return [
        part(
            [own * emotion.BLOCK_SIZE, (own + 1) * emotion.BLOCK_SIZE],
            [-1, 1],
            f"emotion embedding, {name} block: {formula}, x = {name}",
            gain=emotion.GAIN,
            lean=emotion.LEAN,
            centre=emotion.CENTRES.tolist(),
            q=[emotion.COORDINATES[i] for i in emotion.LEANS_WITH[own]],
        )
        for own, name in enumerate(names)
    ]


def emotionrecognizer(_settings: Settings) -> Layout:
    """Audio frame → emotion embedding."""
    frame = part(
        [0, log_mel.NUM_BANDS],
        [-1, 1],
        "log-mel energies of one audio frame: clip(dB re full scale, -80, 0) / 40 + 1",
        sample_rate_hz=log_mel.SAMPLE_RATE_HZ,
        fft_size=log_mel.FFT_SIZE,
        window="hann",
        window_formula="0.5 - 0.5 cos(2 pi n / 2048)",
        min_frequency_hz=log_mel.MIN_FREQUENCY_HZ,
        max_frequency_hz=log_mel.MAX_FREQUENCY_HZ,
        mel_scale="2595 log10(1 + f / 700)",
        bands="triangles over the mel scale, from centre to centre of the neighbours, each scaled to zero_db",
        zero_db="a sine of amplitude 1 in the centre of a band",
    )
    return {"inputs": [frame], "outputs": embedding()}


def melodytransformer(_settings: Settings) -> Layout:
    """Emotion embedding → notes."""
    notes = part(
        [0, 128],
        [0, 1],
        "probability that the MIDI pitch sounds in the coming bar; the tonic is C, and the piece is shifted by octaves "
        "so that its median pitch lies near 67",
    )
    return {"inputs": embedding(), "outputs": [notes]}


def harmonypredictor(_settings: Settings) -> Layout:
    """Emotion embedding and chords so far → next chord."""
    context = part(
        [64, 128],
        [0, 1],
        "chords so far: the last adds 1 at its position in the vocabulary, the one before 0.5, then 0.25 ..., the sum "
        "clipped to 1; all zero at the start",
        vocabulary=list(CHORDS),
    )
    meaning = "probability that the chord comes next; roots above the tonic, called C"
    chords = part([0, 64], [0, 1], meaning, vocabulary=list(CHORDS))
    return {"inputs": [*embedding(), context], "outputs": [chords]}


def dynamicsengine(_settings: Settings) -> Layout:
    """Valence block → expression."""
    expression = part(
        [0, 16],
        [0, 1],
        "expression of the passage",
        names=[name for name, _ in DYNAMICS],
        units=[unit for _, unit in DYNAMICS],
        names_on_drums=[name for name, _ in DRUM_DYNAMICS],
        units_on_drums=[unit for _, unit in DRUM_DYNAMICS],
    )
    return {"inputs": embedding(num_blocks=1), "outputs": [expression]}


def groovepredictor(settings: Settings) -> Layout:
    """Emotion embedding → timing and accents of a bar."""
    in_ticks = "timing of each sixteenth in half sixteenths, late is positive: 60 * value ticks at 480 PPQ"
    timing = part([0, 16], [-1, 1], in_ticks)
    relative = "accent of each sixteenth relative to the bar's mean velocity: velocity / mean - 1"
    accents = part([16, 32], [-1, 1], relative)
    if settings.get("context") != "previous":
        return {"inputs": embedding(), "outputs": [timing, accents]}
    mean = "the mean over the earlier bars in which it was played, each weighted by decay to the power of its age, or 0"
    previous = [
        part([start, start + 16], [-1, 1], f"{name} of each sixteenth so far, as in the outputs: {mean}", decay=DECAY)
        for start, name in ((0, "timing"), (16, "accents"))
    ]
    return {"inputs": [*previous, embedding()[1]], "outputs": [timing, accents]}


CONTRACTS: Mapping[str, Callable[[Settings], Layout]] = {
    function.__name__: function
    for function in (emotionrecognizer, melodytransformer, harmonypredictor, dynamicsengine, groovepredictor)
}
