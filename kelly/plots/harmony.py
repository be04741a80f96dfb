"""What HarmonyPredictor follows a chord with: observed and predicted transitions between the commonest chords."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from kelly.features.emotion import EMBEDDING_SIZE
from kelly.plots import style
from kelly.plots.plot_inputs import PlotInputs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NUM_SHOWN = 16
MIN_SHARE = 0.01  # the darkest shade stands for no less
BEGIN = -1  # the last chord of a passage that has none yet
# As chord symbols are usually written.
WRITTEN = {":maj7": "maj7", ":min7": "m7", ":maj": "", ":min": "m", ":7": "7"}


def draw(shown: PlotInputs) -> Figure:
    """Two heat maps, observed beside predicted, and below how often each chord comes at all."""
    sequences = shown.predicted.sequences
    there = shown.predicted.there
    last, following = last_chords(sequences.inputs[there]), np.asarray(sequences.targets[there], np.int64)
    chances = shown.predicted.outputs[there]
    observed, predicted = np.eye(chances.shape[1])[following].mean(axis=0), chances.mean(axis=0)
    common = np.argsort(-observed, kind="stable")[:NUM_SHOWN]
    common = common[observed[common] > 0]
    names = [symbol(shown.meaning("vocabulary")[chord]) for chord in common]
    rows = [BEGIN, *common]
    labels = ["(begin)", *names]
    counts = [int((last == row).sum()) for row in rows]
    found, expected = (
        np.stack([mean(values[last == row]) for row in rows]) for values in (np.eye(len(observed))[following], chances)
    )
    figure = style.figure(11.0, 7.6)
    grid = figure.add_gridspec(2, 2, height_ratios=(2.3, 1))
    top = float(np.nan_to_num([found[:, common], expected[:, common]]).max(initial=MIN_SHARE))
    maps = [figure.add_subplot(grid[0, i]) for i in (0, 1)]
    for axes, title, shares in zip(maps, ("observed", "predicted"), (found, expected), strict=True):
        image = heat_map(axes, shares[:, common], names, top)
        axes.set_title(f"{title}: share of the next chord, by the last")
        axes.set_xlabel("next chord")
    maps[0].set_yticks(range(len(rows)), [f"{label} ({n:,})" for label, n in zip(labels, counts, strict=True)])
    maps[1].set_yticks(range(len(rows)), labels)
    maps[0].set_ylabel("last chord (how often)")
    figure.colorbar(image, ax=maps, pad=0.01, aspect=30, label="share").outline.set_visible(False)
    how_often(figure.add_subplot(grid[1, :]), names, observed[common], predicted[common], shown.constant[common])
    style.title(
        figure,
        f"{shown.title}: which chord follows which, on the test side and as predicted",
        f"the {len(common)} commonest of {len(observed)} chords, the tonic called C; {len(following):,} changes of "
        f"chord in {shown.test}",
    )
    return figure


def mean(shares: Floats) -> Floats:
    """The mean of shares [n, chords]; nan, which is left blank, where there are none."""
    return shares.mean(axis=0) if len(shares) else np.full(shares.shape[1], np.nan)


def last_chords(inputs: Floats | NDArray[np.float32]) -> Ints:
    """The last chord of each frame, int64[n], from inputs[n, 128]; BEGIN where there was none.

    Of the chords so far the last weighs 1 and all others less (docs/contract.md).
    """
    context = inputs[:, EMBEDDING_SIZE:]
    return np.where(context.max(axis=1) > 0, context.argmax(axis=1), BEGIN)


def symbol(chord: str) -> str:
    """A chord of the vocabulary as it is usually written: 'A:min7' → 'Am7'."""
    root, colon, quality = chord.partition(":")
    return f"{root.replace('#', '♯')}{WRITTEN[colon + quality]}" if colon else {"N": "none"}.get(chord, chord)


def heat_map(axes: Axes, shares: Floats, names: list[str], top: float) -> AxesImage:
    """Shares [rows, columns], darker where more often."""
    image = axes.imshow(shares, cmap=style.SHADES, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(names)), names, rotation=60)
    style.frameless(axes)
    return image


def how_often(axes: Axes, names: list[str], observed: Floats, predicted: Floats, constant: Floats) -> None:
    """How often each chord comes next, whatever was before."""
    at = np.arange(len(names))
    axes.bar(at, observed, width=0.7, color=style.FAINT, edgecolor=style.QUIET, label="observed")
    axes.plot(at, constant, "_", color=style.BLUE, markersize=16, markeredgewidth=2, label="baseline: training share")
    axes.plot(at, predicted, "o", color=style.PREDICTED, markersize=5, label="predicted, mean")
    axes.set_xticks(at, names)
    axes.set(title="how often each chord comes", ylabel="share of changes", xlim=(-0.6, len(names) - 0.4))
    style.grid(axes)
    axes.legend(ncols=3, loc="upper right")
