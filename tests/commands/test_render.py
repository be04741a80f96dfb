"""`kelly render`: the MIDI file that it writes, what it prints, and which files it refuses to overwrite."""

from pathlib import Path

import mido
import pytest
from support.command_line import run_command
from support.random_networks import export_bytes, random_exports, write_exports

from kelly.audition.composing import compose
from kelly.audition.midi_file import midi_file
from kelly.audition.networks import from_folder
from kelly.audition.phrase import TICKS_PER_QUARTER
from kelly.audition.summary import network_warnings
from kelly.commands import render
from kelly.runtime.errors import KellyError
from kelly.sources.readers.midi import read_midi
from kelly.tasks import TASKS

pytestmark = pytest.mark.slow


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return write_exports(tmp_path / "exports")


def render_to(path: Path, exports: Path, *options: object, valence: float = 0.6, arousal: float = -0.2) -> None:
    run_command(render, path, "--valence", valence, "--arousal", arousal, "--bars", 4, "--models", exports, *options)


def test_a_rendered_file_is_read_back_note_for_note(
    exports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.mid"
    render_to(path, exports)
    phrase = compose(from_folder(exports).models, 0.6, -0.2, seed=42, bars=4)
    notes = read_midi(path).notes
    found = sorted(
        (round(onset * TICKS_PER_QUARTER), round(duration * TICKS_PER_QUARTER), pitch, velocity)
        for onset, duration, pitch, velocity in zip(
            notes.onset_quarters, notes.duration_quarters, notes.pitch, notes.velocity, strict=True
        )
    )
    assert found == sorted((note.onset, note.duration, note.pitch, note.velocity) for note in phrase.notes)
    assert notes.is_drum.sum() == sum(note.part == "drums" for note in phrase.notes)
    tempo = next(message for message in mido.MidiFile(path).tracks[0] if message.type == "set_tempo")
    assert round(mido.tempo2bpm(tempo.tempo)) == phrase.bpm
    printed = capsys.readouterr().out
    assert printed.startswith(f"{path}: 4 bars of melody, chords, bass, drums, {phrase.bpm} bpm\n")
    assert "extrapolates" not in printed


def test_the_same_options_give_the_same_bytes_and_parts_can_be_selected(
    exports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, bass = (tmp_path / name for name in ("a.mid", "b.mid", "c.mid"))
    for path in (first, second, second):  # overwrites its own file
        render_to(path, exports)
    assert first.read_bytes() == second.read_bytes()
    render_to(bass, exports, "--parts", "bass")
    assert [track.name for track in mido.MidiFile(bass).tracks] == ["", "bass"]
    assert "mean melody pitch –" in capsys.readouterr().out


def test_a_file_of_another_program_is_not_overwritten(exports: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="Kelly MIDI Companion: verse")])  # as a DAW names it
    mido.MidiFile(tracks=[track]).save(song)
    before = song.read_bytes()
    with pytest.raises(KellyError, match=r"song\.mid exists"):
        render_to(song, exports)
    assert song.read_bytes() == before


def test_wrong_options_are_rejected(exports: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    with pytest.raises(KellyError, match=r"valence 2\.0: expected -1 to 1"):
        render_to(path, exports, valence=2)
    with pytest.raises(KellyError, match=r"x\.txt: expected a name that ends with \.mid"):
        render_to(tmp_path / "x.txt", exports)
    with pytest.raises(KellyError, match=r"revision HEAD and --models .*; give one of them"):
        render_to(path, exports, "--revision", "HEAD")
    assert not path.exists()


def test_missing_broken_and_confused_exports_are_named(exports: Path, tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"emotionrecognizer\.json: cannot be read .*make repro"):
        from_folder(tmp_path)
    (exports / "groovepredictor.json").write_bytes(export_bytes(TASKS["dynamicsengine"]))
    content = export_bytes(TASKS["harmonypredictor"]).replace(b'"lstm"', b'"conv9d"')
    content = content.replace(b'"type":"dense"', b'"type":"conv9d"')
    (exports / "harmonypredictor.json").write_bytes(content)
    with pytest.raises(KellyError) as error:
        from_folder(exports)
    harmony, groove = str(error.value).splitlines()
    assert "harmonypredictor.json: layer 0 (conv9d): unknown type" in harmony
    assert "dynamicsengine with 32 inputs and 16 outputs, expected groovepredictor with 64 and 32" in groove
    assert "dvc repro -f -s export@groovepredictor" in groove


def test_emotions_outside_the_training_range_are_warned_of(exports: Path) -> None:
    everything = {"valence": [-1, 1], "arousal": [-1, 1]}
    for name, emotion in (
        ("melodytransformer", everything),
        ("dynamicsengine", everything),
        ("harmonypredictor", {"valence": [-0.4, 0.8], "arousal": [-0.2, 0.25]}),
    ):
        (exports / f"{name}.json").write_bytes(export_bytes(TASKS[name], emotion=emotion))
    loaded = from_folder(exports)
    (unknown,) = network_warnings(loaded, [(0.5, 0.1)])
    assert unknown.startswith("GroovePredictor: its training range of emotions is unknown")
    assert network_warnings(loaded, [(0.5, 0.7), (-0.9, 0.0)]) == [
        "HarmonyPredictor extrapolates at valence -0.9: trained on -0.4 to 0.8",
        "HarmonyPredictor extrapolates at arousal 0.7: trained on -0.2 to 0.25",
        unknown,
    ]


def test_a_network_trained_on_drums_is_warned_of(exports: Path) -> None:
    task, emotion = TASKS["dynamicsengine"], {"valence": [0.0, 0.0], "arousal": [-1, 1]}
    data = {"source": "groove", "settings": {"part": "drums"}}
    (exports / "dynamicsengine.json").write_bytes(export_bytes(task, data=data, emotion=emotion))
    lines = network_warnings(from_folder(exports), [(0.5, 0)])
    assert "DynamicsEngine was trained on drums, but is applied to all parts" in lines
    assert "DynamicsEngine extrapolates at valence 0.5: trained on 0 only, as its data has no valence" in lines


def test_a_file_contains_what_it_was_composed_from() -> None:
    phrase = compose(random_exports().models, 0.25, -0.125, seed=7, bars=2, bpm=100)
    data = midi_file(phrase)
    assert data.startswith(b"MThd\0\0\0\6\0\1\0\5\1\xe0MTrk")
    assert b"Kelly MIDI Companion: valence 0.2500, arousal -0.1250, seed 7, 2 bars" in data
