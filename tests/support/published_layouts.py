"""Tiny folders in the layouts of published data sets, with their quirks and random pieces."""

import csv
import hashlib
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from support.played import DRUMS
from support.small_pieces import QUARTER, compose

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.manifest import Manifest

COMPOSERS_AND_TITLES = (
    ("Alexander Scriabin", 'Sonata No. 9, Op. 68, "Black Mass"'),
    ("Frédéric Chopin", "Prelude Op. 28 No. 4"),
    ("Claude Debussy", "Preludes Book II: “Feux d'artifice,” L 123, No. 12"),
    ("Leoš Janáček", "In the Mists, I. Andante  "),
    ("Franz Liszt / Camille Saint-Saëns", "Danse Macabre S555/R240"),
)
MAESTRO_SPLITS = ("train", "validation", "test", "train", "train")
GAMES = ("Banjo-Kazooie", "Donkey Kong Country 2 Diddy's Kong Quest", "Ghosts 'n Goblins", "The Sims")


def names(manifest: Manifest) -> list[str]:
    return [entry.name for entry in manifest.entries]


def errors(read: Callable[[Path], object], path: Path) -> list[str]:
    """The errors that are listed when `path` is read, without what was expected."""
    with pytest.raises(KellyError) as caught:
        read(path)
    return [line.split(", expected")[0] for line in str(caught.value).splitlines()[1:]]


