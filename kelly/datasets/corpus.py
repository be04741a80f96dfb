"""Real music by pip: melodies and chords of the scores that music21 carries, as data for two networks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.datasets import tonality
from kelly.datasets.chords import CHORDS, derive_chords, harmony_context
from kelly.datasets.scores import CHORALES, Piece, read_pieces
from kelly.datasets.sequences import Dataset, Sequences
from kelly.datasets.skipped import Skipped
from kelly.emotion import COORDINATES, NUM_COORDINATES, embed
from kelly.errors import KellyError
from kelly.heard import DECAY, heard_before

NUM_PITCHES = 128
MEDIAN_PITCH = 67  # melodies are shifted by octaves until their median lies within 6 semitones of this

# Two pieces are one melody where they share this share of the shorter one's runs of so many intervals.
RUN_LENGTH = 8
SHARED_RUNS = 0.3

UNITS = {
    "frame": "bar",
    "valence": "estimated from all that was heard so far in the piece, −1..1",
    "arousal": f"estimated from notes at {tonality.MEAN_BPM:.1f} beats a minute, decayed {DECAY} a bar, −1..1",
    "register": f"(mean melody pitch − {MEDIAN_PITCH}) / 12, decayed {DECAY} a bar",
    "articulation": f"log2(median(duration / gap to the next onset)) / 2 of the melody, decayed {DECAY} a bar",
    "neutral": "loudness, spread, push, swing and beat are 0: a score does not tell how it was played",
}


def melody(
    collections: Sequence[str], num_frames: int, max_pieces: int | None, max_skipped_share: float, num_workers: int = -1
) -> Dataset:
    """Make MelodyTransformer's data: what was heard before a bar, and the melody's pitches that sound in it.

    inputs float32[n, num_frames, 64]: embedding; targets float32[n, num_frames, 128]: 1 where MIDI pitch k sounds in
    the bar, the tonic transposed to C; the last window of a piece is masked past its end. category: mode.
    Raises KellyError as `read_pieces` does.
    """
    pieces, skipped = read_pieces(collections, max_pieces, max_skipped_share, num_workers)
    groups = same_melody_groups(pieces)
    windows: dict[str, list[Any]] = defaultdict(list)
    num_bars = 0
    work = joblib.Parallel(n_jobs=num_workers, return_as="generator", batch_size=32)(
        joblib.delayed(_melody_frames)(piece) for piece in pieces
    )
    frames_of = tqdm(work, total=len(pieces), desc="melodies", unit="piece", disable=None)
    for group, (mode, inputs, targets) in zip(groups, frames_of, strict=True):
        heard = np.concatenate([np.full_like(targets[:1], np.nan), targets[:-1]])
        num_bars += len(targets)
        for start in range(0, len(targets), num_frames):
            frames = slice(start, start + num_frames)
            present = np.ones(targets[frames].shape, dtype=np.bool_)
            missing = ((0, num_frames - len(present)), (0, 0))
            # Past its end a piece stays as it was: a state that goes on from here is one that it could have left.
            windows["inputs"].append(np.pad(inputs[frames], missing, mode="edge"))
            for name, array in (("targets", targets[frames]), ("heard", heard[frames]), ("mask", present)):
                windows[name].append(np.pad(array, missing))
            windows["groups"].append(group)
            windows["category"].append(mode)
    arrays = {name: np.array(rows) for name, rows in windows.items()}
    facts = _facts(pieces, groups, skipped) | {"bars": num_bars, "frames": num_bars, "sequences": len(arrays["groups"])}
    return Dataset(Sequences(**arrays), facts=facts)


def _melody_frames(piece: Piece) -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
    key, transposed = transpose(piece)
    return key.mode, embed(heard_coordinates(transposed)).astype(np.float32), sounding(transposed)


def harmony(
    collections: Sequence[str], max_pieces: int | None, max_skipped_share: float, num_workers: int = -1
) -> Dataset:
    """Make HarmonyPredictor's data: one row a chord change of Bach's chorales, its chords derived from the notes.

    inputs float32[n, 1, 128]: embedding of the bars heard before (64), context of the chords so far (64); targets
    int64[n, 1]: the next chord in CHORDS. category: mode. Raises KellyError as `read_pieces` does, and for tunes.
    """
    if tunes := [name for name in collections if name != CHORALES]:
        raise KellyError(f"collections: found {tunes}, but tunes of one voice have no chords; "
                         f"harmony from the corpus needs collections: [{CHORALES}]")  # fmt: skip
    pieces, skipped = read_pieces(collections, max_pieces, max_skipped_share, num_workers)
    groups = same_melody_groups(pieces)
    rows: dict[str, list[Any]] = defaultdict(list)
    for piece, group in zip(pieces, groups, strict=True):
        key, transposed = transpose(piece)
        embeddings = embed(heard_coordinates(transposed))
        moments, chords = derive_chords(transposed.notes, beat_edges(transposed.bars), tonic=0)
        bars = np.searchsorted(transposed.bars, moments + 1e-6) - 1
        for position, bar in enumerate(bars):
            rows["inputs"].append(np.concatenate([embeddings[bar], harmony_context(chords[:position])])[None])
            rows["targets"].append(chords[position : position + 1])
            rows["groups"].append(group)
            rows["category"].append(key.mode)
    arrays = {name: np.array(values) for name, values in rows.items()}
    arrays["inputs"] = arrays["inputs"].astype(np.float32)
    shares = Counter(CHORDS[chord] for chord in arrays["targets"][:, 0])
    facts = _facts(pieces, groups, skipped) | {
        "chord_changes": len(arrays["groups"]),
        "chords": "derived from the notes, one a quarter note, repeats collapsed",
        "commonest_chords": dict(shares.most_common(12)),
    }
    return Dataset(Sequences(**arrays), facts=facts)


def _facts(pieces: list[Piece], groups: list[str], skipped: list[Skipped]) -> dict[str, Any]:
    return {
        "files": len(pieces) + len(skipped),
        "pieces": len(pieces),
        "groups": len(set(groups)),
        "pieces_per_collection": dict(Counter(piece.collection for piece in pieces)),
        "units": UNITS,
        "skipped": skipped,
    }


def transpose(piece: Piece) -> tuple[tonality.Key, Piece]:
    """Find a piece's key; transpose it so that the tonic is C and the melody's median lies near MEDIAN_PITCH."""
    notes = piece.notes
    seconds = (notes[:, 1] - notes[:, 0]) * _seconds_per_quarter(piece)
    key = tonality.find_key(tonality.pitch_class_histogram(notes[:, 2], seconds))
    octaves = round((MEDIAN_PITCH - (np.median(piece.melody[:, 2]) - key.tonic)) / 12)
    shift = np.array([0.0, 0.0, 12 * octaves - key.tonic])
    return key, Piece(piece.name, piece.collection, piece.melody + shift, piece.others + shift, piece.bars, piece.beat)


def _seconds_per_quarter(piece: Piece) -> float:
    return 60.0 / (tonality.MEAN_BPM * piece.beat)


def _within(notes: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """The parts of notes that sound from start to end: what a listener knows at the end."""
    here = notes[(notes[:, 0] < end - 1e-6) & (notes[:, 1] > start + 1e-6)].copy()
    here[:, :2] = here[:, :2].clip(start, end)
    return here


def sounding(piece: Piece) -> NDArray[np.float32]:
    """Melody pitches 0..127 that sound in each bar: float32[num_bars, 128] of 0 and 1."""
    targets = np.zeros((len(piece.bars) - 1, NUM_PITCHES), dtype=np.float32)
    for bar, (start, end) in enumerate(pairwise(piece.bars)):
        targets[bar, _within(piece.melody, start, end)[:, 2].astype(np.intp)] = 1.0
    return targets


def heard_coordinates(piece: Piece) -> NDArray[np.float64]:
    """The nine coordinates known before each bar of a transposed piece: float64[num_bars, 9], row t from bars < t."""
    measured = np.full((len(piece.bars) - 1, NUM_COORDINATES), np.nan)
    valence = np.zeros(len(measured))
    histogram, onsets, seconds, dissonant, pairs = np.zeros(12), 0, 0.0, 0, 0
    for bar, (start, end) in enumerate(pairwise(piece.bars)):
        # The valence of all that was heard so far: a trait of the piece, so nothing is forgotten.
        if np.ptp(histogram) > 0:
            key = tonality.find_key(histogram)
            share = dissonant / pairs if pairs else np.nan
            valence[bar] = tonality.estimated_valence(key.majorness, key.keyclarity, onsets / seconds, share)
        notes, tune = _within(piece.notes, start, end), _within(piece.melody, start, end)
        times = (notes[:, :2] - start) * _seconds_per_quarter(piece)
        length = (end - start) * _seconds_per_quarter(piece)
        histogram += tonality.pitch_class_histogram(notes[:, 2], times[:, 1] - times[:, 0])
        onsets += len(np.unique((times[:, 0] / 0.05).round()))
        seconds += length
        found = tonality.dissonant_pairs(notes[:, 0], notes[:, 1], notes[:, 2])
        dissonant, pairs = dissonant + found[0], pairs + found[1]
        if len(notes):
            short = float(np.mean(times[:, 1] - times[:, 0] < 0.15))
            measured[bar, COORDINATES.index("arousal")] = tonality.estimated_arousal(
                len(notes) / length, tonality.MEAN_BPM, short
            )
        if len(tune):
            measured[bar, COORDINATES.index("register")] = (tune[:, 2].mean() - MEDIAN_PITCH) / 12
        if len(tune) > 1:
            ratio = np.median((tune[:-1, 1] - tune[:-1, 0]) / np.diff(tune[:, 0]))
            measured[bar, COORDINATES.index("articulation")] = np.log2(ratio) / 2
    heard = heard_before(measured.clip(-1.0, 1.0))
    heard[:, COORDINATES.index("valence")] = valence
    return heard


def beat_edges(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the quarter notes of every bar begin, and the last bar's end; a pickup's first beat may be shorter."""
    beats = [np.maximum(end - np.arange(np.ceil(end - start - 1e-6), 0, -1), start) for start, end in pairwise(bars)]
    return np.concatenate([*beats, bars[-1:]])


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
    shared: Counter[tuple[int, int]] = Counter()
    for who in owners.values():
        shared.update(combinations(who, 2))
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
