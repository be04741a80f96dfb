"""Real music by pip: melodies and chords of the scores that music21 carries, as data for two networks."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.data.dataset import Dataset, Sequences
from kelly.runtime.errors import KellyError
from kelly.sources.examples import harmony as harmony_lesson
from kelly.sources.examples import melody as melody_lesson
from kelly.sources.extraction.rows import Examples
from kelly.sources.layouts.listing import Entry
from kelly.sources.music import tonality
from kelly.sources.music.chords import CHORDS
from kelly.sources.music.listening import UNITS
from kelly.sources.music.performance import SIXTEENTHS
from kelly.sources.music.piece import Music, compose
from kelly.sources.readers.midi import Notes
from kelly.sources.readers.scores import CHORALES, Piece, read_pieces
from kelly.sources.skipped import Skipped

# Two pieces are one melody where they share this share of the shorter one's runs of so many intervals.
RUN_LENGTH = 8
SHARED_RUNS = 0.3

NOT_TOLD = "loudness, spread, push, swing and beat are 0: a score does not tell how it was played"
TEMPO = f"{tonality.MEAN_BPM:.1f} beats a minute, which say nothing of arousal: a score does not tell them"


def melody(
    collections: Sequence[str],
    num_frames: int,
    max_pieces: int | None,
    max_skipped_share: float,
    num_workers: int | None = None,
) -> Dataset:
    """Make MelodyTransformer's data of whole scores; see `kelly.sources.examples.melody`.

    num_workers: processes; None: as joblib is set. Raises KellyError as `read_pieces` does.
    """
    pieces, skipped = read_pieces(collections, max_pieces, max_skipped_share, num_workers)
    return _dataset(pieces, skipped, partial(melody_lesson.examples_of, num_frames=num_frames), num_workers)


def harmony(
    collections: Sequence[str], max_pieces: int | None, max_skipped_share: float, num_workers: int | None = None
) -> Dataset:
    """Make HarmonyPredictor's data of Bach's chorales, their chords derived; see `kelly.sources.examples.harmony`.

    Raises KellyError as `read_pieces` does, and for tunes.
    """
    if tunes := [name for name in collections if name != CHORALES]:
        raise KellyError(f"collections: found {tunes}, but tunes of one voice have no chords; "
                         f"harmony from the corpus needs collections: [{CHORALES}]")  # fmt: skip
    pieces, skipped = read_pieces(collections, max_pieces, max_skipped_share, num_workers)
    dataset = _dataset(pieces, skipped, harmony_lesson.examples_of, num_workers)
    shares = Counter(CHORDS[chord] for chord in dataset.sequences.targets[:, 0])
    dataset.facts["chords"] = "derived from the notes, one a quarter note, repeats collapsed"
    dataset.facts["commonest_chords"] = dict(shares.most_common(12))
    return dataset


def _dataset(
    pieces: list[Piece],
    skipped: list[Skipped],
    examples_of: Callable[[Entry, Music], Examples],
    num_workers: int | None,
) -> Dataset:
    groups = same_melody_groups(pieces)
    work = joblib.Parallel(n_jobs=num_workers, return_as="generator", batch_size=32)(
        joblib.delayed(_rows)(examples_of, piece) for piece in pieces
    )
    parts: dict[str, list[NDArray[Any]]] = defaultdict(list)
    results = tqdm(work, total=len(pieces), desc="pieces", unit="piece", disable=None)
    for group, (mode, rows) in zip(groups, results, strict=True):
        for name, array in rows.items():
            parts[name].append(array)
        parts["groups"].append(np.full(len(rows["inputs"]), group))
        parts["category"].append(np.full(len(rows["inputs"]), mode))
    sequences = Sequences(**{name: np.concatenate(arrays) for name, arrays in parts.items()})
    facts = {
        "files": len(pieces) + len(skipped),
        "pieces": len(pieces),
        "groups": len(set(groups)),
        "pieces_per_collection": dict(Counter(piece.collection for piece in pieces)),
        "sequences": len(sequences),
        "frames": int(
            sequences.inputs.shape[1] * len(sequences) if sequences.mask is None else sequences.mask[..., 0].sum()
        ),
        "units": UNITS | {"tempo": TEMPO, "neutral": NOT_TOLD},
        "skipped": skipped,
    }
    return Dataset(sequences, facts=facts)


def _rows(examples_of: Callable[[Entry, Music], Examples], piece: Piece) -> tuple[str, Examples]:
    entry = Entry(piece.name, Path(piece.name))
    music = music_of(entry, piece)
    return music.key.mode, examples_of(entry, music)


def music_of(entry: Entry, piece: Piece) -> Music:
    """A score as it is heard: at a tempo that says nothing of arousal, and as if it was not played: velocity 0."""
    whole = np.concatenate([piece.melody, piece.others])
    order = np.lexsort((whole[:, 2], whole[:, 0]))
    score, is_melody = whole[order], (np.arange(len(whole)) < len(piece.melody))[order]
    seconds = 60.0 / (tonality.MEAN_BPM * piece.beat)  # a quarter note
    duration = score[:, 1] - score[:, 0]
    nothing = np.zeros(len(score), dtype=np.int64)
    notes = Notes(
        onset_quarters=score[:, 0],
        duration_quarters=duration,
        onset_s=score[:, 0] * seconds,
        duration_s=duration * seconds,
        pitch=score[:, 2].astype(np.int64),
        velocity=nothing,
        is_drum=nothing.astype(np.bool_),
        track=nothing,
        channel=nothing,
    )
    num_bars = len(piece.bars) - 1
    bars_s = piece.bars * seconds
    bars = (piece.bars, bars_s, bars_s, np.full(num_bars, tonality.MEAN_BPM))
    return compose(entry, notes, is_melody, score, bars, np.full((num_bars, 2 * SIXTEENTHS), np.nan))


def same_melody_groups(pieces: Sequence[Piece]) -> list[str]:
    """Name the group of each piece: the first piece with the same melody, in whatever key, rhythm or collection.

    Melodies are the same where at least SHARED_RUNS of the distinct runs of RUN_LENGTH intervals of the shorter one
    occur in the other; the relation is followed through, so a group may join pieces that are alike at two removes.
    """
    runs = [_runs(piece.melody[:, 2]) for piece in pieces]
    owners: dict[bytes, list[int]] = defaultdict(list)
    for index, own in enumerate(runs):
        for run in own:
            owners[run].append(index)
    shared = Counter(pair for who in owners.values() for pair in combinations(who, 2))
    leader = list(range(len(pieces)))

    def find(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    for (first, second), count in shared.items():
        if count >= SHARED_RUNS * min(len(runs[first]), len(runs[second])):
            a, b = sorted((find(first), find(second)))
            leader[b] = a
    return [pieces[find(index)].name for index in range(len(pieces))]


def _runs(pitches: NDArray[np.float64]) -> set[bytes]:
    intervals = np.diff(pitches).astype(np.int8)
    intervals = intervals[intervals != 0]  # repeated notes come and go with the words
    return {intervals[i : i + RUN_LENGTH].tobytes() for i in range(len(intervals) - RUN_LENGTH + 1)}
