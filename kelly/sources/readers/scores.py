"""Reads the scores included in music21: Bach's four-part chorales and three collections of traditional tunes."""

import quopri
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.sources.readers import abc, musicxml
from kelly.sources.readers.notation import Voice, beat
from kelly.sources.skipped import Skipped, check_skipped

# Other folders of music21's corpus have licences of their own (essenFolksong, palestrina, leadSheet …).
CHORALES = "bach"
COLLECTIONS = (CHORALES, "ryansMammoth", "oneills1850", "airdsAirs")
# Located without importing music21, which takes longer than reading a collection.
FOLDER = Path(str(distribution("music21").locate_file("music21/corpus")))


@dataclass(frozen=True)
class Piece:
    """One score, repeats not expanded. Times are in quarter notes from its start.

    melody: float64[n, 3], onset, end and MIDI pitch of the tune or soprano, by onset, ties joined, no grace notes
    others: float64[m, 3], the same of the other voices
    bars: float64[num_bars + 1], bar lines, including the end
    beat: quarter notes per beat of the first time signature (1.5 in 6/8, 2 in alla breve)
    """

    name: str
    collection: str
    melody: NDArray[np.float64]
    others: NDArray[np.float64]
    bars: NDArray[np.float64]
    beat: float


def read_pieces(
    collections: Sequence[str], max_pieces: int | None, max_skipped_share: float, num_workers: int | None = None
) -> tuple[list[Piece], list[Skipped]]:
    """Read `collections` (of COLLECTIONS), at most the first `max_pieces` scores of each.

    num_workers: processes; None: joblib's default.
    Returns the pieces in the order of collections, file names and numbers, and the skipped files with reasons. Raises
    KellyError for any other collection, or if more than `max_skipped_share` (0..1) of the scores cannot be read.
    """
    import joblib

    if not collections or not set(collections) <= set(COLLECTIONS):
        raise KellyError(f"collections: found {list(collections)}, expected some of {list(COLLECTIONS)}, the ones with "
                         "a free licence; correct `collections`")  # fmt: skip
    jobs = [job for name in dict.fromkeys(collections) for job in _jobs(name, max_pieces)]
    results = joblib.Parallel(n_jobs=num_workers, return_as="generator", batch_size=16)(
        joblib.delayed(_attempt)(*job) for job in jobs
    )
    outcomes = list(tqdm(results, total=len(jobs), desc="scores", unit="score", disable=None))
    pieces = [outcome for outcome in outcomes if isinstance(outcome, Piece)]
    skipped = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    check_skipped("music21's scores", skipped, len(jobs), max_skipped_share)
    return pieces, skipped


def _jobs(collection: str, max_pieces: int | None) -> list[tuple[Callable[..., Piece], str, str, str]]:
    """Every score of a collection as (reader, name, collection, path or text)."""
    if collection == CHORALES:
        # The .krn files repeat three of the .mxl, and choraleAnalyses holds no scores.
        paths = sorted(path for path in (FOLDER / CHORALES).iterdir() if path.suffix in (".mxl", ".xml"))
        return [(read_chorale, f"{CHORALES}/{path.name}", collection, str(path)) for path in paths][:max_pieces]
    tunes = []
    for path in sorted((FOLDER / collection).glob("*.abc")):
        data = path.read_bytes()
        # Two files have an e-mail encoding, which writes the natural sign as =3D.
        text = (quopri.decodestring(data) if b"=3D" in data else data).decode("utf-8", errors="replace")
        for tune in re.split(r"^(?=X:)", text, flags=re.MULTILINE)[1:]:  # each tune begins with its number
            number = tune.partition("\n")[0][2:].strip()
            tunes.append((read_tune, f"{collection}/{path.name}#{number}", collection, tune))
    return tunes[:max_pieces]


def _attempt(reader: Callable[..., Piece], name: str, collection: str, source: str) -> Piece | dict[str, str]:
    try:
        return reader(name, collection, source)
    except Exception as error:  # a broken score may raise any error of XML, archives or numbers
        raise_system_error(error, name)
        return {"file": name, "reason": str(error) or type(error).__name__}


def read_chorale(name: str, collection: str, path: str) -> Piece:
    """Read one chorale. Raises KellyError if it does not have four voices."""
    (melody, *others), bars, metre = musicxml.read(Path(path))
    return _piece(name, collection, melody, [note for voice in others for note in voice], bars, beat(*metre))


def read_tune(name: str, collection: str, text: str) -> Piece:
    """Read one tune. Raises KellyError if it has several voices or is too short."""
    tune = abc.read(text)
    return _piece(name, collection, tune.notes, [], tune.bars, beat(*tune.metre))


def _piece(name: str, collection: str, melody: Voice, others: Voice, bars: Iterable[float], beat: float) -> Piece:
    edges = _join_split_bars(list(bars))
    if len(edges) < 3 or len(melody) < 8:
        raise KellyError(f"{len(edges) - 1} bars and {len(melody)} notes, expected at least 2 and 8")
    tune, rest = (np.array(sorted(notes), dtype=np.float64).reshape(-1, 3) for notes in (melody, others))
    return Piece(name, collection, tune, rest, np.array(edges), beat)


def _join_split_bars(edges: list[float]) -> list[float]:
    """Join the two parts of a bar that a repeat sign splits: both are shorter than most bars, their sum is not."""
    usual = Counter(round(end - start, 3) for start, end in pairwise(edges)).most_common(1)[0][0]
    joined = edges[:1]
    for edge, following in pairwise([*edges[1:], np.inf]):
        if edge - joined[-1] < usual - 1e-3 and abs(following - joined[-1] - usual) < 2e-3:
            continue
        joined.append(edge)
    return joined
