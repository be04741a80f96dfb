"""Which pieces hold the same notes, though their files differ: such pieces must not stand on two sides of a split.

A piece is the set of its runs of eight notes, voice by voice: intervals, whatever its key, tempo and instruments are;
of drums, which sound alike in many pieces, drum and velocity. How much of their runs two pieces share is estimated from
their signatures (MinHash; Broder, "On the resemblance and containment of documents", 1997). Sound is the same piece
where every sample is.
"""

import hashlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
from datasketch import LeanMinHash, MinHash, MinHashLSH
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from kelly.sources.readers.midi import Notes

NUM_HASHES = 64
SEED = 1
SCHEME = "affine32"
RUN_LENGTH = 8
MAX_RUNS = 20_000  # of a piece; the first tell enough of a longer one
SAME = 0.5  # pieces that share half of their runs are one work


def signature(notes: Notes) -> NDArray[np.uint32] | None:
    """The signature uint32[NUM_HASHES] of the notes of a piece; None where there are too few for a run."""
    is_pitched = ~notes.is_drum
    runs: dict[bytes, None] = {}
    if is_pitched.sum() > RUN_LENGTH:
        voice = 16 * notes.track + notes.channel  # one track may hold all voices of a piece, each on its channel
        for own in np.unique(voice[is_pitched]):
            rows = is_pitched & (voice == own)
            # Written on sixteenths, so that the notes of a chord come in one order however they are played.
            order = np.lexsort((notes.pitch[rows], np.round(notes.onset_quarters[rows] * 4)))
            runs |= _runs(np.diff(notes.pitch[rows][order])[:, None])
    if not runs and len(notes):
        runs = _runs(np.stack([notes.pitch, notes.velocity], axis=1))
    if not runs:
        return None
    hashed = MinHash(NUM_HASHES, SEED, scheme=SCHEME)
    hashed.update_batch(list(islice(runs, MAX_RUNS)))
    return np.asarray(hashed.hashvalues, dtype=np.uint32)


def sound_signature(samples: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The signature uint32[NUM_HASHES] of a sound: that of the same samples, and of no others."""
    return np.frombuffer(hashlib.shake_256(samples.tobytes()).digest(4 * NUM_HASHES), dtype=np.uint32)


def _runs(steps: NDArray[np.int64]) -> dict[bytes, None]:
    """Runs of RUN_LENGTH rows of steps[n, k], as bytes, each once, in order."""
    flat, width = steps.astype(np.int16).tobytes(), 2 * steps.shape[1]
    return dict.fromkeys(flat[i * width : (i + RUN_LENGTH) * width] for i in range(len(steps) - RUN_LENGTH + 1))


def same_works(signatures: Sequence[NDArray[np.uint32] | None], known: Sequence[str]) -> NDArray[np.intp]:
    """The number of the work that each piece is, intp[num_pieces], 0, 1, … in the order of their first pieces.

    Pieces are one work where they share SAME of their runs or are `known` to be: those of one name that is not empty.
    The relation is followed through, so a work may join pieces that are alike at two removes.
    """
    works = DisjointSet(range(len(signatures)))
    first_of: dict[str, int] = {}
    first_with: dict[bytes, int] = {}
    index = MinHashLSH(threshold=SAME, num_perm=NUM_HASHES)
    for i, (own, name) in enumerate(zip(signatures, known, strict=True)):
        if name:
            works.merge(first_of.setdefault(name, i), i)
        if own is None:
            continue
        same = first_with.setdefault(own.tobytes(), i)
        if same != i:
            works.merge(same, i)
            continue
        hashed = LeanMinHash(seed=SEED, hashvalues=own, scheme=SCHEME)
        for j in index.query(hashed):  # of a thousand that are alike one comparison is enough
            if not works.connected(i, j) and np.mean(signatures[j] == own) >= SAME:
                works.merge(i, j)
        index.insert(i, hashed, check_duplication=False)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(works[i], len(numbers)) for i in range(len(signatures))], dtype=np.intp)
