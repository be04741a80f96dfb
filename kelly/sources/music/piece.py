"""One piece bar by bar: the common representation of MIDI files and scores, transposed so that the tonic is C."""

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music import tonality
from kelly.sources.music.metre import QUARTERS_PER_BAR, bar_lines, early_edges, on_beats
from kelly.sources.music.performance import SIXTEENTHS, chord_starts, groove_of
from kelly.sources.readers.midi import Midi, Notes
from kelly.sources.skipped import NotApplicableError

MEDIAN_PITCH = 67  # melodies are shifted by octaves until their median lies within 6 semitones of this
NUM_PITCHES = 128
GRID = 4  # positions per quarter to which played notes are quantized
MIN_NOTES = 8  # of a melody
MAX_NOTES = 200_000  # twice that of the longest symphonies
# A note sounds in a bar if a 32nd or half of it does: played notes reach a little over the bar line.
MIN_OVERLAP = 0.125

MELODY_NAMES = re.compile(r"\b(melod|vocal|voice|lead|sing(er|ing)?\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Music:
    """A piece.

    notes: its pitched notes in order of onset, transposed; velocity 0 where unknown
    is_melody: bool[num_notes]
    score: float64[num_notes, 3], onset and end in quarters, quantized where the notes were played, and MIDI pitch
    bars, bars_s: float64[num_bars + 1], bar lines, including the end, in quarters and seconds
    window_edges_s: float64[num_bars + 1], of the windows in which the notes of a bar begin, in seconds: a little before
        the bar lines, so that a note played early does not leak into the context of its bar
    bpm: float64[num_bars], beats per minute
    groove: float64[num_bars, 32] of `groove_of`, from all notes including drums, NaN where undefined
    key: before transposition
    """

    notes: Notes
    is_melody: NDArray[np.bool_]
    score: NDArray[np.float64]
    bars: NDArray[np.float64]
    bars_s: NDArray[np.float64]
    window_edges_s: NDArray[np.float64]
    bpm: NDArray[np.float64]
    groove: NDArray[np.float64]
    key: tonality.Key

    @property
    def num_bars(self) -> int:
        """Number of bars, or of windows."""
        return len(self.bars) - 1


def read_music(entry: Entry, midi: Midi, window_s: float | None = None) -> Music:
    """Convert a MIDI file to a piece; its bars are those of the file, or of the entry's annotated beats.

    window_s: for music without bars, divide it from its first note on into windows of this length. Quarters then are
    seconds; tempo and groove are NaN.
    Raises NotApplicableError if the piece has too few pitched notes, no key or fewer than two bars; KellyError if it is
    too long, or as `read_beats`.
    """
    played = midi.notes
    if window_s is not None:
        played = replace(played, onset_quarters=played.onset_s, duration_quarters=played.duration_s)
        end_s = float((played.onset_s + played.duration_s).max())
        bars = bars_s = edges_s = np.arange(played.onset_s[0], end_s + window_s, window_s)
        bpm, is_4_4 = np.full(len(bars) - 1, np.nan), np.zeros(len(bars) - 1, dtype=np.bool_)
    elif entry.beats is not None:
        played, bars, bars_s, is_4_4 = on_beats(entry.beats, played)
        bpm = 60.0 * np.diff(bars) / np.diff(bars_s)
        edges_s = early_edges(bars, bars_s)
    else:
        bars, is_4_4 = bar_lines(midi)
        bars_s, bpm = midi.seconds(bars), midi.bpm(bars[:-1])
        edges_s = early_edges(bars, bars_s)
    notes = played.take(~played.is_drum & (played.duration_quarters > 0))
    if len(notes) > MAX_NOTES:
        raise KellyError(f"{entry.path}: {len(notes)} pitched notes, expected at most {MAX_NOTES}; leave the file out")
    if len(notes) < MIN_NOTES:
        raise NotApplicableError(f"{entry.path}: {len(notes)} pitched notes, expected at least {MIN_NOTES}")
    onset = np.round(notes.onset_quarters * GRID) / GRID
    length = np.maximum(np.round(notes.duration_quarters * GRID), 1.0) / GRID
    score = np.stack([onset, onset + length, notes.pitch], axis=1)
    groove = _groove(played, bars, is_4_4)
    return build_music(entry, notes, melody_of(notes, midi.track_names), score, (bars, bars_s, edges_s, bpm), groove)


def _groove(notes: Notes, bars: NDArray[np.float64], is_4_4: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`groove_of` each 4/4 bar, NaN for the others; a hit belongs to its nearest sixteenth."""
    groove = np.full((len(is_4_4), 2 * SIXTEENTHS), np.nan)
    order = np.argsort(notes.onset_quarters, kind="stable")
    sixteenths = notes.onset_quarters[order] * (SIXTEENTHS / QUARTERS_PER_BAR)
    starts = bars * (SIXTEENTHS / QUARTERS_PER_BAR)
    begins = np.searchsorted(sixteenths, starts - 0.5)
    for bar in np.flatnonzero(is_4_4 & (np.diff(begins) > 0)):
        hits = slice(begins[bar], begins[bar + 1])
        within = np.minimum(sixteenths[hits] - starts[bar], SIXTEENTHS - 0.5 - 1e-9)
        groove[bar] = groove_of(within, notes.velocity[order[hits]])
    return groove


def build_music(
    entry: Entry,
    notes: Notes,
    is_melody: NDArray[np.bool_],
    score: NDArray[np.float64],
    bars: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    groove: NDArray[np.float64],
) -> Music:
    """Build a piece: find its key, transpose its tonic to C and its melody's median near MEDIAN_PITCH.

    bars: bars, bars_s, window_edges_s and bpm of Music. Bars before the first note and after the last are removed.
    Raises NotApplicableError if the piece has no key or fewer than two bars.
    """
    try:
        key = tonality.find_key(tonality.pitch_class_histogram(notes.pitch, notes.duration_s))
    except KellyError:
        raise NotApplicableError(f"{entry.path}: no key, as all pitch classes are equally frequent") from None
    octaves = round((MEDIAN_PITCH - (float(np.median(notes.pitch[is_melody])) - key.tonic)) / 12)
    shift = 12 * octaves - key.tonic
    lines, lines_s, window_edges_s, bpm = bars
    first = max(0, int(np.searchsorted(lines, score[:, 0].min(), side="right")) - 1)
    last = min(len(lines) - 1, int(np.searchsorted(lines, score[:, 1].max() - MIN_OVERLAP)))
    if last - first < 2:
        raise NotApplicableError(f"{entry.path}: {max(0, last - first)} bar(s), expected at least 2")
    lines, lines_s, window_edges_s = (edges[first : last + 1] for edges in (lines, lines_s, window_edges_s))
    score = score + np.array([0.0, 0.0, shift])
    notes = replace(notes, pitch=notes.pitch + shift)
    return Music(notes, is_melody, score, lines, lines_s, window_edges_s, bpm[first:last], groove[first:last], key)


def melody_of(notes: Notes, track_names: Sequence[str]) -> NDArray[np.bool_]:
    """Mark the melody: the skyline of the track named as melody, or else of all tracks.

    The skyline of Uitdenbogerd & Zobel, "Melodic matching techniques for large music databases", ACM Multimedia 1999.
    notes: pitched, in order of onset. Returns bool[num_notes].
    """
    named = (track for track, name in enumerate(track_names) if MELODY_NAMES.search(name))
    rows = max((np.flatnonzero(notes.track == track) for track in named), key=len, default=np.arange(0))
    if len(rows) < MIN_NOTES:
        rows = np.arange(len(notes))
    return np.isin(np.arange(len(notes)), rows[skyline(notes.take(rows))])


def skyline(notes: Notes) -> NDArray[np.intp]:
    """Rows of the notes at whose onset no higher note sounds; of equal pitches in a chord, only the longest."""
    pitch, onset_s, end_s = notes.pitch.tolist(), notes.onset_s.tolist(), (notes.onset_s + notes.duration_s).tolist()
    starts = np.append(np.flatnonzero(chord_starts(notes.onset_s)), len(notes)).tolist()
    sounding: list[tuple[int, float]] = []  # negative pitch and end, the highest first
    top_notes = []
    for start, stop in pairwise(starts):
        # A note that ends within a fifth of a sixteenth at 120 bpm only overlaps because of how it is played.
        now = onset_s[stop - 1] + 0.025
        top = max(range(start, stop), key=lambda i: (pitch[i], end_s[i]))
        while sounding and sounding[0][1] <= now:
            heapq.heappop(sounding)
        if not sounding or -sounding[0][0] <= pitch[top]:
            top_notes.append(top)
        for i in range(start, stop):
            heapq.heappush(sounding, (-pitch[i], end_s[i]))
    return np.array(top_notes, dtype=np.intp)


def sounding_pitches(music: Music) -> NDArray[np.float32]:
    """Melody pitches 0..127 that sound in each bar: float32[num_bars, 128] of 0 and 1."""
    targets = np.zeros((music.num_bars, NUM_PITCHES), dtype=np.float32)
    melody = music.score[music.is_melody]
    melody = melody[np.argsort(melody[:, 0], kind="stable")]
    enough = np.minimum(MIN_OVERLAP, (melody[:, 1] - melody[:, 0]) / 2) - 1e-6
    latest_end = np.maximum.accumulate(melody[:, 1])
    first, last = np.searchsorted(latest_end, music.bars[:-1]), np.searchsorted(melody[:, 0], music.bars[1:])
    for bar, (start, end) in enumerate(pairwise(music.bars)):
        near = slice(first[bar], last[bar])  # all that may sound
        overlap = np.minimum(melody[near, 1], end) - np.maximum(melody[near, 0], start)
        pitches = melody[near][overlap >= enough[near], 2].astype(np.intp)
        targets[bar, pitches[(pitches >= 0) & (pitches < NUM_PITCHES)]] = 1.0
    return targets
