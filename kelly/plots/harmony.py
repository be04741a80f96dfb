"""HarmonyPredictor: observed and predicted transitions between the most common chords."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kelly.evaluation.metrics import Floats
from kelly.evaluation.ngrams import last_chords
from kelly.features.emotion import EMBEDDING_SIZE
from kelly.plots import style
from kelly.plots.plot_inputs import PlotInputs

NUM_SHOWN = 16
MIN_TOP = 0.01  # smallest probability that the darkest shade may stand for
QUALITIES = {":maj7": "maj7", ":min7": "m7", ":maj": "", ":min": "m", ":7": "7"}  # as in chord symbols


def draw(inputs: PlotInputs) -> Figure:
    """Heat maps of observed and predicted transitions, and below how often each chord comes."""
    sequences, valid = inputs.predictions.sequences, inputs.predictions.valid
    last = last_chords(sequences.inputs[valid][:, EMBEDDING_SIZE:])
    following = np.asarray(sequences.targets[valid], np.int64)
    probabilities = inputs.predictions.outputs[valid]
    one_hot = np.eye(probabilities.shape[1])[following]
    observed, predicted = one_hot.mean(axis=0), probabilities.mean(axis=0)
    common = np.argsort(-observed, kind="stable")[:NUM_SHOWN]
    common = common[observed[common] > 0]
    names = [symbol(inputs.output_labels("vocabulary")[chord]) for chord in common]
    rows, labels = [-1, *common], ["(begin)", *names]
    counts = [int((last == row).sum()) for row in rows]
    maps = [np.stack([mean(values[last == row]) for row in rows])[:, common] for values in (one_hot, probabilities)]
    figure = style.figure(11.0, 7.6)
    grid = figure.add_gridspec(2, 2, height_ratios=(2.3, 1))
    top = float(np.nan_to_num(maps).max(initial=MIN_TOP))
    left, right = (figure.add_subplot(grid[0, i]) for i in (0, 1))
    for axes, title, shares in zip((left, right), ("observed", "predicted"), maps, strict=True):
        image = axes.imshow(shares, cmap=style.SHADES, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
        axes.set(title=f"{title}: probability of the next chord, given the last", xlabel="next chord")
        axes.set_xticks(range(len(names)), names, rotation=60)
        style.frameless(axes)
    left.set_yticks(range(len(rows)), [f"{label} ({n:,})" for label, n in zip(labels, counts, strict=True)])
    right.set_yticks(range(len(rows)), labels)
    left.set_ylabel("last chord (count)")
    figure.colorbar(image, ax=[left, right], pad=0.01, aspect=30, label="probability").outline.set_visible(False)
    frequencies(figure.add_subplot(grid[1, :]), names, observed[common], predicted[common], inputs.baseline[common])
    style.title(
        figure,
        f"{inputs.title}: chord transitions, observed on the test split and predicted",
        f"the {len(common)} most common of {len(observed)} chords, with the tonic as C; {len(following):,} chord "
        f"changes in {inputs.test_split}",
    )
    return figure


def mean(shares: Floats) -> Floats:
    """The mean of shares [n, chords]; nan, which is left blank, if there are none."""
    return shares.mean(axis=0) if len(shares) else np.full(shares.shape[1], np.nan)


def symbol(chord: str) -> str:
    """The usual symbol of a chord of the vocabulary: 'A:min7' → 'Am7'."""
    root, colon, quality = chord.partition(":")
    return f"{root.replace('#', '♯')}{QUALITIES[colon + quality]}" if colon else {"N": "none"}.get(chord, chord)


def frequencies(axes: Axes, names: list[str], observed: Floats, predicted: Floats, baseline: Floats) -> None:
    """How often each chord comes next, whatever the last was."""
    x = np.arange(len(names))
    axes.bar(x, observed, width=0.7, color=style.FAINT, edgecolor=style.QUIET, label="observed")
    axes.plot(x, baseline, "_", color=style.BLUE, markersize=16, markeredgewidth=2, label="baseline: training share")
    axes.plot(x, predicted, "o", color=style.PREDICTED, markersize=5, label="predicted, mean")
    axes.set_xticks(x, names)
    axes.set(title="frequency of each chord", ylabel="share of changes", xlim=(-0.6, len(names) - 0.4))
    style.grid(axes)
    axes.legend(ncols=3, loc="upper right")
