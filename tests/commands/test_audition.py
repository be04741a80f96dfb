"""`kelly render` and `kelly audition`: the files that they write, and what they refuse to write over."""

import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import mido
import orjson
import pytest
from support.clone import Folder
from support.made_networks import exports, write_all, written

from kelly.audition import quadrants
from kelly.audition.composing import compose
from kelly.audition.midi_file import midi_file
from kelly.audition.networks import from_folder
from kelly.audition.page import page
from kelly.audition.phrase import PARTS, TICKS_PER_QUARTER
from kelly.commands.audition import audition, cautions, render
from kelly.runtime.errors import KellyError
from kelly.sources.readers.midi import read_midi
from kelly.tasks import TASKS

UNTOLD = "GroovePredictor does not say from which emotions it learned: exported before that was told"
KELLY = "from kelly.commands import main; main()"
SETTINGS: dict[str, Any] = {"seed": 42, "bars": 4, "bpm": None, "parts": list(PARTS), "revision": None}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(quadrants, "NUM_SEEDS", 2)  # how they sound takes longer than all the rest
    folder = tmp_path / "trained"
    folder.mkdir()
    write_all(folder)
    return folder


def test_a_rendered_file_is_read_back_note_for_note(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.mid"
    render(path, 0.6, -0.2, folder=trained, **SETTINGS)
    phrase = compose(from_folder(trained).models, 0.6, -0.2, seed=42, bars=4)
    midi = read_midi(path)
    found = sorted(
        (round(onset * TICKS_PER_QUARTER), round(duration * TICKS_PER_QUARTER), pitch, velocity)
        for onset, duration, pitch, velocity in zip(
            midi.notes.onset_quarters, midi.notes.duration_quarters, midi.notes.pitch, midi.notes.velocity, strict=True
        )
    )
    assert found == sorted((note.onset, note.duration, note.pitch, note.velocity) for note in phrase.notes)
    assert midi.notes.is_drum.sum() == sum(note.part == "drums" for note in phrase.notes)
    tempo = next(message for message in mido.MidiFile(path).tracks[0] if message.type == "set_tempo")
    assert round(mido.tempo2bpm(tempo.tempo)) == phrase.bpm
    printed = capsys.readouterr().out
    assert printed.startswith(f"{path}: 4 bars, melody, chords, bass, drums; {phrase.bpm} beats a minute\n")
    assert "guesses" not in printed
    render(path, 0.6, -0.2, folder=trained, **SETTINGS | {"parts": ["drums"]})
    printed = capsys.readouterr().out
    assert "mean pitch of the melody not told" in printed


def test_the_same_seed_gives_the_same_bytes_and_parts_can_be_chosen(trained: Path, tmp_path: Path) -> None:
    first, again, alone = (tmp_path / name for name in ("a.mid", "b.mid", "c.mid"))
    for path in (first, again, again):  # once more over its own file
        render(path, -0.4, 0.5, folder=trained, **SETTINGS)
    assert first.read_bytes() == again.read_bytes()
    render(alone, -0.4, 0.5, folder=trained, **SETTINGS | {"parts": ["bass"]})
    assert [track.name for track in mido.MidiFile(alone).tracks] == ["", "bass"]


def test_no_file_of_others_is_written_over(trained: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="Kelly MIDI Companion: verse")])  # as a DAW names it
    mido.MidiFile(tracks=[track]).save(song)
    before = song.read_bytes()
    with pytest.raises(KellyError, match=r"song.mid is there and was not made by this command; choose another name"):
        render(song, 0.0, 0.0, folder=trained, **SETTINGS)
    assert song.read_bytes() == before
    with pytest.raises(KellyError, match=r"song.txt: expected a name that ends with .mid"):
        render(tmp_path / "song.txt", 0.0, 0.0, folder=trained, **SETTINGS)
    html = tmp_path / "index.html"
    html.write_text("<title>mine</title>")
    with pytest.raises(KellyError, match=r"index.html is there and was not made by this command"):
        audition([], trained, html, serve_at=None, show=False)
    assert html.read_text() == "<title>mine</title>"
    with pytest.raises(KellyError, match="is a folder, expected the name of a file"):
        audition([], trained, tmp_path, serve_at=None, show=False)


