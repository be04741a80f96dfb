"""What a network predicts, drawn: each picture from small data of its network, and what it says."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.small_runs import drawn

from kelly.evaluation.baselines import mean_target
from kelly.evaluation.metrics import Predicted
from kelly.export.contract import CONTRACTS
from kelly.features.emotion import embed, usual_coordinates
from kelly.plots import groove, harmony, melody, style
from kelly.plots.density import r2
from kelly.plots.plot_inputs import CORNERS, PlotInputs
from kelly.plots.predictions import PLOTS, plot_predictions
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task

Floats = NDArray[np.float64]


def network(task: Task) -> Any:
    """A network that was not trained: the same outputs for the same inputs, in the range of the task's."""
    weights = np.random.default_rng(5).standard_normal((task.num_inputs, task.num_outputs)) / 8

    def run(inputs: NDArray[Any]) -> Floats:
        sums = inputs @ weights
        if task.loss == "cross_entropy":
            return np.asarray(np.exp(sums) / np.exp(sums).sum(axis=-1, keepdims=True))
        last = task.layers[-1].activation
        return np.asarray(np.tanh(sums) if last == "tanh" else 1 / (1 + np.exp(-sums)))

    return run


def small(name: str, settings: dict[str, Any] | None = None, n: int = 60) -> PlotInputs:
    """A network's predictions on small data with gaps."""
    task = TASKS[name]
    data = drawn(task, n=n, num_frames=3, gaps=task.loss == "mse")
    if name == "emotionrecognizer":
        hidden = np.random.default_rng(1).uniform(-1, 1, (*data.inputs.shape[:2], 2))
        data = replace(data, targets=embed(usual_coordinates(hidden[..., 0], hidden[..., 1])).astype(np.float32))
    settings = settings or {}
    metadata = {"data": {"source": "synthetic", "settings": settings}, **CONTRACTS[task.name](settings)}
    run = network(task)
    return PlotInputs(task.title, Predicted(data, run(data.inputs)), mean_target(task, data), run, metadata)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in TASKS),
        ("dynamicsengine", {"part": "drums"}),
        ("groovepredictor", {"context": "previous"}),
    ],
)
def test_each_network_has_a_picture_that_comes_out_the_same(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        plot_predictions(TASKS[name], small(name, settings), folder)
    files = [sorted(folder.iterdir()) for folder in (tmp_path / "a", tmp_path / "b")]
    assert [path.name for path in files[0]] == [f"{name}_predictions.png", f"{name}_predictions.svg"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    text = files[0][1].read_text()
    texts = ["".join(e.itertext()) for e in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert any(TASKS[name].title in one for one in texts)
    assert not re.search(r"(fill|stroke): *(black|#000000)", text)
    assert len(text) < 400_000


@pytest.mark.parametrize("name", TASKS)
def test_one_sequence_is_enough_for_a_picture(name: str) -> None:
    assert style.svg(PLOTS[name](small(name, n=1)))


def test_drums_are_named_as_drums() -> None:
    for settings, expected in (({}, "high accent"), ({"part": "drums"}, "downbeat accent")):
        figure = PLOTS["dynamicsengine"](small("dynamicsengine", settings))
        assert figure.axes[6].get_title(loc="left").startswith(expected)
        assert [text.get_text() for text in figure.axes[-1].get_xticklabels()][6] == expected


def test_where_the_groove_heard_goes_in_none_was_heard() -> None:
    embedding = embed(usual_coordinates([0.7], [-0.7]))
    assert np.array_equal(groove.inputs_of(small("groovepredictor"), embedding), embedding)
    inputs = groove.inputs_of(small("groovepredictor", {"context": "previous"}), embedding)
    assert not inputs[:, :32].any()
    assert np.array_equal(inputs[:, 32:], embedding[:, 32:])


def test_the_last_chord_is_read_from_the_chords_so_far() -> None:
    inputs = np.zeros((3, 128))
    inputs[1, 64 + 10], inputs[1, 64 + 7] = 1.0, 0.75
    inputs[2, 64 + 63], inputs[2, 64 + 7] = 1.0, 0.5
    assert harmony.last_chords(inputs).tolist() == [harmony.BEGIN, 10, 63]


@pytest.mark.parametrize(
    ("chord", "expected"),
    [("C:maj", "C"), ("A:min7", "Am7"), ("F#:7", "F♯7"), ("D#:maj7", "D♯maj7"), ("dim", "dim"), ("N", "none")],
)
def test_chords_are_written_as_usual(chord: str, expected: str) -> None:
    assert harmony.symbol(chord) == expected


def test_transitions_are_shares_of_what_follows_each_chord() -> None:
    figure = PLOTS["harmonypredictor"](small("harmonypredictor"))
    for axes in figure.axes[:2]:
        shares = np.ma.filled(np.ma.asarray(axes.images[0].get_array()), np.nan)
        told = np.isfinite(shares).all(axis=1)
        assert told.any()
        assert (shares[told] >= 0).all()
        assert (shares[told].sum(axis=1) <= 1 + 1e-9).all()


def test_the_piano_roll_goes_around_the_circle_of_emotions() -> None:
    seen: list[Floats] = []
    whole = small("melodytransformer")

    def run(inputs: Floats) -> Floats:
        seen.append(inputs)
        return np.asarray(whole.network(inputs))

    angles, roll = melody.around(replace(whole, network=run))
    assert (angles[0], angles[-1], roll.shape) == (0, 360, (128, len(angles)))
    quarter = np.searchsorted(angles, 90)
    assert np.allclose(seen[0][quarter], embed(usual_coordinates(0.0, 1.0)))  # every frame of it
    assert np.allclose(roll[:, 0], roll[:, -1])


def test_octaves_are_named_as_midi_has_them() -> None:
    pitches, names = melody.octaves(59, 73)
    assert dict(zip(pitches, names, strict=True)) == {60: "C4", 67: "G", 72: "C5"}


def test_corners_are_run_in_their_own_emotion() -> None:
    corners = small("groovepredictor").at_corners(lambda embedding: embedding)
    expected = network(TASKS["groovepredictor"])(embed(usual_coordinates(-0.7, -0.7))[None, None])
    assert corners.keys() == CORNERS.keys()
    assert np.allclose(corners["sad"], expected[0, 0])


def test_r2_is_0_for_the_constant_and_1_for_the_truth() -> None:
    true = np.array([0.0, 1.0, 2.0])
    assert r2(true, true, 1.0) == 1.0
    assert r2(true, np.full(3, 1.0), 1.0) == 0.0
    assert np.isnan(r2(np.ones(3), np.ones(3), 1.0))


@pytest.mark.parametrize("lost", ["outputs", "data"])
def test_an_export_that_does_not_say_what_it_holds_is_not_drawn(lost: str, tmp_path: Path) -> None:
    whole = small("dynamicsengine")
    poor = replace(whole, metadata={key: value for key, value in whole.metadata.items() if key != lost})
    with pytest.raises(KellyError, match=r"dynamicsengine\.json: its metadata lacks .* export it again"):
        plot_predictions(TASKS["dynamicsengine"], poor, tmp_path)
