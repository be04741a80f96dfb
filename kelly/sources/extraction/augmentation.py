"""Variations of a performance: louder or softer, faster or slower. Targets are extracted from each variation."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kelly.sources.readers.midi import Midi


def variations(midi: Midi, name: str, copies: int, velocity: float, tempo: float) -> Iterator[Midi]:
    """Yield `copies` variations of a performance; the same `name` gives the same ones.

    velocity, tempo: 0..1; velocities are multiplied by up to 1 ± velocity, tempi by up to 1 ± tempo. The loudest note
    stays within 127, so that no accent is clipped.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    notes = midi.notes
    for _ in range(copies):
        louder, faster = 1.0 + np.array([velocity, tempo]) * rng.uniform(-1.0, 1.0, 2)
        louder = min(louder, 127.0 / notes.velocity.max())
        varied = replace(
            notes,
            velocity=np.maximum(1, np.round(notes.velocity * louder)).astype(np.int64),
            onset_s=notes.onset_s / faster,
            duration_s=notes.duration_s / faster,
        )
        tempi = np.stack([midi.tempi[:, 0], np.round(midi.tempi[:, 1] / faster).astype(np.int64)], axis=1)
        yield replace(midi, notes=varied, tempi=tempi)
