"""Real drumming: bars whose answer is obvious, folders in the published layout, and no look into the bar to predict."""

import csv
import os
from pathlib import Path

import mido
import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.config.params import PARAMS_FILE
from kelly.config.yaml_file import read_yaml
from kelly.data.dataset import Dataset
from kelly.features.emotion import COORDINATES, embed
from kelly.runtime.errors import KellyError
from kelly.sources.generate import generate
from kelly.sources.layouts.groove_table import read_info
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.drums import Bars, bars_of
from kelly.sources.readers.midi import read_midi
from kelly.sources.skipped import NotApplicableError
from kelly.tasks import TASKS

PARAMS = Path(__file__).parents[3] / PARAMS_FILE
REAL = Path(os.environ.get("KELLY_GROOVE_PATH", "../shared/data/groove"))
needs_real_files = pytest.mark.skipif(not (REAL / "info.csv").exists(), reason=f"no Groove MIDI Dataset in {REAL}")

Hit = tuple[int, int]  # tick at 480 a quarter, velocity
STEP = 120  # ticks a sixteenth
BAR = 16 * STEP
STRAIGHT: list[Hit] = [(2 * i * STEP, 80) for i in range(8)]
PIECES = [f"drummer1/session1/{i}.mid" for i in range(1, 6)]
NETWORKS = ("groovepredictor", "dynamicsengine")
HEADER = "drummer,session, id,style , bpm,beat_type, time_signature, midi_filename,audio_filename,duration, split"


def write_hits(path: Path, hits: list[Hit], metre: tuple[int, int] = (4, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file, track, now = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack(), 0
    track.append(mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1]))
    events = [(tick, velocity) for tick, velocity in hits] + [(tick + 20, 0) for tick, _ in hits]
    for tick, velocity in sorted(events):
        track.append(mido.Message("note_on", channel=9, note=38, velocity=velocity, time=tick - now))
        now = tick
    file.tracks.append(track)
    file.save(path)


def drumming(seed: int, num_bars: int = 4) -> list[Hit]:
    rng = np.random.default_rng(seed)
    steps = [(bar * 16 + step) * STEP for bar in range(num_bars) for step in range(0, 16, 2)]
    return [(step + 30 + int(rng.integers(-25, 26)), int(rng.integers(30, 120))) for step in steps]


