"""Fuzz targets: for any bytes a reader must return the correct result, or raise an error that names the file.

Each target takes the bytes of a file and returns whether the reader accepted it; anything else raises. The oracles that
define the correct result are independent of the readers.
"""

import atexit
import shutil
import tempfile
import warnings
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from support import played
from support.fuzz_oracles import Note, bars, performances, rtneural
from support.smf import parse

from kelly.rtneural import reader as rtneural_reader
from kelly.runtime.errors import KellyError
from kelly.sources.examples import dynamics
from kelly.sources.extraction.file_examples import ExtractExamples
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.groove import COLUMNS, read_info
from kelly.sources.layouts.manifest import SPLITS, Entry
from kelly.sources.music.drums import Bars, bars_of
from kelly.sources.readers.midi import Midi, read_midi

Result = TypeVar("Result")

FOLDER = Path(tempfile.mkdtemp(prefix="kelly-fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
EXTRACT: dict[str, ExtractExamples] = played.EXTRACT | {
    "dynamics in seconds": partial(dynamics.extract_examples, window_s=1.5),
    "dynamics of drums": partial(dynamics.extract_examples, window_s=None, part="drums"),
}
LONGEST_MESSAGE = 4_000  # characters: a user reads them


def read(data: bytes, path: Path, reader: Callable[[Path], Result]) -> Result | None:
    """Result of `reader` for `data` at `path`; None if it raises KellyError with a message that names the file."""
    path.write_bytes(data)
    with warnings.catch_warnings(action="error"):
        try:
            return reader(path)
        except KellyError as error:
            message = str(error)
    assert str(path) in message, f"the message does not name the file: {message}"
    assert len(message) <= LONGEST_MESSAGE, f"a message of {len(message)} characters"
    return None


def midi(data: bytes) -> bool:
    """A MIDI file: its contents are those of the strict parser, and the examples from it are in range.

    An invalid file may be accepted if two libraries read it alike (mostly running status after a meta event); its
    contents must then be consistent.
    """
    path = FOLDER / "input.mid"
    midi_file = read(data, path, read_midi)
    if midi_file is None:
        return False
    notes, ticks = midi_file.notes, midi_file.ticks_per_quarter
    all_drums = replace(midi_file, notes=replace(notes, is_drum=np.ones(len(notes), dtype=np.bool_)))
    measured = read(data, path, lambda path: bars_of(Entry(path.name, path), all_drums))
    for name, extract in EXTRACT.items():
        examples = read(data, path, partial(_extract, extract, midi_file))
        if examples is not None:
            _check_examples(name, examples)
    onset, duration = (np.rint(q * ticks).astype(int) for q in (notes.onset_quarters, notes.duration_quarters))
    assert (onset / ticks == notes.onset_quarters).all(), "an onset between two ticks"
    assert (duration / ticks == notes.duration_quarters).all(), "a duration between two ticks"
    columns = (onset, duration, notes.pitch, notes.velocity, notes.is_drum, notes.track)
    listed = list(zip(*(column.tolist() for column in columns), strict=True))
    assert listed == sorted(listed, key=lambda note: (note[0], note[2])), "not in order"
    assert all(o >= 0 and d >= 0 and 0 <= p < 128 and 0 < v < 128 for o, d, p, v, *_ in listed), "out of range"
    _check_seconds(midi_file, listed)
    try:
        events = parse(data)
    except KellyError:
        return True
    expected = [(*note, channel == 9, track) for *note, channel, track in events.notes]
    assert sorted(listed) == sorted(expected), "other notes"
    assert list(midi_file.track_names) == events.track_names, "other track names"
    for table, default, listing in (
        (midi_file.tempi, (0, 500_000), events.tempi),
        (midi_file.time_signatures, (0, 4, 4), events.time_signatures),
    ):
        ordered: list[Any] = sorted(listing, key=lambda event: event[0])
        ordered = ordered if ordered and ordered[0][0] == 0 else [default, *ordered]
        assert [tuple(row) for row in table.tolist()] == ordered, "other tempi or time signatures"
    in_four = all(metre == [4, 4] and tick % (4 * ticks) == 0 for tick, *metre in events.time_signatures)
    assert (measured is not None) == in_four, "4/4 throughout, or rejected"
    if measured is not None:
        _check_bars(measured, listed, ticks)
    return True


def _extract(extract: ExtractExamples, midi_file: Midi, path: Path) -> Examples:
    return extract(Entry(path.name, path), midi_file)[0]


def _check_examples(name: str, rows: Examples) -> None:
    inputs, targets, mask = rows["inputs"], rows["targets"], rows.get("mask")
    assert len({len(array) for array in rows.values()}) == 1, f"{name}: arrays of different lengths"
    assert np.isfinite(inputs).all(), f"{name}: inputs that are not finite"
    assert np.abs(inputs).max(initial=0.0) <= 1.0, f"{name}: inputs out of range"
    valid = targets if mask is None else targets[mask]
    low, high = (0, 63) if name == "harmony" else (-1.0 if name.startswith("groove") else 0.0, 1.0)
    assert ((low <= valid) & (valid <= high)).all(), f"{name}: targets out of range"
    assert mask is None or not targets[~mask].any(), f"{name}: masked targets are not zero"


def _check_seconds(midi_file: Midi, listed: list[Note]) -> None:
    ticks, tempi = midi_file.ticks_per_quarter, midi_file.tempi.tolist()
    starts_us = [Fraction(0)]
    for (tick, tempo), (following, _) in pairwise(tempi):
        starts_us.append(starts_us[-1] + Fraction((following - tick) * tempo, ticks))

    def seconds(tick: int) -> float:
        i = bisect_right(tempi, tick, key=lambda tempo: tempo[0]) - 1
        return float((starts_us[i] + Fraction((tick - tempi[i][0]) * tempi[i][1], ticks)) / 1_000_000)

    notes = midi_file.notes
    assert np.allclose(notes.onset_s, [seconds(o) for o, *_ in listed], rtol=1e-12, atol=1e-9), "onsets in seconds"
    ends_s = [seconds(o + d) for o, d, *_ in listed]
    assert np.allclose(notes.onset_s + notes.duration_s, ends_s, rtol=1e-12, atol=1e-9), "durations in seconds"
    assert (notes.duration_s >= 0).all(), "a negative duration"
    assert (np.diff(notes.onset_s) >= 0).all(), "onsets in seconds do not rise"


def _check_bars(measured: Bars, notes: list[Note], ticks_per_quarter: int) -> None:
    expected = bars(notes, ticks_per_quarter)
    first, last = min(expected), max(expected)
    assert measured.hits.tolist() == [len(expected.get(bar, [])) for bar in range(first, last + 1)], "hits of a bar"
    for values, low in ((measured.coordinates, -1), (measured.groove, -1), (measured.dynamics, 0)):
        known = values[~np.isnan(values)]
        assert ((low <= known) & (known <= 1)).all(), "out of range"
    for bar, hits in expected.items():
        velocity = sum(v for _, _, v in hits) / len(hits)
        assert np.isclose(measured.dynamics[bar - first, 0], velocity / 127), "mean velocity"
        for position in range(16):
            here = [(offset, v) for at, offset, v in hits if at == position]
            offset, accent = measured.groove[bar - first, [position, 16 + position]]
            assert np.isnan([offset, accent]).all() == (not here), "silence"
            if here:
                assert np.isclose(offset, float(sum(o for o, _ in here) / len(here)), atol=1e-6), "timing"
                level = sum(v for _, v in here) / len(here)
                assert np.isclose(accent, min(level / velocity - 1, 1)), "accent"


def table(data: bytes) -> bool:
    """An info.csv: accepted if and only if the oracle accepts it, with the same rows."""
    listed = read(data, FOLDER / "info.csv", lambda path: read_info(path.parent))
    expected = performances(data, COLUMNS, SPLITS)
    assert (listed is None) == (expected is None), f"expected {'an error' if expected is None else 'rows'}"
    if listed is None or expected is None:
        return False
    assert [tuple(performance) for performance in listed] == expected, "other rows"
    assert all((FOLDER / p.midi_filename).resolve().is_relative_to(FOLDER.resolve()) for p in listed), "outside"
    return True


def export(data: bytes) -> bool:
    """An export: accepted only if RTNeural reads the same numbers from it, and with finite outputs."""
    model = read(data, FOLDER / "input.json", rtneural_reader.read)
    if model is None:
        return False
    layers = rtneural(data)
    read_layers: list[tuple[str, list[Any]]] = []
    for layer in model.layers:
        if isinstance(layer, rtneural_reader.Dense):
            read_layers += [("dense", [layer.weight, layer.bias])] if layer.weight is not None else []
            read_layers += [(layer.activation, [])] if layer.activation else []
        else:
            read_layers.append((layer.kind, [layer.kernel, layer.recurrent, layer.bias]))
    assert [kind for kind, _ in read_layers] == [kind for kind, _ in layers], "other layers than RTNeural's"
    for (_, ours), (_, theirs) in zip(read_layers, layers, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)), "other numbers than RTNeural's"
    inputs = np.random.default_rng(0).uniform(-1, 1, (2, 3, model.num_inputs))
    outputs = model.run(inputs)
    assert outputs.shape == (2, 3, model.num_outputs), "the shape of the outputs"
    assert np.isfinite(outputs).all(), "outputs that are not finite"
    with np.errstate(over="raise"):
        outputs.astype(np.float32)  # they must be valid float32
    return True


TARGETS = {"midi": midi, "csv": table, "json": export}
