"""Data sets for two networks from a folder in the layout of the Groove MIDI Dataset."""

from pathlib import Path

import numpy as np
import pytest
from support.fake_pieces import pieces_table
from support.played import DRUMS, Note, write

from kelly.config.params import PARAMS_FILE, source_settings
from kelly.data.dataset import Dataset
from kelly.features.emotion import embed
from kelly.runtime.errors import KellyError
from kelly.sources.generate import generate
from kelly.tasks import TASKS

PARAMS = Path(__file__).parents[3] / PARAMS_FILE
NETWORKS = ("groovepredictor", "dynamicsengine")
NUM_BARS = 4  # of each performance
STRAIGHT = [Note(i / 2, 0.05, 38) for i in range(8)]
PIECES = [f"drummer1/session1/{i}.mid" for i in range(1, 6)]
HEADER = "drummer,session, id,style , bpm,beat_type, time_signature, midi_filename,audio_filename,duration, split"


def write_drums(path: Path, hits: list[Note], metre: tuple[int, int] = (4, 4)) -> None:
    write(path, {DRUMS: hits}, metres=((0, *metre),))


def drumming(seed: int) -> list[Note]:
    """Eighths that are late by about a quarter of a sixteenth, and random velocities."""
    rng = np.random.default_rng(seed)
    return [
        Note(i / 2 + (30 + int(rng.integers(-25, 26))) / 480, 0.05, 38, int(rng.integers(30, 120)))
        for i in range(8 * NUM_BARS)
    ]