def test_exports_that_are_missing_broken_or_another_network_are_named(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(
        KellyError, match=r"emotionrecognizer.json: cannot be read .*run the pipeline first: make repro"
    ):
        from_folder(tmp_path)
    (trained / "groovepredictor.json").write_bytes(written(TASKS["dynamicsengine"]))
    with pytest.raises(KellyError, match=r"groovepredictor.json: it is dynamicsengine with 32 inputs and 16 outputs, "
                                         r"expected groovepredictor with 64 and 32; there, export"):  # fmt: skip
        from_folder(trained)
    content = orjson.loads(written(TASKS["groovepredictor"]))
    content["layers"][1]["type"] = "conv9d"
    (trained / "groovepredictor.json").write_bytes(orjson.dumps(content))
    with pytest.raises(KellyError, match=r"layer 1 \(conv9d\): unknown type"):
        from_folder(trained)


def test_an_emotion_beyond_what_was_learned_is_told(trained: Path) -> None:
    ranges = {"valence": [-0.4, 0.8], "arousal": [-0.2, 0.25]}
    for name in ("melodytransformer", "dynamicsengine"):
        (trained / f"{name}.json").write_bytes(written(TASKS[name], emotion={"valence": [-1, 1], "arousal": [-1, 1]}))
    (trained / "harmonypredictor.json").write_bytes(written(TASKS["harmonypredictor"], emotion=ranges))
    loaded = from_folder(trained)
    assert cautions(loaded, [(0.5, 0.1)]) == [UNTOLD]
    assert cautions(loaded, [(0.5, 0.7), (-0.9, 0.0)]) == [
        "HarmonyPredictor guesses at valence -0.9: it learned from -0.4 to 0.8",
        "HarmonyPredictor guesses at arousal 0.7: it learned from -0.2 to 0.25",
        UNTOLD,
    ]


def test_a_network_of_drums_says_so(trained: Path) -> None:
    task, emotion = TASKS["dynamicsengine"], {"valence": [0.0, 0.0], "arousal": [-1, 1]}
    (trained / "dynamicsengine.json").write_bytes(
        written(task, data={"source": "groove", "settings": {"part": "drums"}}, emotion=emotion)
    )
    told = cautions(from_folder(trained), [(0.5, 0)])
    assert "DynamicsEngine learned from drums, and plays all parts by them" in told
    assert "DynamicsEngine guesses at valence 0.5: it learned from 0 alone, as its music does not tell valence" in told


def test_the_page_is_whole_the_same_each_time_and_safe_from_names(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    audition([], trained, path, serve_at=None, show=False)
    first = path.read_bytes()
    audition([], trained, path, serve_at=None, show=False)
    assert path.read_bytes() == first
    text = first.decode()
    assert "://" not in text
    assert " src=" not in text
    hostile = page([exports("</script><script>alert(1)</script>")])
    assert "<script>alert" not in hostile
    assert hostile.count("</script>") == 2


def test_two_experiments_share_the_files_that_are_the_same() -> None:
    one, other = exports("one"), exports("other")
    assert len(page([one, other])) < len(page([one])) + 1_000
    assert len(page([one, exports("third", seed=1)])) > 1.9 * len(page([one]))


def test_the_command_line_says_what_is_wrong(project: Path, trained: Path, tmp_path: Path) -> None:
    folder = Folder(project, tmp_path)
    asked = ("-c", KELLY, "render", "x.mid", "--arousal", "-0.2")
    assert folder.run(*asked, "--valence", "2", code=1) == "error: valence 2: expected -1 to 1\n"
    assert folder.run(*asked, "--valence", "1", code=1) == (
        "error: trained_models/emotionrecognizer.json: cannot be read (No such file or directory); run the pipeline "
        "first: make repro\n"
    )
    both = folder.run(*asked, "--valence", "1", "--models", str(trained), "--revision", "HEAD", code=1)
    assert both == f"error: found the revision HEAD and --models {trained}, expected one of them\n"
    both = folder.run("-c", KELLY, "audition", "HEAD", "--models", str(trained), code=1)
    assert both == f"error: found the revisions HEAD and --models {trained}, expected either\n"
    assert not (tmp_path / "x.mid").exists()


def test_the_page_is_served_on_localhost_alone(trained: Path, project: Path, tmp_path: Path) -> None:
    folder = Folder(project, tmp_path)
    serving = folder.start("-u", "-c", KELLY, "audition", "--models", str(trained), "--serve", "--port", "0")
    assert serving.stdout is not None
    try:
        assert serving.stdout.readline().startswith(f"audition.html: {trained}, ")
        address = next(line for line in serving.stdout if line.startswith("http")).split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == (tmp_path / "audition.html").read_bytes()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "params.yaml")
        port = address.rstrip("/").rpartition(":")[2]
        taken = folder.run("-c", KELLY, "audition", "--models", str(trained), "--serve", "--port", port, code=1)
        assert f"error: --port {port}: cannot be used" in taken
    finally:
        serving.send_signal(signal.SIGINT)
        _, errors = serving.communicate()
    assert serving.returncode == 0
    assert "Traceback" not in errors


def test_a_file_says_what_it_was_made_of() -> None:
    phrase = compose(exports().models, 0.25, -0.125, seed=7, bars=2, bpm=100)
    data = midi_file(phrase)
    assert data.startswith(b"MThd\0\0\0\6\0\1\0\5\1\xe0MTrk")
    assert b"Kelly MIDI Companion: valence 0.2500, arousal -0.1250, seed 7, 2 bars" in data
