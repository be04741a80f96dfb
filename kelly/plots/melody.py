"""What MelodyTransformer would play: a piano roll around the circle of emotions, and whether its chances are right."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kelly.features.emotion import embed, usual_coordinates
from kelly.plots import style
from kelly.plots.plot_inputs import PlotInputs

Floats = NDArray[np.float64]

NUM_ANGLES = 72
NUM_FRAMES = 24  # of one emotion, after which what is played hardly changes any more
AUDIBLE = 0.02  # the range of pitches that is shown reaches this chance somewhere
LEAST = 0.004  # chance from which calibration is told: below, hardly any note sounds
NUM_BINS = 12
FEWEST = 20  # predictions that a bin of the calibration needs
MIDDLE_C = 60
# Around the circle from pleasant on, against the clock: what people call it, and what of valence and arousal it has.
AROUND = (
    "\npleasant\nV+", "happy", "\nexcited\nA+", "angry", "\nunpleasant\nV−", "sad", "\nquiet\nA−", "calm",
    "\npleasant\nV+",
)  # fmt: skip


def draw(shown: PlotInputs) -> Figure:
    """The chance of each pitch around the circle, what sounds on the test side, and the calibration."""
    targets, outputs = shown.predicted.frames
    angles, roll = around(shown)
    observed, predicted = targets.mean(axis=0), outputs.mean(axis=0)
    audible = np.flatnonzero((roll.max(axis=1) >= AUDIBLE) | (observed >= AUDIBLE))
    low, high = (audible[0], audible[-1]) if len(audible) else (48, 84)
    figure = style.figure(11.0, 6.0)
    left, middle, right = figure.subplots(1, 3, width_ratios=(2.6, 0.9, 1.35))
    image = left.pcolormesh(angles, np.arange(len(roll)), roll, cmap=style.SHADES, vmin=0, rasterized=True)
    left.set(title="chance that a pitch sounds, by emotion", xlim=(0, 360), ylim=(low - 0.5, high + 0.5))
    left.set_xticks(np.arange(0, 361, 45), AROUND)
    left.set_xlabel("around the circle of valence V and arousal A")
    left.set_ylabel("pitch, the tonic is C")
    style.frameless(left)
    figure.colorbar(image, ax=left, pad=0.01, aspect=40, label="chance").outline.set_visible(False)
    shares(middle, observed, predicted, shown.constant)
    middle.set_ylim(left.get_ylim())
    for axes in (left, middle):
        axes.set_yticks(*octaves(low, high))
    calibration(right, targets, outputs)
    style.title(
        figure,
        f"{shown.title}: what it would play around the circle of emotions",
        f"left: after {NUM_FRAMES} bars of one emotion; the others: {len(targets):,} bars of {shown.test}",
    )
    return figure


def around(shown: PlotInputs) -> tuple[Floats, Floats]:
    """Angles in degrees, [n], and the chance [128, n] of each pitch after NUM_FRAMES bars of the emotion there."""
    angles = np.linspace(0, 360, NUM_ANGLES + 1)
    emotions = embed(usual_coordinates(np.cos(np.radians(angles)), np.sin(np.radians(angles))))
    inputs = np.repeat(emotions[:, None], NUM_FRAMES, axis=1)
    return angles, shown.network(inputs)[:, -1].T


def octaves(low: int, high: int) -> tuple[list[int], list[str]]:
    """The Cs and Gs of a range of MIDI pitches, the Cs by their octaves."""
    pitches = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 7)]
    return pitches, [f"C{pitch // 12 - 1}" if pitch % 12 == 0 else "G" for pitch in pitches]


def shares(axes: Axes, observed: Floats, predicted: Floats, constant: Floats) -> None:
    """How often each pitch sounds, and how often it was predicted to."""
    pitch = np.arange(len(observed))
    axes.barh(pitch, observed, height=0.9, color=style.FAINT, label="observed")
    axes.plot(constant, pitch, ":", color=style.BLUE, linewidth=1.2, label="baseline")
    axes.plot(predicted, pitch, color=style.PREDICTED, linewidth=1.2, label="predicted")
    axes.set(title="on the test side", xlabel="share of bars", xlim=(0, None))
    style.grid(axes, "both")
    axes.legend(loc="upper right", handlelength=1.2)


def calibration(axes: Axes, targets: Floats, outputs: Floats) -> None:
    """What share of the notes sounds that were predicted with a chance: on the line it is the chance itself."""
    edges = np.geomspace(LEAST, 1, NUM_BINS + 1)
    place = np.digitize(outputs.ravel(), edges)
    number = np.bincount(place, minlength=NUM_BINS + 2)[1:-1]
    chance, share = (
        np.bincount(place, values.ravel(), NUM_BINS + 2)[1:-1] / np.maximum(1, number) for values in (outputs, targets)
    )
    told = (number >= FEWEST) & (share > 0)
    axes.plot([LEAST, 1], [LEAST, 1], "--", color=style.INK, linewidth=0.9, label="as promised")
    axes.plot(chance[told], share[told], "o-", color=style.PREDICTED, label="network")
    axes.set(xscale="log", yscale="log", xlim=(LEAST, 1), ylim=(LEAST, 1), aspect="equal")
    ticks = (0.01, 0.1, 1)
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_yticks(ticks, map(str, ticks))
    axes.set(title="are its chances right?", xlabel="predicted chance of a note", ylabel="share that sounds")
    style.grid(axes, "both")
    axes.legend(loc="upper left")