def write_folder(path: Path, splits: str = "train train train validation test", metre: str = "4-4") -> Path:
    """A folder in the published layout with one performance per word of `splits`; metre: that of the last one."""
    rows = [HEADER]
    for i, split in enumerate(splits.split(), start=1):
        write_drums(path / PIECES[i - 1], drumming(i))
        time_signature = metre if i == len(splits.split()) else "4-4"
        identifier = PIECES[i - 1].removesuffix(".mid")
        rows.append(f"drummer1,s1,{identifier},rock/slow,120,beat, {time_signature},{PIECES[i - 1]},,8.0,{split}")
    (path / "info.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def dataset_of(path: Path, network: str = "groovepredictor", **changes: object) -> Dataset:
    """The data set of a network from a folder, written into the folder."""
    settings = source_settings("groove", PARAMS)[network] | {"path": str(path)} | changes
    return generate(TASKS[network], "groove", settings, path / "data" / network)


def rows_per_piece(path: Path, network: str = "groovepredictor") -> dict[str, int]:
    return {row["file"]: int(row["num_rows"]) for row in pieces_table(path / "data" / network)}


@pytest.mark.parametrize("bar", [0, 2])
def test_a_changed_bar_changes_only_its_targets_and_later_inputs(tmp_path: Path, bar: int) -> None:
    path = write_folder(tmp_path)
    before = [dataset_of(path, network).sequences for network in NETWORKS]
    hits = drumming(1)
    for i in range(8 * bar, 8 * bar + 8):
        hits[i] = hits[i]._replace(onset=hits[i].onset - 10 / 480, velocity=127 - hits[i].velocity)
    write_drums(path / PIECES[0], hits)
    after = [dataset_of(path, network).sequences for network in NETWORKS]
    for old, new in zip(before, after, strict=True):
        changed = np.flatnonzero((old.inputs != new.inputs).any(axis=(1, 2)))
        assert changed.tolist() == list(range(bar + 1, NUM_BARS))
        assert np.flatnonzero((old.targets != new.targets).any(axis=(1, 2))).tolist() == [bar]


@pytest.mark.parametrize(
    ("network", "num_in", "num_out", "low"), [("groovepredictor", 64, 32, -1.0), ("dynamicsengine", 32, 16, 0.0)]
)
def test_rows_have_the_shapes_ranges_and_splits_of_the_contract(
    tmp_path: Path, network: str, num_in: int, num_out: int, low: float
) -> None:
    path = write_folder(tmp_path)
    data = dataset_of(path, network)
    s = data.sequences
    assert s.mask is not None
    assert s.previous is not None
    assert s.predefined_split is not None
    assert s.category is not None
    assert (s.inputs.shape, s.targets.shape) == ((20, 1, num_in), (20, 1, num_out))
    assert s.inputs.dtype == s.targets.dtype == s.previous.dtype == np.float32
    assert low <= s.targets.min() <= s.targets.max() <= 1.0
    assert (s.targets[~s.mask] == 0.0).all()
    assert s.predefined_split.tolist() == ["train"] * 12 + ["validation"] * 4 + ["test"] * 4
    assert s.groups.tolist() == [str(piece) for piece in range(5) for _ in range(NUM_BARS)]
    assert rows_per_piece(path, network) == dict.fromkeys(PIECES, NUM_BARS)
    assert set(s.category.tolist()) == {"rock"}
    np.testing.assert_allclose(s.inputs[0, 0], embed(np.zeros(9))[:num_in], atol=1e-7)
    np.testing.assert_array_equal(s.previous[1:4], np.where(s.mask[0:3], s.targets[0:3], np.nan))
    assert np.isnan(s.previous[0]).all()
    assert data.facts["sequences_per_split"] == {"test": 4, "train": 12, "validation": 4}
    assert data.facts["skipped"] == []


def test_the_published_validation_split_can_be_the_test_split(tmp_path: Path) -> None:
    data = dataset_of(write_folder(tmp_path), test_split="validation")
    assert data.sequences.predefined_split is not None
    assert data.sequences.predefined_split.tolist() == ["train"] * 12 + ["test"] * 4
    assert data.facts["test_performances_left_out"] == 1


@pytest.mark.parametrize(
    ("splits", "test_split"), [("train validation", "test"), ("train test", "validation"), ("test", "test")]
)
def test_an_empty_split_is_an_error_that_counts_the_performances(tmp_path: Path, splits: str, test_split: str) -> None:
    with pytest.raises(KellyError, match=r"data\.groove\.test_split.*\{'train': [01]"):
        dataset_of(write_folder(tmp_path, splits), test_split=test_split)


def test_a_bar_with_few_hits_is_context_but_not_an_example(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    later = [Note(4 + hit.onset, 0.05, 38, 80 + i) for i, hit in enumerate(STRAIGHT)]
    write_drums(path / PIECES[0], [Note(0, 0.05, 38, 120), Note(1, 0.05, 38, 120), *later])
    inputs = dataset_of(path).sequences.inputs
    assert rows_per_piece(path)[PIECES[0]] == 1
    assert (inputs[0, 0] != embed(np.zeros(9)).astype(np.float32)).any()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_file_that_is_no_performance_is_not_applicable(tmp_path: Path, network: str) -> None:
    path = write_folder(tmp_path)
    write_drums(path / PIECES[0], [*STRAIGHT, *(hit._replace(onset=4 + hit.onset) for hit in STRAIGHT)])
    data = dataset_of(path, network)
    (left_out,) = data.facts["not_applicable"]
    assert left_out["file"] == PIECES[0]
    assert "expected a performance" in left_out["reason"]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_broken_file_is_skipped_and_one_in_another_metre_is_not_applicable(tmp_path: Path, network: str) -> None:
    path = write_folder(tmp_path)
    (path / PIECES[1]).write_bytes(b"MThd broken")
    write_drums(path / PIECES[2], drumming(3), metre=(3, 4))
    data = dataset_of(path, network)
    (skipped,), (left_out,) = data.facts["skipped"], data.facts["not_applicable"]
    assert (skipped["file"], left_out["file"]) == (PIECES[1], PIECES[2])
    assert "truncated" in skipped["reason"]
    assert "time signatures 3/4" in left_out["reason"]
    assert (data.facts["files"], data.facts["pieces"], len(data.sequences)) == (5, 3, 12)


def test_performances_in_other_metres_are_left_out_and_counted(tmp_path: Path) -> None:
    data = dataset_of(write_folder(tmp_path, "train test train", metre="6-8"))
    assert data.facts["other_metres_left_out"] == 1
    assert len(data.sequences) == 8
