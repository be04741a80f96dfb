"""MIDI files rendered by FluidSynth, and the examples for EmotionRecognizer from them."""

import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from support.played import Note, write
from support.published_layouts import write_midi_folder

from kelly.features.emotion import decode
from kelly.features.log_mel import SAMPLE_RATE_HZ, band_position, log_mel_frames
from kelly.runtime.errors import KellyError
from kelly.sources.examples import emotion
from kelly.sources.generate import generate
from kelly.sources.layouts.manifest import Entry
from kelly.sources.layouts.midi_folder import read_labels
from kelly.sources.readers import render
from kelly.sources.skipped import NotApplicableError
from kelly.tasks import TASKS

SOUNDFONTS = [
    path
    for name in ("TimGM6mb.sf2", "FluidR3_GM.sf2", "default-GM.sf2")
    if (path := Path("/usr/share/sounds/sf2") / name).exists()
]
needs_fluidsynth = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not SOUNDFONTS, reason="no FluidSynth, or no soundfont"
)


def a_scale(tmp_path: Path, pitch: int = 69) -> Path:
    """Eight long notes around `pitch`."""
    return write(tmp_path / "a.mid", {"Piano": [Note(2 * i, 2, pitch + i % 2) for i in range(8)]})


def fake_fluidsynth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Replace the program by a script; return a file that begins like a soundfont."""
    program = tmp_path / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    soundfont = tmp_path / "a.sf2"
    soundfont.write_bytes(b"RIFF\0\0\0\0sfbk")
    return soundfont


@needs_fluidsynth
def test_rendering_is_deterministic_and_an_a_is_at_440_hz(tmp_path: Path) -> None:
    path = a_scale(tmp_path)
    samples = render.render(path, SOUNDFONTS[0])
    assert 8.0 < len(samples) / SAMPLE_RATE_HZ < 16.0
    frame = log_mel_frames(samples[SAMPLE_RATE_HZ // 2 :], 22_050)[0]
    assert abs(int(frame.argmax()) - float(band_position(440.0))) < 3
    np.testing.assert_array_equal(render.render(path, SOUNDFONTS[0]), samples)


@needs_fluidsynth
def test_a_rated_midi_file_gives_frames_up_to_its_last_note_with_its_rating(tmp_path: Path) -> None:
    path = a_scale(tmp_path)  # eight seconds at 120 bpm
    entry = Entry("a.mid", path, valence=0.5, arousal=-0.25)
    rows = emotion.from_midi(entry, num_frames=10, max_windows_per_piece=None, soundfont=str(SOUNDFONTS[0])).examples
    assert rows["inputs"].shape == (2, 10, 128)
    mask = rows["mask"][..., 0]
    assert int(mask.sum()) == 17  # 8.5 s: half a second of release
    np.testing.assert_allclose(decode(rows["targets"][mask])[:, :2], np.tile([0.5, -0.25], (17, 1)), atol=1e-5)
    assert rows["inputs"][mask].max(axis=1).min() > -0.7  # -1 is silence


@needs_fluidsynth
def test_a_folder_with_labels_becomes_a_data_set_of_the_emotion_recognizer(tmp_path: Path) -> None:
    folder = write_midi_folder(tmp_path / "music", 4, num_bars=4)
    settings = {"path": str(folder), "soundfont": str(SOUNDFONTS[0]), "num_frames": 8, "max_files": None}
    settings |= {"max_windows_per_piece": 2, "max_skipped_share": 0.5}
    dataset = generate(TASKS["emotionrecognizer"], "midi", settings, tmp_path / "data")
    labelled = read_labels(folder / "labels.csv", {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.*")})
    assert len(np.unique(dataset.sequences.groups)) == len(labelled)
    ratings = {tuple(np.round(decode(targets[0])[:2], 4)) for targets in dataset.sequences.targets}
    assert ratings == {tuple(np.round(rating, 4)) for rating in labelled.values()}
    assert dataset.facts["skipped"] == []


def test_a_file_without_rating_is_not_applicable(tmp_path: Path) -> None:
    with pytest.raises(NotApplicableError, match="not rated"):
        emotion.from_midi(Entry("a.mid", a_scale(tmp_path)), 8, None, "none.sf2")


def test_a_missing_program_is_reported_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KellyError, match="apt install fluidsynth"):
        render.render(a_scale(tmp_path), tmp_path / "a.sf2")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, r"a\.sf2: cannot be read \(No such file"), (b"RIFF\0\0\0\0WAVE", "expected a soundfont")],
)
def test_an_invalid_soundfont_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    soundfont = fake_fluidsynth(tmp_path, monkeypatch, "exit 0")
    soundfont.unlink()
    if content is not None:
        soundfont.write_bytes(content)
    with pytest.raises(KellyError, match=message):
        render.render(a_scale(tmp_path), soundfont)


def test_an_error_of_fluidsynth_is_reported_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfont = fake_fluidsynth(tmp_path, monkeypatch, "echo 'panic: broken file' >&2; exit 3")
    with pytest.raises(KellyError, match=r"a\.mid: .*panic: broken file"):
        render.render(a_scale(tmp_path), soundfont)


def test_a_program_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfont = fake_fluidsynth(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(render, "MAX_RENDER_S", 0.2)
    with pytest.raises(KellyError, match="took more than 0 s"):
        render.render(a_scale(tmp_path), soundfont)


def test_a_killed_program_is_not_the_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfont = fake_fluidsynth(tmp_path, monkeypatch, "kill -9 $$")
    with pytest.raises(MemoryError, match=r"FluidSynth, which was killed while it rendered .*a\.mid"):
        render.render(a_scale(tmp_path), soundfont)


def test_a_full_temporary_folder_is_not_the_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfont = fake_fluidsynth(tmp_path, monkeypatch, "exit 3")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Namespace(free=0))
    with pytest.raises(OSError, match="No space left on device"):
        render.render(a_scale(tmp_path), soundfont)
