"""Measurements of drum bars, hand-written and real."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.played import DRUMS, Note, read, write

from kelly.features.emotion import COORDINATES
from kelly.sources.layouts.groove import read_info
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.drums import Bars, bars_of
from kelly.sources.readers.midi import read_midi
from kelly.sources.skipped import NotApplicableError

REAL = Path(os.environ.get("KELLY_GROOVE_PATH", "../shared/data/groove"))
needs_real_files = pytest.mark.skipif(not (REAL / "info.csv").exists(), reason=f"no Groove MIDI Dataset in {REAL}")

STRAIGHT = [Note(i / 2, 0.05, 38) for i in range(8)]  # eighths
METRE = ((0.0, 4, 4),)


def measured(tmp_path: Path, hits: list[Note], metres: tuple[tuple[float, int, int], ...] = METRE) -> Bars:
    return bars_of(*read(write(tmp_path / "a.mid", {DRUMS: hits}, metres=metres)))


def shifted(offbeat: float, beat: float = 0.0) -> list[Note]:
    """Eighths that are late by a fraction of a sixteenth."""
    return [hit._replace(onset=hit.onset + (offbeat if i % 2 else beat) / 4) for i, hit in enumerate(STRAIGHT)]


@pytest.mark.parametrize(("offbeat", "beat"), [(0.0, 0.0), (0.25, 0.25), (1 / 3, 0.0)])
def test_the_offset_is_the_delay_in_half_sixteenths(tmp_path: Path, offbeat: float, beat: float) -> None:
    groove: NDArray[np.float64] = measured(tmp_path, shifted(offbeat, beat)).groove[0]
    np.testing.assert_allclose(groove[[0, 4, 8, 12]], 2 * beat)
    np.testing.assert_allclose(groove[[2, 6, 10, 14]], 2 * offbeat)
    assert not groove[16::2].any()  # all hits are equally loud
    assert np.isnan(groove[1::2]).all()


def test_a_hit_just_before_the_bar_line_belongs_to_the_next_bar(tmp_path: Path) -> None:
    bars = measured(tmp_path, [*STRAIGHT, Note(4 - 1 / 16, 0.05, 38), Note(5, 0.05, 38)])
    assert bars.hits.tolist() == [8, 2]
    np.testing.assert_allclose(bars.groove[1, 0], -0.5)
    assert not bars.coordinates[:, COORDINATES.index("valence")].any()


def test_a_time_signature_within_a_bar_is_not_applicable(tmp_path: Path) -> None:
    hits = [Note(i / 2, 0.25, 38) for i in range(40)]
    assert measured(tmp_path, hits, (*METRE, (4.0, 4, 4))).hits.sum() == 40
    with pytest.raises(NotApplicableError, match="time signature within a bar"):
        measured(tmp_path, hits, (*METRE, (5.0, 4, 4)))


@needs_real_files
def test_real_bars_are_near_the_grid_with_a_loud_backbeat() -> None:
    performances = read_info(REAL)
    assert len(performances) > 1000
    assert {p.midi_filename.split("/")[0] for p in performances} == {f"drummer{i}" for i in range(1, 11)}
    path = REAL / next(p.midi_filename for p in performances if p.id == "drummer1/session1/1")
    bars = bars_of(Entry(path.name, path), read_midi(path))
    assert np.nanmean(np.abs(bars.groove[:, :16])) < 0.5
    assert np.nanmean(bars.groove[:, [20, 28]]) > np.nanmean(bars.groove[:, 16:])
    assert np.nanmax(bars.dynamics) <= 1.0
