"""The plots of predictions of each network, on small data."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.small_plots import random_network, small_plot_inputs

from kelly.evaluation.ngrams import last_chords
from kelly.features.emotion import embed, usual_coordinates
from kelly.plots import groove, harmony, melody
from kelly.plots.plot_inputs import QUADRANTS
from kelly.plots.predictions import PLOTS, plot_predictions
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

Floats = NDArray[np.float64]


@pytest.mark.parametrize("name", TASKS)
def test_each_network_has_a_plot_in_the_colours_of_the_page(name: str, tmp_path: Path) -> None:
    plot_predictions(TASKS[name], small_plot_inputs(name), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}_predictions.png", f"{name}_predictions.svg"}
    svg = (tmp_path / f"{name}_predictions.svg").read_text()
    texts = ["".join(e.itertext()) for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert any(TASKS[name].title in text for text in texts)
    assert not re.search(r"(fill|stroke): *(black|#000000)", svg)
    assert len(svg) < 400_000


@pytest.mark.parametrize("name", TASKS)
def test_one_sequence_is_enough_for_a_plot(name: str) -> None:
    settings = {"part": "drums", "context": "previous"}  # of DynamicsEngine, of GroovePredictor
    PLOTS[name](small_plot_inputs(name, settings, n=1)).draw_without_rendering()


def test_parameters_of_drums_have_their_own_names() -> None:
    for settings, expected in (({}, "high accent"), ({"part": "drums"}, "downbeat accent")):
        figure = PLOTS["dynamicsengine"](small_plot_inputs("dynamicsengine", settings))
        assert figure.axes[6].get_title(loc="left").startswith(expected)
        assert [text.get_text() for text in figure.axes[-1].get_xticklabels()][6] == expected


def test_a_network_with_the_previous_groove_as_context_gets_zeros_for_it() -> None:
    embedding = embed(usual_coordinates([0.7], [-0.7]))
    assert np.array_equal(groove.inputs_of(small_plot_inputs("groovepredictor"), embedding), embedding)
    inputs = groove.inputs_of(small_plot_inputs("groovepredictor", {"context": "previous"}), embedding)
    assert not inputs[:, :32].any()
    assert np.array_equal(inputs[:, 32:], embedding[:, 32:])


def test_the_last_chord_is_read_from_the_context() -> None:
    context = np.zeros((3, 64))
    context[1, [10, 7]] = 1.0, 0.75
    context[2, [63, 7]] = 1.0, 0.5
    assert last_chords(context).tolist() == [-1, 10, 63]


@pytest.mark.parametrize(
    ("chord", "expected"),
    [("C:maj", "C"), ("A:min7", "Am7"), ("F#:7", "F♯7"), ("D#:maj7", "D♯maj7"), ("dim", "dim"), ("N", "none")],
)
def test_chords_have_their_usual_symbols(chord: str, expected: str) -> None:
    assert harmony.symbol(chord) == expected


def test_transitions_are_probabilities() -> None:
    figure = PLOTS["harmonypredictor"](small_plot_inputs("harmonypredictor"))
    for axes in figure.axes[:2]:
        shares: Floats = np.ma.filled(np.ma.asarray(axes.images[0].get_array()), np.nan)
        observed = np.isfinite(shares).all(axis=1)
        assert observed.any()
        assert (shares[observed] >= 0).all()
        assert (shares[observed].sum(axis=1) <= 1 + 1e-9).all()


def test_the_piano_roll_goes_around_the_circle_of_emotions() -> None:
    calls: list[Floats] = []
    inputs = small_plot_inputs("melodytransformer")

    def run(x: Floats) -> Floats:
        calls.append(x)
        return np.asarray(inputs.network(x))

    angles, roll = melody.piano_roll(replace(inputs, network=run))
    assert (angles[0], angles[-1], roll.shape) == (0, 360, (128, len(angles)))
    quarter = np.searchsorted(angles, 90)
    assert np.allclose(calls[0][quarter], embed(usual_coordinates(0.0, 1.0)))  # every frame of it
    assert np.allclose(roll[:, 0], roll[:, -1])


def test_middle_c_is_c4() -> None:
    pitches, labels = melody.octaves(59, 73)
    assert dict(zip(pitches, labels, strict=True)) == {60: "C4", 67: "G", 72: "C5"}


def test_quadrants_show_the_outputs_for_their_emotion() -> None:
    outputs = small_plot_inputs("groovepredictor").at_quadrants(lambda embedding: embedding)
    expected = random_network(TASKS["groovepredictor"])(embed(usual_coordinates(-0.7, -0.7))[None, None])
    assert outputs.keys() == QUADRANTS.keys()
    assert np.allclose(outputs["sad"], expected[0, 0])


@pytest.mark.parametrize("missing", ["outputs", "data"])
def test_an_export_without_metadata_is_not_plotted(missing: str, tmp_path: Path) -> None:
    inputs = small_plot_inputs("dynamicsengine")
    incomplete = replace(inputs, metadata={key: value for key, value in inputs.metadata.items() if key != missing})
    with pytest.raises(KellyError, match=rf"dynamicsengine\.json: .*{missing}.* dvc repro -f -s export@dynamicsengine"):
        plot_predictions(TASKS["dynamicsengine"], incomplete, tmp_path)
