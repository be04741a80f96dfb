"""Copies of a piece are left out, and its versions stay in one split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from support.fake_pieces import MELODY, FakeFolder, folder_of_songs, groups, melody, song
from support.played import Note, notes_of, write

from kelly.sources.extraction.duplicates import same_works, signature, sound_signature
from kelly.sources.generate import generate
from kelly.sources.readers.midi import Notes
from kelly.tasks import TASKS


def test_of_exact_copies_the_one_in_the_test_split_is_kept(tmp_path: Path) -> None:
    names = ["a/0/0", "a/0/1", "b/0/0", "b/0/1", "c/0/0", "c/0/1"]
    folder = FakeFolder(tmp_path, *names, splits="train test validation train train train")
    facts = folder.save()
    assert list(groups(tmp_path / "data")) == ["a/0/1", "b/0/0", "c/0/0"]
    assert facts["duplicates"] == [
        {"file": "a/0/0", "same_as": "a/0/1"},
        {"file": "b/0/1", "same_as": "b/0/0"},
        {"file": "c/0/1", "same_as": "c/0/0"},
    ]
    assert np.load(tmp_path / "data/predefined_split.npy").tolist() == ["test"] * 3 + ["validation"] * 3 + ["train"] * 3
    assert facts["sequences_per_split"] == {"test": 3, "train": 3, "validation": 3}


def test_copies_are_left_out_regardless_of_their_variations(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("copy of a", 0), ("b", 1)):
        write(tmp_path / f"music/{name}.mid", {"Piano": song(seed)})
    changes = {"window_s": None, "augmentation": {"copies": 2, "velocity": 0.2, "tempo": 0.1}}
    settings = {name: value for name, value in MELODY.items() if name != "num_frames"} | changes
    dataset = generate(TASKS["dynamicsengine"], "midi", settings | {"path": str(tmp_path / "music")}, tmp_path / "data")
    assert dataset.facts["duplicates"] == [{"file": "copy of a.mid", "same_as": "a.mid"}]


def test_of_a_work_in_two_published_splits_the_last_is_kept(tmp_path: Path) -> None:
    names = ["a/0", "a/1", "a/2", "b/0", "b/1", "c/0", "c/1"]
    folder = FakeFolder(tmp_path, *names, splits="train test validation train validation train train")
    facts = folder.save()
    assert groups(tmp_path / "data") == {"a/1": "0", "b/1": "1", "c/0": "2", "c/1": "2"}
    assert facts["duplicates"] == [
        {"file": "a/0", "same_as": "a piece of the test split"},
        {"file": "a/2", "same_as": "a piece of the test split"},
        {"file": "b/0", "same_as": "a piece of the validation split"},
    ]
    assert (facts["pieces"], facts["works"]) == (4, 3)


def test_near_duplicates_are_one_group_and_other_pieces_are_not(tmp_path: Path) -> None:
    path, to = folder_of_songs(tmp_path / "songs", 4), tmp_path / "data"
    write(path / "copies/0 in another key.mid", {"Piano": song(0, shift=5)}, bpm=97)
    write(path / "copies/0 slower.mid", {"Piano": song(0)}, bpm=80)
    one_more = [note._replace(onset=note.onset + 48) for note in song(9, num_bars=1)]
    write(path / "copies/1 and a bar more.mid", {"Piano": song(1) + one_more})
    write(path / "copies/2.mid", {"Strings": song(2)})
    write(path / "copies/3 in another key.mid", {"Piano": song(3, shift=-4)})
    facts = melody(path, to).facts
    group = groups(to)
    assert group["copies/0 in another key.mid"] == group["copies/0 slower.mid"] == group["0.mid"]
    assert group["copies/1 and a bar more.mid"] == group["1.mid"]
    assert len({group[f"{i}.mid"] for i in (0, 1)}) == 2
    # Files with the same examples are copies, whatever their names and keys.
    copies = {copy["file"]: copy["same_as"] for copy in facts["duplicates"]}
    assert copies == {"copies/2.mid": "2.mid", "copies/3 in another key.mid": "3.mid"}
    assert facts["works"] == len(set(group.values())) == 4


def test_a_hundred_songs_are_a_hundred_works() -> None:
    signatures = [signature(notes_of(song(seed, num_bars=4))) for seed in range(100)]
    assert same_works(signatures, [""] * 100).tolist() == list(range(100))


def test_works_are_joined_by_name_and_transitively() -> None:
    a, b, c = (sound_signature(np.array([i], np.float32)) for i in range(3))
    near_a = np.where(np.arange(len(a)) < 40, a, b)  # 40 of 64 runs are those of a, the others those of b
    far = np.where(np.arange(len(a)) < 24, near_a, c)  # less than half
    assert same_works([a, b, near_a, c, a], [""] * 5).tolist() == [0, 1, 0, 2, 0]
    assert same_works([a, b, None, None], ["", "x", "x", ""]).tolist() == [0, 1, 1, 2]
    assert same_works([a, far, near_a], [""] * 3).tolist() == [0, 1, 0]
    assert same_works([a, b, None], ["song", "song", "song"]).tolist() == [0, 0, 0]
    assert same_works([], []).tolist() == []


def test_voices_in_one_track_and_in_separate_tracks_are_one_work() -> None:
    pitches = np.random.default_rng(0).integers(55, 80, (3, 40)).tolist()
    parts = [notes_of([Note(i / 2, 0.5, pitch) for i, pitch in enumerate(voice)]) for voice in pitches]
    number = np.repeat(np.arange(3), 40)
    notes = Notes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})
    order = np.lexsort((notes.pitch, notes.onset_s))
    separate = replace(notes, track=number, channel=number).take(order)
    combined = replace(notes, channel=number).take(order)
    assert same_works([signature(separate), signature(combined)], ["", ""]).tolist() == [0, 0]
