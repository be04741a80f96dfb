"""Generative process for EmotionRecognizer: mel spectra whose level, brightness, register and chord follow an emotion.

The hidden emotion jumps at random, and each frame has as much noise as signal, so that one frame is ambiguous and
several are not. The oracle is the mean of the Bayes filter, computed on a grid of emotions.
"""

from functools import cache

import numpy as np

from kelly.data.dataset import Dataset, Sequences
from kelly.features.emotion import embed, usual_coordinates
from kelly.features.log_mel import NUM_BANDS, band_position
from kelly.sources.synthetic.process import STREAM_FRAMES, Floats, jump_process, sequences_of

HAZARD = 1 / 16  # probability per frame that the emotion is redrawn
NOISE = 0.13  # standard deviation in frame units, where 1 is 40 dB: 5.2 dB
OFFSET = -0.06  # keeps values within 4.9 standard deviations of the mean spectra in -1..1
GRID_SIZE = 41  # points per axis; 61 changes the best loss by 1e-5
BLOCK_ROWS = 250  # sequences drawn at once: beyond it their beliefs exceed the cache
OCTAVES: Floats = np.arange(2.0, 8.0)
SEMITONES = (0, 3, 4, 6, 7, 9)
C0_HZ = 440.0 * 2.0 ** (-57 / 12)


def generate(num_sequences: int, num_frames: int, seed: int) -> Dataset:
    """Draw inputs float32[num_sequences, num_frames, 128] and the embedding of the hidden emotion as targets."""
    rng = np.random.default_rng(seed)

    def draw(n: int, frames: int) -> Sequences:
        blocks = []
        hidden = jump_process(rng, n, frames, HAZARD)
        for emotion in np.split(hidden, range(BLOCK_ROWS, n, BLOCK_ROWS)):
            clean = spectrum(emotion[..., 0], emotion[..., 1])
            inputs = np.clip(clean + NOISE * rng.standard_normal(clean.shape), -1.0, 1.0)
            targets = embed(usual_coordinates(emotion[..., 0], emotion[..., 1]))
            blocks.append([array.astype(np.float32) for array in (inputs, targets, filtered_embedding(inputs))])
        return sequences_of(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))

    facts = {"unit": "one frame is one spectrum", "coordinates": "seven of the nine follow valence and arousal"}
    return Dataset(draw(num_sequences, num_frames), draw(1, STREAM_FRAMES), facts)


def spectrum(valence: Floats, arousal: Floats) -> Floats:
    """The noise-free frame [..., 128] of an emotion: a chord in six octaves, two partials per note, over a noise floor.

    Arousal raises level, brightness and register. Valence turns the third from minor to major; strong positive valence
    adds the sixth degree, strong negative valence the tritone.
    """
    from scipy.special import expit  # slow to import

    v, a = valence[..., None], arousal[..., None]
    major = expit(4 * v)
    strength = {  # of each semitone above the root
        0: np.ones_like(v),
        3: 1 - major,
        4: major,
        6: 0.5 * np.exp(-(((v + 0.6) / 0.25) ** 2) / 2),
        7: np.full_like(v, 0.8),
        9: 0.5 * np.exp(-(((v - 0.6) / 0.25) ** 2) / 2),
    }
    weight = np.exp(a - ((OCTAVES - 4.3 - 1.3 * a) / 0.8) ** 2 / 2)
    notes = np.concatenate([weight * strength[semitone] for semitone in SEMITONES], axis=-1)
    floor = 0.02 * np.exp(a - 2.5 * (1 - a) * (np.arange(NUM_BANDS) + 0.5) / NUM_BANDS)
    return OFFSET + NOISE * (np.log(floor + notes @ note_spectra() + 0.01) + 2.2) / 1.4


@cache
def note_spectra() -> Floats:
    """Energy [notes, 128] of each semitone in each octave: two partials, each a bell of 1.2 bands."""
    spectra = [
        sum(
            amplitude * np.exp(-(((np.arange(NUM_BANDS) + 0.5 - band_position(hz * partial)) / 1.2) ** 2) / 2)
            for partial, amplitude in ((1, 1.0), (2, 0.5))
        )
        for semitone in SEMITONES
        for hz in C0_HZ * 2.0 ** (OCTAVES + semitone / 12)
    ]
    return np.array(spectra)


def filtered_embedding(inputs: Floats) -> Floats:
    """Posterior mean of the embedding after each frame: `p_t(z) ∝ p(x_t|z)·[(1 − h)·p_{t−1}(z) + h·prior]` on a grid.

    inputs: [n, num_frames, 128]; returns [n, num_frames, 64]. No predictor has a smaller expected squared error.
    """
    means, half_square, embeddings = grid()
    filtered = np.empty((*inputs.shape[:2], embeddings.shape[1]))
    belief = np.full((len(inputs), len(means)), 1 / len(means))
    for t in range(inputs.shape[1]):
        likelihood = (inputs[:, t] / NOISE) @ means.T
        likelihood -= half_square
        likelihood -= likelihood.max(axis=1, keepdims=True)
        belief *= 1 - HAZARD
        belief += HAZARD / len(means)
        belief *= np.exp(likelihood, out=likelihood)
        belief /= belief.sum(axis=1, keepdims=True)
        filtered[:, t] = belief @ embeddings
    return filtered


@cache
def grid() -> tuple[Floats, Floats, Floats]:
    """For each emotion of the grid: spectrum / NOISE [n, 128], half its squared norm [n], embedding [n, 64]."""
    centres = (np.arange(GRID_SIZE) + 0.5) * 2 / GRID_SIZE - 1
    v, a = (axis.ravel() for axis in np.meshgrid(centres, centres, indexing="ij"))
    means = spectrum(v, a) / NOISE
    return means, (means**2).sum(axis=1) / 2, embed(usual_coordinates(v, a))