def write_folder(path: Path, sides: str = "train train train validation test", **changed: str) -> Path:
    """A folder in the published layout, one performance a word of `sides`; `changed` are cells of the last row."""
    rows = [HEADER]
    for i, side in enumerate(sides.split(), start=1):
        write_hits(path / f"drummer1/session1/{i}.mid", drumming(i))
        cells = {"id": f"drummer1/session1/{i}", "metre": "4-4", "file": f"drummer1/session1/{i}.mid", "side": side}
        cells |= changed if i == len(sides.split()) else {}
        known = f"drummer1,s1,{cells['id']},rock/slow,120,beat"
        rows.append(f"{known}, {cells['metre']},{cells['file']},,8.0,{cells['side']}")
    (path / "info.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read(path: Path, network: str = "groovepredictor", **changes: object) -> Dataset:
    """The data of a network from a folder, written into it."""
    settings = read_yaml(PARAMS)["models"][network]["data"]["groove"] | {"path": str(path)} | changes
    return generate(TASKS[network], "groove", settings, path / "data" / network)


def measured_bars(path: Path) -> Bars:
    return bars_of(Entry(path.name, path), read_midi(path))


def pieces_of(dataset: Dataset, folder: Path) -> list[str]:
    """The file that each sequence is of."""
    with (folder / "pieces.csv").open(encoding="utf-8", newline="") as file:
        pieces = list(csv.DictReader(file))
    names = [piece["file"] for piece in pieces for _ in range(int(piece["num_rows"]))]
    groups = [piece["group"] for piece in pieces for _ in range(int(piece["num_rows"]))]
    assert dataset.sequences.groups.tolist() == groups
    return names


def bar_of(tmp_path: Path, hits: list[Hit]) -> NDArray[np.float64]:
    """Groove of the first bar of a file with these hits."""
    write_hits(tmp_path / "bar.mid", hits)
    measured: NDArray[np.float64] = measured_bars(tmp_path / "bar.mid").groove[0]
    return measured


def test_a_straight_bar_has_no_offsets_and_no_accents(tmp_path: Path) -> None:
    measured = bar_of(tmp_path, STRAIGHT)
    assert measured[0:32:2].tolist() == [0.0] * 16
    assert np.isnan(measured[1:32:2]).all()


def test_a_late_bar_is_late_everywhere_by_its_share_of_half_a_sixteenth(tmp_path: Path) -> None:
    np.testing.assert_allclose(bar_of(tmp_path, [(tick + 30, v) for tick, v in STRAIGHT])[0:16:2], 0.5)


def test_a_swung_bar_is_late_between_the_beats_only(tmp_path: Path) -> None:
    swung = [(tick + (40 if i % 2 else 0), v) for i, (tick, v) in enumerate(STRAIGHT)]
    measured = bar_of(tmp_path, swung)
    np.testing.assert_allclose(measured[[0, 4, 8, 12]], 0.0)
    np.testing.assert_allclose(measured[[2, 6, 10, 14]], 2 / 3)


def test_a_hit_just_before_the_bar_line_belongs_to_the_next_bar(tmp_path: Path) -> None:
    write_hits(tmp_path / "a.mid", [*STRAIGHT, (BAR - 30, 80), (BAR + 480, 80)])
    bars = measured_bars(tmp_path / "a.mid")
    assert bars.hits.tolist() == [8, 2]
    np.testing.assert_allclose(bars.groove[1, 0], -0.5)


def test_bars_of_drums_tell_neither_register_nor_articulation(tmp_path: Path) -> None:
    write_hits(tmp_path / "a.mid", drumming(1))
    measured = dict(zip(COORDINATES, measured_bars(tmp_path / "a.mid").coordinates.T, strict=True))
    told = [name for name, values in measured.items() if np.isfinite(values).all()]
    assert told == ["valence", "arousal", "loudness", "spread"]
    assert all(np.isnan(measured[name]).all() for name in measured if name not in told)
    assert not measured["valence"].any()


@pytest.mark.parametrize("bar", [0, 1, 2, 3])
def test_changing_a_bar_changes_no_input_up_to_it(tmp_path: Path, bar: int) -> None:
    path = write_folder(tmp_path)
    before = [read(path, network).sequences for network in NETWORKS]
    hits = drumming(1)
    hits[8 * bar : 8 * bar + 8] = [(tick - 10, 127 - v) for tick, v in hits[8 * bar : 8 * bar + 8]]
    write_hits(path / PIECES[0], hits)
    after = [read(path, network).sequences for network in NETWORKS]
    for old, new in zip(before, after, strict=True):
        changed = (old.inputs != new.inputs).any(axis=(1, 2))
        assert changed.tolist() == [t > bar and t < 4 for t in range(20)]
        assert (old.targets != new.targets).any(axis=(1, 2)).tolist() == [t == bar for t in range(20)]


def test_rows_have_the_shapes_ranges_and_sides_of_the_contract(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    for network, num_in, num_out, low in (("groovepredictor", 64, 32, -1.0), ("dynamicsengine", 32, 16, 0.0)):
        data = read(path, network)
        s = data.sequences
        assert s.mask is not None
        assert s.previous is not None
        assert s.predefined_split is not None
        assert s.category is not None
        assert (s.inputs.shape, s.targets.shape) == ((20, 1, num_in), (20, 1, num_out))
        assert s.inputs.dtype == s.targets.dtype == s.previous.dtype == np.float32
        assert s.targets.min() >= low
        assert s.targets.max() <= 1.0
        assert (s.targets[~s.mask] == 0.0).all()
        assert s.predefined_split.tolist() == ["train"] * 12 + ["validation"] * 4 + ["test"] * 4
        assert s.groups.tolist() == [str(piece) for piece in range(5) for _ in range(4)]
        assert pieces_of(data, path / "data" / network) == [name for name in PIECES for _ in range(4)]
        assert set(s.category.tolist()) == {"rock"}
        np.testing.assert_allclose(s.inputs[0, 0], embed(np.zeros(9))[:num_in], atol=1e-7)
        np.testing.assert_array_equal(s.previous[1:4], np.where(s.mask[0:3], s.targets[0:3], np.nan))
        assert np.isnan(s.previous[0]).all()
        assert data.facts["sequences_by_side"] == {"test": 4, "train": 12, "validation": 4}
        assert data.facts["skipped"] == []


def test_the_published_validation_split_can_be_the_test(tmp_path: Path) -> None:
    data = read(write_folder(tmp_path), test_split="validation")
    assert data.sequences.predefined_split is not None
    assert data.sequences.predefined_split.tolist() == ["train"] * 12 + ["test"] * 4
    assert data.facts["test_performances_left_out"] == 1


@pytest.mark.parametrize(
    ("sides", "test_split"), [("train validation", "test"), ("train test", "validation"), ("test", "test")]
)
def test_a_split_without_rows_is_an_error_that_counts_the_splits(tmp_path: Path, sides: str, test_split: str) -> None:
    with pytest.raises(KellyError, match=r"by split \{'train': [01].*set data\.groove\.test_split"):
        read(write_folder(tmp_path, sides), test_split=test_split)


def test_a_bar_of_few_hits_is_heard_but_is_no_row(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    write_hits(path / PIECES[0], [(0, 120), (480, 120), *((BAR + tick, v + tick // STEP) for tick, v in STRAIGHT)])
    data = read(path)
    s = data.sequences
    assert pieces_of(data, path / "data" / "groovepredictor").count(PIECES[0]) == 1
    assert (s.inputs[0, 0] != embed(np.zeros(9)).astype(np.float32)).any()


@pytest.mark.parametrize("network", NETWORKS)
def test_what_was_not_played_but_written_is_left_out(tmp_path: Path, network: str) -> None:
    path = write_folder(tmp_path)
    write_hits(path / PIECES[0], [*STRAIGHT, *((BAR + tick, v) for tick, v in STRAIGHT)])
    data = read(path, network)
    (left_out,) = data.facts["unsuited"]
    assert left_out["file"] == PIECES[0]
    assert "expected a performance" in left_out["reason"]
    assert data.facts["skipped"] == []


def test_a_broken_file_among_good_ones_is_skipped_and_one_in_another_metre_left_out(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    (path / PIECES[1]).write_bytes(b"MThd broken")
    write_hits(path / PIECES[2], drumming(3), metre=(3, 4))
    for network in NETWORKS:
        data = read(path, network)
        (skipped,) = data.facts["skipped"]
        assert skipped["file"] == PIECES[1]
        assert "truncated" in skipped["reason"]
        reason = "time signatures 3/4, expected 4/4 throughout"
        assert data.facts["unsuited"] == [{"file": PIECES[2], "reason": reason}]
        assert (data.facts["files"], data.facts["pieces"], data.facts["unsuited_left_out"]) == (5, 3, 1)
        assert len(data.sequences) == 12


def test_a_folder_of_mostly_broken_files_is_an_error(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    for name in PIECES[:3]:
        (path / name).unlink()
    with pytest.raises(KellyError, match=r"3 of 5 files cannot be used(.|\n)*1\.mid: cannot be read"):
        read(path)


def test_a_performance_that_stands_there_twice_is_used_once(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    write_hits(path / PIECES[2], drumming(1))
    data = read(path, test_split="validation")
    assert data.facts["duplicates"] == [{"file": PIECES[2], "same_as": PIECES[0]}]
    assert data.facts["duplicates_left_out"] == 1
    assert len(data.sequences) == 12


def test_other_metres_are_left_out_and_counted(tmp_path: Path) -> None:
    data = read(write_folder(tmp_path, "train test train", metre="6-8"))
    assert data.facts["other_metres_left_out"] == 1
    assert len(data.sequences) == 8


def test_a_bar_that_begins_within_a_bar_is_refused(tmp_path: Path) -> None:
    metre = mido.MetaMessage("time_signature", numerator=4, denominator=4)
    for tick in (BAR, BAR + 4 * STEP):
        file = mido.MidiFile(ticks_per_beat=480)
        hits = [mido.Message("note_on", channel=9, note=38, velocity=80 * on, time=STEP) for on in (1, 0) * 40]
        file.tracks += [mido.MidiTrack([metre.copy(time=0), metre.copy(time=tick)]), mido.MidiTrack(hits)]
        file.save(tmp_path / f"{tick}.mid")
    assert measured_bars(tmp_path / f"{BAR}.mid").hits.sum() == 40
    with pytest.raises(NotApplicableError, match="a time signature within a bar"):
        measured_bars(tmp_path / f"{BAR + 4 * STEP}.mid")


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_folder_gives_the_same_bytes(tmp_path: Path, network: str) -> None:
    path, made = write_folder(tmp_path), tmp_path / "data" / network
    read(path, network)
    first = {file.name: file.read_bytes() for file in made.iterdir()}
    read(path, network)
    assert {file.name: file.read_bytes() for file in made.iterdir()} == first


@needs_real_files
def test_the_real_table_lists_performances_of_ten_drummers() -> None:
    performances = read_info(REAL)
    assert len(performances) > 1000
    assert {p.midi_filename.split("/")[0] for p in performances} == {f"drummer{i}" for i in range(1, 11)}


@needs_real_files
def test_real_bars_are_played_near_the_grid_and_the_backbeat_is_loud() -> None:
    funk = next(p for p in read_info(REAL) if p.id == "drummer1/session1/1")
    bars = measured_bars(REAL / funk.midi_filename)
    assert np.nanmean(np.abs(bars.groove[:, :16])) < 0.5
    assert np.nanmean(bars.groove[:, [20, 28]]) > np.nanmean(bars.groove[:, 16:])
    assert np.nanmax(bars.dynamics) <= 1.0
