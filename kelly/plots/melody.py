"""MelodyTransformer: a piano roll around the circle of emotions, and the calibration of its probabilities."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kelly.evaluation.metrics import Floats
from kelly.features.emotion import embed, usual_coordinates
from kelly.plots import style
from kelly.plots.plot_inputs import PlotInputs

NUM_ANGLES = 72
NUM_FRAMES = 24  # of one emotion, after which the predictions hardly change any more
AUDIBLE = 0.02  # pitches that reach this probability anywhere are in view
MIN_PROBABILITY = 0.004  # left end of the calibration curve: below it hardly any note sounds
NUM_BINS = 12
MIN_PREDICTIONS = 20  # in a bin of the calibration curve
# Labels around the circle, counterclockwise from pleasant: an emotion, and the axis of valence (V) or arousal (A).
AROUND = (
    "\npleasant\nV+", "happy", "\nexcited\nA+", "angry", "\nunpleasant\nV−", "sad", "\nquiet\nA−", "calm",
    "\npleasant\nV+",
)  # fmt: skip


def draw(inputs: PlotInputs) -> Figure:
    """The probability of each pitch around the circle, how often it sounds in the test split, and the calibration."""
    targets, outputs = inputs.predictions.frames
    angles, roll = piano_roll(inputs)
    observed, predicted = targets.mean(axis=0), outputs.mean(axis=0)
    audible = np.flatnonzero((roll.max(axis=1) >= AUDIBLE) | (observed >= AUDIBLE))
    low, high = (audible[0], audible[-1]) if len(audible) else (48, 84)
    figure = style.figure(11.0, 6.0)
    left, middle, right = figure.subplots(1, 3, width_ratios=(2.6, 0.9, 1.35))
    image = left.pcolormesh(angles, np.arange(len(roll)), roll, cmap=style.SHADES, vmin=0, rasterized=True)
    left.set(title="probability that a pitch sounds, by emotion", xlim=(0, 360), ylim=(low - 0.5, high + 0.5))
    left.set(xlabel="around the circle of valence V and arousal A", ylabel="pitch, the tonic is C")
    left.set_xticks(np.arange(0, 361, 45), AROUND)
    style.frameless(left)
    figure.colorbar(image, ax=left, pad=0.01, aspect=40, label="probability").outline.set_visible(False)
    frequencies(middle, observed, predicted, inputs.baseline)
    middle.set_ylim(left.get_ylim())
    for axes in (left, middle):
        axes.set_yticks(*octaves(low, high))
    calibration(right, targets, outputs)
    style.title(
        figure,
        f"{inputs.title}: predictions around the circle of emotions",
        f"left: after {NUM_FRAMES} bars of one emotion; the others: {len(targets):,} bars of {inputs.test_split}",
    )
    return figure


def piano_roll(inputs: PlotInputs) -> tuple[Floats, Floats]:
    """Angles in degrees, [n], and the probability [128, n] of each pitch after NUM_FRAMES bars of that emotion."""
    angles = np.linspace(0, 360, NUM_ANGLES + 1)
    emotions = embed(usual_coordinates(np.cos(np.radians(angles)), np.sin(np.radians(angles))))
    return angles, inputs.network(np.repeat(emotions[:, None], NUM_FRAMES, axis=1))[:, -1].T


def octaves(low: int, high: int) -> tuple[list[int], list[str]]:
    """The Cs and Gs of a range of MIDI pitches, and their labels; Cs with their octave (middle C is C4)."""
    pitches = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 7)]
    return pitches, [f"C{pitch // 12 - 1}" if pitch % 12 == 0 else "G" for pitch in pitches]


def frequencies(axes: Axes, observed: Floats, predicted: Floats, baseline: Floats) -> None:
    """How often each pitch sounds, and its mean predicted probability."""
    pitch = np.arange(len(observed))
    axes.barh(pitch, observed, height=0.9, color=style.FAINT, label="observed")
    axes.plot(baseline, pitch, ":", color=style.BLUE, linewidth=1.2, label="baseline")
    axes.plot(predicted, pitch, color=style.PREDICTED, linewidth=1.2, label="predicted")
    axes.set(title="test split", xlabel="share of bars", xlim=(0, None))
    style.grid(axes, "both")
    axes.legend(loc="upper right", handlelength=1.2)


def calibration(axes: Axes, targets: Floats, outputs: Floats) -> None:
    """The share of notes that sound against their predicted probability; equal on the diagonal."""
    edges = np.geomspace(MIN_PROBABILITY, 1, NUM_BINS + 1)
    bins = np.digitize(outputs.ravel(), edges)
    counts = np.bincount(bins, minlength=NUM_BINS + 2)[1:-1]
    predicted, observed = (
        np.bincount(bins, values.ravel(), NUM_BINS + 2)[1:-1] / np.maximum(1, counts) for values in (outputs, targets)
    )
    enough = (counts >= MIN_PREDICTIONS) & (observed > 0)
    limits, ticks = (MIN_PROBABILITY, 1), (0.01, 0.1, 1)
    axes.plot(limits, limits, "--", color=style.INK, linewidth=0.9, label="perfect")
    axes.plot(predicted[enough], observed[enough], "o-", color=style.PREDICTED, label="network")
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits, aspect="equal")
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_yticks(ticks, map(str, ticks))
    axes.set(title="calibration", xlabel="predicted probability of a note", ylabel="share that sounds")
    style.grid(axes, "both")
    axes.legend(loc="upper left")
