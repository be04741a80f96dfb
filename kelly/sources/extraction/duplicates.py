"""Finds pieces with the same notes in different files: they must not be in two splits.

A piece is the set of its runs of eight notes, voice by voice: intervals, regardless of key, tempo and instruments; for
drums, which are alike in many pieces, drum and velocity. The share of runs that two pieces have in common is estimated
from their signatures (MinHash; Broder, "On the resemblance and containment of documents", 1997). Audio is the same
piece where every sample is equal.
"""

import hashlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from kelly.sources.readers.midi import Notes

NUM_HASHES = 64
SEED = 1
SCHEME = "affine32"
RUN_LENGTH = 8
MAX_RUNS = 20_000  # of a piece; the first are enough to identify a longer one
MIN_SIMILARITY = 0.5  # pieces that share half of their runs are one work


def signature(notes: Notes) -> NDArray[np.uint32] | None:
    """The signature uint32[NUM_HASHES] of the notes of a piece; None where there are too few for a run."""
    from datasketch import MinHash  # imports most of scipy

    is_pitched = ~notes.is_drum
    runs: dict[bytes, None] = {}
    if is_pitched.sum() > RUN_LENGTH:
        voices = 16 * notes.track + notes.channel  # one track may contain all voices of a piece, each on its channel
        for voice in np.unique(voices[is_pitched]):
            rows = is_pitched & (voices == voice)
            # Quantized to sixteenths, so that the notes of a chord are in one order however they are played.
            order = np.lexsort((notes.pitch[rows], np.round(notes.onset_quarters[rows] * 4)))
            runs |= _runs(np.diff(notes.pitch[rows][order])[:, None])
    if not runs and len(notes):
        runs = _runs(np.stack([notes.pitch, notes.velocity], axis=1))
    if not runs:
        return None
    minhash = MinHash(NUM_HASHES, SEED, scheme=SCHEME)
    minhash.update_batch(list(islice(runs, MAX_RUNS)))
    return np.asarray(minhash.hashvalues, dtype=np.uint32)


def sound_signature(samples: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The signature uint32[NUM_HASHES] of audio: equal for equal samples only."""
    return np.frombuffer(hashlib.shake_256(samples.tobytes()).digest(4 * NUM_HASHES), dtype=np.uint32)


def _runs(steps: NDArray[np.int64]) -> dict[bytes, None]:
    """The distinct runs of RUN_LENGTH rows of steps[n, k], as bytes, in order."""
    flat, width = steps.astype(np.int16).tobytes(), 2 * steps.shape[1]
    return dict.fromkeys(flat[i * width : (i + RUN_LENGTH) * width] for i in range(len(steps) - RUN_LENGTH + 1))


def same_works(signatures: Sequence[NDArray[np.uint32] | None], groups: Sequence[str]) -> NDArray[np.intp]:
    """Number the works: intp[num_pieces], 0, 1, … in the order of their first pieces.

    Pieces are one work where they share MIN_SIMILARITY of their runs or have the same group, unless it is ''. The
    relation is transitive, so a work may contain pieces that are alike only through a third one.
    """
    from datasketch import LeanMinHash, MinHashLSH
    from scipy.cluster.hierarchy import DisjointSet

    works = DisjointSet(range(len(signatures)))
    first_of_group: dict[str, int] = {}
    first_with_signature: dict[bytes, int] = {}
    index = MinHashLSH(threshold=MIN_SIMILARITY, num_perm=NUM_HASHES)
    for i, (hashes, group) in enumerate(zip(signatures, groups, strict=True)):
        if group:
            works.merge(first_of_group.setdefault(group, i), i)
        if hashes is None:
            continue
        first = first_with_signature.setdefault(hashes.tobytes(), i)
        if first != i:
            works.merge(first, i)
            continue
        minhash = LeanMinHash(seed=SEED, hashvalues=hashes, scheme=SCHEME)
        for j in index.query(minhash):  # of a thousand similar pieces one comparison is enough
            if not works.connected(i, j) and np.mean(signatures[j] == hashes) >= MIN_SIMILARITY:
                works.merge(i, j)
        index.insert(i, minhash, check_duplication=False)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(works[i], len(numbers)) for i in range(len(signatures))], dtype=np.intp)