def write_table(path: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_maestro(folder: Path, num_pieces: int = 8, num_bars: int = 8) -> Path:
    """Performances in pairs of one work; three works or more fill all splits."""
    rows = []
    for i in range(num_pieces):
        composer, title = COMPOSERS_AND_TITLES[i // 2 % 5]
        title += f" ({i // 10 + 1})" if i >= 10 else ""
        year = 2004 + i % 3
        name = f"{year}/MIDI-Unprocessed_{i:02}_R1_{year}_01-06_ORIG_MID--AUDIO_{i:02}_R1_{year}_Track{i:02}_wav"
        piece = compose(seed=100 + i, num_bars=num_bars, jitter=12)
        piece.write(folder / f"{name}.midi", ("PIANO", "MELODY"))
        split = MAESTRO_SPLITS[i // 2 % 5]
        rows.append((composer, title, split, year, f"{name}.midi", f"{name}.wav", f"{piece.seconds:.9f}"))
    header = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"
    write_table(folder / "maestro-v3.0.0.csv", header, rows)
    (folder / "README").write_text("MAESTRO\n")
    return folder


def write_lakh(folder: Path, seed: int, num_bars: int) -> Path:
    """A file in `folder` with the MD5 sum of its content as its name."""
    path = compose(seed, num_bars, jitter=10).write(folder / "new.mid", ("MELODY", "PIANO", DRUMS))
    return path.rename(folder / f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}.mid")


def write_lakh_full(folder: Path, num_pieces: int = 8, num_bars: int = 8) -> Path:
    """Writes `folder`/lmd_full and returns it."""
    for i in range(num_pieces):
        path = write_lakh(folder / "lmd_full", 200 + i, num_bars)
        (path.parent / path.name[0]).mkdir(exist_ok=True)
        path.rename(path.parent / path.name[0] / path.name)
    return folder / "lmd_full"


def write_lakh_matched(folder: Path, num_pieces: int = 12, num_bars: int = 8) -> Path:
    """Writes `folder`/lmd_matched and returns it: two files a track, and the second file under two tracks."""
    for i in range(num_pieces):
        track = folder / "lmd_matched" / matched_track(i // 2)
        path = write_lakh(track, 300 + i, num_bars)
        if i == 1:
            other = folder / "lmd_matched" / matched_track(1)
            other.mkdir(parents=True)
            shutil.copy(path, other)
    return folder / "lmd_matched"


def matched_track(number: int) -> str:
    letters = f"{'ABC'[number % 3]}{'XYZ'[number // 3 % 3]}A"
    return f"{'/'.join(letters)}/TR{letters}GR128F{number:07}"


def write_pop909(folder: Path, num_pieces: int = 6, num_bars: int = 8) -> Path:
    """The repository: POP909/001 and so on, with annotations that match the notes."""
    for i in range(1, num_pieces + 1):
        song = folder / f"POP909/{i:03}"
        piece = compose(seed=400 + i, num_bars=num_bars, start=30 + i)
        piece.write(song / f"{i:03}.mid", ("MELODY", "BRIDGE", "PIANO"))
        piece.write(song / f"versions/{i:03}-v1.mid", ("MELODY", "PIANO"))
        beats = [f"{piece.at(k * QUARTER)!r} {float(k % 2 == 0)} {float(k % 4 == 0)}" for k in range(4 * num_bars)]
        first = [(k * QUARTER, (k + 1) * QUARTER, "N") for k in range(4)]
        later = [(4 * k * QUARTER, 4 * (k + 1) * QUARTER, piece.chords[k]) for k in range(1, num_bars)]
        chords = [f"{piece.at(onset):.6f}\t{piece.at(end):.6f}\t{label}" for onset, end, label in first + later]
        for sort in ("midi", "audio"):
            (song / f"beat_{sort}.txt").write_text("\n".join(beats))  # published without a line break at the end
            (song / f"chord_{sort}.txt").write_text("".join(f"{line}\n" for line in chords))
        (song / "key_audio.txt").write_text(f"{piece.at(0)!r}\t{piece.seconds!r}\tGb:maj\n")
    (folder / "POP909/index.xlsx").write_bytes(b"PK\x03\x04")
    (folder / "README.md").write_text("# POP909\n")
    return folder


def write_vgmidi(folder: Path, num_pieces: int = 8, num_bars: int = 8) -> Path:
    """One phrase per piece, two of the first; minor where valence is low, slow where arousal is."""
    rows = []
    for i in range(num_pieces):
        number = max(1, i)
        game = GAMES[number % 4]
        valence, arousal = (-1 if i % 2 else 1), (-1 if i // 2 % 2 else 1)
        name = f"labelled/phrases/Other_N64_{game}_Boggys Igloo {number}_{int(i == 1)}.mid"
        piece = compose(500 + i, num_bars, major=valence > 0, bpm=150 if arousal > 0 else 70)
        piece.write(folder / name, ("MELODY", "PIANO"))
        rows.append((8000 + number, "Other", "N64", game, f"Boggys Igloo {number}", name, valence, arousal))
    write_table(folder / "vgmidi_labelled.csv", "id,series,console,game,piece,midi,valence,arousal", rows)
    return folder


def write_midi_folder(folder: Path, num_pieces: int = 8, num_bars: int = 8, labels: bool = True) -> Path:
    """A user's tree: all suffixes, files that macOS leaves, and labels of all pieces but the last."""
    rows = []
    for i in range(num_pieces):
        name = unicodedata.normalize(
            "NFC", f"{('', 'live/', 'Stücke/alt/')[i % 3]}take {i}{('.mid', '.MID', '.midi')[i % 3]}"
        )
        valence, arousal = (-0.5 if i % 2 else 0.75), (-0.25 if i // 2 % 2 else 1)
        piece = compose(600 + i, num_bars, jitter=10, major=valence > 0, bpm=150 if arousal > 0 else 70)
        piece.write(folder / name, ("MELODY", "PIANO", DRUMS))
        rows.append((name, valence, arousal, "first, rough take"))
    for name in (".DS_Store", "._take 0.mid", "live/._take 1.MID", "__MACOSX/._take 0.mid"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\x00\x05\x16\x07")
    if labels:
        write_table(folder / "labels.csv", "file,valence,arousal,comment", rows[:-1])
    return folder


def write_deam_static(folder: Path, song_ids: Sequence[int] = (2, 3, 4, 2001, 2002)) -> Path:
    """The two tables of ratings of whole songs, 1..9; song n has valence 1 + n % 9 and arousal 9 − n % 9."""
    tables = folder / "annotations/annotations averaged per song/song_level"
    kinds = [f"{name}_{kind}" for name in ("valence", "arousal") for kind in ("mean", "std")]
    write_table(
        tables / "static_annotations_averaged_songs_1_2000.csv",
        ", ".join(["song_id", *kinds]),
        [(n, 1 + n % 9, 0.94, 9 - n % 9, 0.63) for n in song_ids if n <= 2000],
    )
    more = ("mean", "std", " max_mean", "max_std", "min_mean", "min_std")
    write_table(
        tables / "static_annotations_averaged_songs_2000_2058.csv",
        ", ".join(["song_id", *(f"{name}_{kind}" for name in ("valence", "arousal") for kind in more)]),
        [(n, 1 + n % 9, 1, 8, 1, 2, 1, 9 - n % 9, 1, 8, 1, 2, 1) for n in song_ids if n > 2000],
    )
    return folder


def dynamic_table(ratings: Mapping[str, Sequence[float | str]]) -> str:
    """A table of ratings twice a second from 15 s on, by song id."""
    width = max(len(cells) for cells in ratings.values())
    header = ["song_id", *(f"sample_{15_000 + 500 * i}ms" for i in range(width))]
    lines = [[song_id, *map(str, cells), *[""] * (width - len(cells))] for song_id, cells in ratings.items()]
    return "".join(",".join(line) + "\n" for line in [header, *lines])


def write_deam_dynamic(folder: Path, arousal: str, valence: str) -> Path:
    """The two tables of dynamic ratings with these contents."""
    tables = folder / "annotations/annotations averaged per song/dynamic (per second annotations)"
    tables.mkdir(parents=True, exist_ok=True)
    (tables / "arousal.csv").write_text(arousal, encoding="utf-8")
    (tables / "valence.csv").write_text(valence, encoding="utf-8")
    return folder
