"""Melodies and chords of the scores that music21 contains, as data for two networks."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.data.dataset import Dataset, Sequences
from kelly.features.vocabulary import CHORDS
from kelly.runtime.errors import KellyError
from kelly.sources.examples import harmony as harmony_examples
from kelly.sources.examples import melody as melody_examples
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music import tonality
from kelly.sources.music.context import CONTEXT_UNITS
from kelly.sources.music.performance import SIXTEENTHS
from kelly.sources.music.piece import Music, build_music
from kelly.sources.readers.midi import Notes
from kelly.sources.readers.scores import CHORALES, Piece, read_pieces
from kelly.sources.skipped import Skipped

# Two pieces have the same melody where they share this part of the shorter one's runs of so many intervals.
RUN_LENGTH = 8
MIN_SHARED_RUNS = 0.3

UNITS = CONTEXT_UNITS | {
    "tempo": f"{tonality.MEAN_BPM:.1f} bpm, neutral in arousal: a score does not contain the tempo",
    "neutral": "loudness, spread, push, swing and beat are 0: a score does not contain how it was played",
}


def melody(
    collections: Sequence[str],
    num_frames: int,
    max_pieces: int | None,
    max_skipped_share: float,
    num_workers: int | None = None,
) -> Dataset:
    """Extract MelodyTransformer's data from scores; see `kelly.sources.examples.melody`.

    num_workers: processes; None: the default of joblib. Raises KellyError as `read_pieces` does.
    """
    pieces, skipped = read_pieces(collections, max_pieces, max_skipped_share, num_workers)
    return _dataset(pieces, skipped, partial(melody_examples.examples_of, num_frames=num_frames), num_workers)


def harmony(
    collections: Sequence[str], max_pieces: int | None, max_skipped_share: float, num_workers: int | None = None
) -> Dataset:
    """Extract HarmonyPredictor's data from Bach's chorales, chords derived; see `kelly.sources.examples.harmony`.

    Raises KellyError as `read_pieces` does, and for tunes.
    """
    if tunes := [name for name in collections if name != CHORALES]:
        raise KellyError(f"set collections: [{CHORALES}] for harmony; found {tunes}, tunes of one voice without chords")
    pieces, skipped = read_pieces(collections, max_pieces, max_skipped_share, num_workers)
    dataset = _dataset(pieces, skipped, harmony_examples.examples_of, num_workers)
    counts = Counter(CHORDS[chord] for chord in dataset.sequences.targets[:, 0])
    dataset.facts["chords"] = "derived from the notes, one per quarter note, repeats collapsed"
    dataset.facts["most_common_chords"] = dict(counts.most_common(12))
    return dataset


def _dataset(
    pieces: list[Piece],
    skipped: list[Skipped],
    examples_of: Callable[[Entry, Music], Examples],
    num_workers: int | None,
) -> Dataset:
    import joblib

    groups = same_melody_groups(pieces)
    work = joblib.Parallel(n_jobs=num_workers, return_as="generator", batch_size=32)(
        joblib.delayed(_extract)(examples_of, piece) for piece in pieces
    )
    parts: dict[str, list[NDArray[Any]]] = defaultdict(list)
    results = tqdm(work, total=len(pieces), desc="pieces", unit="piece", disable=None)
    for group, (mode, examples) in zip(groups, results, strict=True):
        for name, array in examples.items():
            parts[name].append(array)
        parts["groups"].append(np.full(len(examples["inputs"]), group))
        parts["category"].append(np.full(len(examples["inputs"]), mode))
    sequences = Sequences(**{name: np.concatenate(arrays) for name, arrays in parts.items()})
    mask = np.ones(sequences.inputs.shape[:2]) if sequences.mask is None else sequences.mask[..., 0]
    facts = {
        "files": len(pieces) + len(skipped),
        "pieces": len(pieces),
        "groups": len(set(groups)),
        "pieces_per_collection": dict(Counter(piece.collection for piece in pieces)),
        "sequences": len(sequences),
        "frames": int(mask.sum()),
        "units": UNITS,
        "skipped": skipped,
    }
    return Dataset(sequences, facts=facts)


def _extract(examples_of: Callable[[Entry, Music], Examples], piece: Piece) -> tuple[str, Examples]:
    entry = Entry(piece.name, Path(piece.name))
    music = music_of(entry, piece)
    return music.key.mode, examples_of(entry, music)


def music_of(entry: Entry, piece: Piece) -> Music:
    """A score as music at a tempo that is neutral in arousal, and as if it was not played: velocity 0."""
    notes = np.concatenate([piece.melody, piece.others])
    order = np.lexsort((notes[:, 2], notes[:, 0]))
    score, is_melody = notes[order], (np.arange(len(notes)) < len(piece.melody))[order]
    quarter_s = 60.0 / (tonality.MEAN_BPM * piece.beat)
    onset, end, pitch = score.T
    zeros = np.zeros(len(score), dtype=np.int64)
    played = Notes(
        onset_quarters=onset,
        duration_quarters=end - onset,
        onset_s=onset * quarter_s,
        duration_s=(end - onset) * quarter_s,
        pitch=pitch.astype(np.int64),
        velocity=zeros,
        is_drum=zeros.astype(np.bool_),
        track=zeros,
        channel=zeros,
    )
    num_bars, bars_s = len(piece.bars) - 1, piece.bars * quarter_s
    bars = (piece.bars, bars_s, bars_s, np.full(num_bars, tonality.MEAN_BPM))
    return build_music(entry, played, is_melody, score, bars, np.full((num_bars, 2 * SIXTEENTHS), np.nan))


def same_melody_groups(pieces: Sequence[Piece]) -> list[str]:
    """Name the group of each piece: the first piece with the same melody, in any key, rhythm or collection.

    Melodies are the same where at least MIN_SHARED_RUNS of the distinct runs of RUN_LENGTH intervals of the shorter
    one occur in the other. The relation is transitive, so a group may join pieces that are alike only through a third.
    """
    from scipy.cluster.hierarchy import DisjointSet

    runs = [_runs(piece.melody[:, 2]) for piece in pieces]
    pieces_with: dict[bytes, list[int]] = defaultdict(list)
    for index, piece_runs in enumerate(runs):
        for run in piece_runs:
            pieces_with[run].append(index)
    num_shared = Counter(pair for indices in pieces_with.values() for pair in combinations(indices, 2))
    groups = DisjointSet(range(len(pieces)))
    for (first, second), count in num_shared.items():
        if count >= MIN_SHARED_RUNS * min(len(runs[first]), len(runs[second])):
            groups.merge(first, second)
    return [pieces[min(groups.subset(index))].name for index in range(len(pieces))]


def _runs(pitches: NDArray[np.float64]) -> set[bytes]:
    intervals = np.diff(pitches).astype(np.int8)
    intervals = intervals[intervals != 0]  # repeated notes vary with the words
    return {intervals[i : i + RUN_LENGTH].tobytes() for i in range(len(intervals) - RUN_LENGTH + 1)}
