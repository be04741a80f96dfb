"""Every reader: a file that is good, read by a machine without memory, is never reported as damaged."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import mido
import numpy as np
import orjson
import pytest
import soundfile
import torch

from kelly.config.yaml_file import read_yaml
from kelly.data.dataset import load_array
from kelly.evaluation.results import read_history, read_metrics
from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.runtime.system_errors import raise_system_error
from kelly.sources.extraction.shards import Shard, is_intact
from kelly.sources.layouts.folders import scan
from kelly.sources.readers.audio import read_audio
from kelly.sources.readers.midi import read_midi
from kelly.sources.readers.scores import _attempt
from kelly.training.checkpoints import CheckpointManager

ALLOCATOR = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
MACHINE = [
    MemoryError("Unable to allocate 8.00 GiB"),
    RuntimeError(ALLOCATOR),
    RuntimeError("std::bad_alloc"),
    ImportError("libx.so: failed to map segment from shared object"),
    *(OSError(number, "reason") for number in (errno.ENOMEM, errno.EMFILE, errno.EIO, errno.ENOSPC, errno.ESTALE)),
]


def load_checkpoint(path: Path) -> object:
    return CheckpointManager(path.parent).load_best("groovepredictor")


READERS: dict[str, tuple[str, Callable[[Path], object], object, str]] = {
    "npy": ("a.npy", lambda path: load_array(path, "generate"), np, "load"),
    "npz": ("a.npz", lambda path: Shard(path)["x"], np, "load"),
    "shard": ("a.npz", is_intact, np, "memmap"),
    "checkpoint": ("groovepredictor_best.pt", load_checkpoint, torch, "load"),
    "history": ("a.json", read_history, orjson, "loads"),
    "metrics": ("a.json", lambda path: read_metrics(path.parent, "a"), orjson, "loads"),
    "midi": ("a.mid", read_midi, mido, "MidiFile"),
    "sound": ("a.wav", read_audio, soundfile, "SoundFile"),
    "yaml": ("a.yaml", read_yaml, Path, "read_text"),
    "bytes": ("a.json", lambda path: read_bytes(path, 10_000, "delete it"), Path, "open"),
    "folder": ("a.json", lambda path: scan(path.parent, "delete it"), os, "scandir"),
}


def good_file(path: Path) -> None:
    match path.suffix:
        case ".npy":
            np.save(path, np.zeros(3))
        case ".npz":
            np.savez(path, x=np.zeros(3))
        case ".pt":
            torch.save({}, path)
        case ".mid":
            path.write_bytes(b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0")
        case ".wav":
            soundfile.write(path, np.sin(np.arange(22_050) / 9), 22_050)
        case _:
            path.write_text("{}")


@pytest.mark.parametrize("error", MACHINE, ids=str)
@pytest.mark.parametrize("kind", READERS)
def test_a_good_file_is_not_reported_as_damaged(
    kind: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, reader, module, function = READERS[kind]
    good_file(tmp_path / name)

    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(module, function, fail)
    with pytest.raises((MemoryError, OSError, RuntimeError, ImportError)) as caught:
        reader(tmp_path / name)
    assert not isinstance(caught.value, KellyError)


def test_a_score_is_not_skipped_where_memory_runs_out() -> None:
    def reader(*_: str) -> NoReturn:
        raise MemoryError

    with pytest.raises(MemoryError, match="while reading bach/1"):
        _attempt(reader, "bach/1", "bach", "bach/1.mxl")


def test_the_path_is_named_where_the_system_does_not_name_it() -> None:
    with pytest.raises(OSError, match=r"Too many open files: 'a\.npy'"):
        raise_system_error(OSError(errno.EMFILE, "Too many open files"), "a.npy")
    with pytest.raises(MemoryError, match=r"while reading a\.npy"):
        raise_system_error(RuntimeError(ALLOCATOR), "a.npy")


@pytest.mark.parametrize("error", [ValueError("magic"), OSError(errno.EINVAL, "seek"), FileNotFoundError(2, "no")])
def test_what_the_file_causes_is_left_to_the_reader(error: Exception) -> None:
    raise_system_error(error, "a.npy")
