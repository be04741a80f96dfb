"""The audition page in a real browser: it computes what Python computes, note for note, and shows what is wrong."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import PHONE_WIDTH, Opened, needs_chromium, open_page
from made_networks import exports, write_all, written
from playwright.sync_api import Browser, Page

from kelly.audition.composing import compose
from kelly.audition.midi_file import midi_file
from kelly.audition.networks import Exports
from kelly.audition.page import page
from kelly.audition.phrase import PARTS, figures
from kelly.datasets.reading.midi import read_midi
from kelly.emotion import decode, embed
from kelly.features import FFT_SIZE, log_mel_frames
from kelly.tasks import TASKS

pytestmark = needs_chromium

GOLDEN = Path(__file__).parent / "golden"
FIRST, SECOND = exports("first"), exports("second", seed=1)
CHOSEN = {"valence": 0.5, "arousal": 0.2}  # where the page begins


@contextmanager
def opened(browser: Browser, tmp_path: Path, *experiments: Exports, **options: Any) -> Iterator[Opened]:
    """The page with these experiments, its networks read."""
    path = tmp_path / "audition.html"
    path.write_text(page(experiments), encoding="utf-8")
    with open_page(browser, path, **options) as found:
        found.page.wait_for_selector("#busy", state="detached")
        yield found


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with two experiments, for the tests that only compute in it."""
    with opened(browser, tmp_path_factory.mktemp("page"), FIRST, SECOND) as found:
        yield found.page
        assert found.is_quiet


def until(page: Page, expression: str) -> None:
    """Wait for what the page comes to; its security policy forbids Playwright's own way."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def notes_of(page: Page) -> list[dict[str, Any]]:
    """The notes of the phrase that the page holds."""
    notes: list[dict[str, Any]] = page.evaluate("state.phrase.notes")
    return notes


def set_slider(page: Page, name: str, value: float) -> None:
    page.locator(f"#{name}").fill(str(value))
    until(page, f"state.phrase && state.phrase.{name} === {value}")


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
@pytest.mark.parametrize("kind", ["stateful", "reset"])
def test_the_reader_computes_what_rtneural_computed(shared: Page, name: str, kind: str) -> None:
    frames = np.loadtxt(GOLDEN / f"{name}_input.csv", delimiter=",")
    expected = np.loadtxt(GOLDEN / f"{name}_{kind}.csv", delimiter=",", ndmin=2)
    found = shared.evaluate(
        """([text, frames, resets]) => {
            const network = new Network(text);
            return frames.map((frame) => {
                if (resets) network.reset();
                return [...network.step(Float64Array.from(frame))];
            });
        }""",
        [(GOLDEN / f"{name}.json").read_text(), frames.tolist(), kind == "reset"],
    )
    np.testing.assert_allclose(np.array(found), expected, atol=1e-12)


def test_phrases_and_midi_files_are_those_of_the_command_line(shared: Page) -> None:
    rng = np.random.default_rng(0)
    for i in range(25):
        valence, arousal = rng.uniform(-1, 1, 2).tolist() if i else (1.0, -1.0)
        seed, bars, bpm = i * 171_798_691, 1 + i % 9, None if i % 2 else 40 + 9 * i
        phrase = compose(FIRST.models, valence, arousal, seed=seed, bars=bars, bpm=bpm)
        parts = list(PARTS)[: 1 + i % 4]
        found = shared.evaluate(
            """([asked, parts]) => {
                const phrase = compose(experiments[0].networks, asked);
                return { ...phrase, figures: figures(phrase), file: [...midiFile(phrase, parts)] };
            }""",
            [{"valence": valence, "arousal": arousal, "seed": seed, "bars": bars, "bpm": bpm}, parts],
        )
        assert found["notes"] == [vars(note) for note in phrase.notes]
        assert (found["bpm"], tuple(found["chords"])) == (phrase.bpm, phrase.chords)
        assert bytes(found["file"]) == midi_file(phrase, parts)
        expected = figures(phrase)._asdict()
        told = {name: np.nan if value is None else value for name, value in found["figures"].items()}
        np.testing.assert_allclose([told[name] for name in expected], list(expected.values()), rtol=1e-12)


def test_what_the_recogniser_hears_is_the_frame_of_the_contract(shared: Page) -> None:
    rng = np.random.default_rng(1)
    for level in (1.0, 0.01, 0.0):
        samples = (level * np.sin(np.arange(FFT_SIZE) * 0.1) * rng.uniform(0, 1, FFT_SIZE)).astype(np.float32)
        found = shared.evaluate("(samples) => [...logMelFrame(Float32Array.from(samples))]", samples.tolist())
        np.testing.assert_allclose(found, log_mel_frames(samples, 1)[0], atol=1e-5)
    embedding = embed(rng.uniform(-1, 1, 9)) * 0.99
    heard = shared.evaluate("(embedding) => decodeEmotion(embedding)", embedding.tolist())
    blocks = decode(embedding)[:2]
    np.testing.assert_allclose([heard["valence"], heard["arousal"]], blocks, atol=1e-9)


def test_the_sound_follows_the_notes(shared: Page) -> None:
    loudness = shared.evaluate(
        """async () => {
            const render = async (notes, seconds) => {
                const context = new OfflineAudioContext(1, 44100 * seconds, 44100), made = new Instruments(context);
                for (const [note, start, duration] of notes) made.play(note, start, duration);
                const samples = (await context.startRendering()).getChannelData(0);
                const level = (from, to) => Math.max(...samples.slice(44100 * from, 44100 * to).map(Math.abs));
                return [level(0, 0.45), level(0.5, 1.0), level(1.9, 2)];
            };
            const note = (part, pitch, velocity) => ({ part, pitch, velocity });
            const parts = [["melody", 67], ["chords", 60], ["bass", 40], ["drums", 36], ["drums", 38], ["drums", 42]];
            const results = [];
            for (const [part, pitch] of parts)
                for (const velocity of [40, 110])
                    results.push(await render([[note(part, pitch, velocity), 0.5, 0.4]], 2));
            const cluster = Array.from({ length: 12 }, (_, i) => [note("chords", 52 + i, 127), 0.5, 1]);
            return [results, await render(cluster, 2)];
        }"""
    )
    for soft, loud in zip(loudness[0][::2], loudness[0][1::2], strict=True):
        for before, during, after in (soft, loud):
            assert before == 0.0
            assert 0.003 < during <= 1.0
            assert after < 0.002
        assert loud[1] > 1.5 * soft[1]
    assert loudness[1][1] < 1.0  # twelve notes at full strength do not clip


def test_the_page_asks_no_network_for_anything_and_plays(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        assert found.page.locator("#fault").is_hidden()
        found.page.click("#play")
        until(found.page, "byId('play').textContent === 'Stop'")
        until(found.page, "state.player.position > 200 && state.player.position < 4 * K.BAR")
        at = found.page.evaluate("state.player.position")
        set_slider(found.page, "valence", -0.5)  # while it plays, at the same place
        assert found.page.evaluate("state.player.position") >= at
        found.page.wait_for_selector("#hears", state="visible")
        assert "synthetic spectra" in found.page.inner_text("#hears")
        found.page.click("#play")
        assert found.page.inner_text("#play") == "Play"
        assert found.page.evaluate("state.player.instruments.sounding.size") == 0
        assert found.is_quiet


def test_sliders_pad_seed_and_tempo_change_the_music(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        page = found.page
        first = notes_of(page)
        assert first == [vars(note) for note in compose(FIRST.models, 0.5, 0.2, seed=42).notes]
        set_slider(page, "arousal", -0.7)
        calm = notes_of(page)
        assert calm == [vars(note) for note in compose(FIRST.models, 0.5, -0.7, seed=42).notes] != first
        box = page.locator("#pad").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
        page.mouse.up()
        until(page, "Math.abs(state.phrase.valence - 0.5) < 0.02 && Math.abs(state.phrase.arousal - 0.5) < 0.02")
        page.locator("#valence").press("ArrowLeft")  # a keyboard does the same
        until(page, "state.phrase.valence < 0.5")
        before = notes_of(page)
        page.fill("#seed", "7")
        until(page, "state.phrase.seed === 7")
        assert notes_of(page) != before
        page.uncheck("#usual-tempo")
        page.fill("#tempo", "60")
        until(page, "state.phrase.bpm === 60")
        page.select_option("#bars", "4")
        until(page, "state.phrase.bars === 4")
        assert "Piano roll of 4 bars" in (page.get_attribute("#roll", "aria-label") or "")
        assert found.is_quiet


def test_two_experiments_are_heard_in_turn_and_told_side_by_side(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST, SECOND) as found:
        page, expected = found.page, [compose(one.models, 0.5, 0.2, seed=42) for one in (FIRST, SECOND)]
        assert notes_of(page) == [vars(note) for note in expected[0].notes]
        page.check("text=B: second")
        until(page, "state.chosen === 1")
        assert notes_of(page) == [vars(note) for note in expected[1].notes]
        until(page, "!byId('figures').textContent.includes('…')")
        rows = [row.split("\t") for row in page.inner_text("#figures tbody").splitlines()]
        assert [row[0] for row in rows] == ["A: first", "B: second"]
        assert [row[2] for row in rows] == [f"{figures(phrase).mean_pitch:.1f}" for phrase in expected]
        assert page.locator("#networks tbody tr").count() == 10


def test_the_saved_file_is_that_of_the_command_line(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        found.page.uncheck("[name=part][value=drums]")
        with found.page.expect_download() as saving:
            found.page.click("#save")
        path = tmp_path / saving.value.suggested_filename
        saving.value.save_as(path)
        phrase = compose(FIRST.models, 0.5, 0.2, seed=42)
        assert path.name == "kelly_v0.50_a0.20_seed42.mid"
        assert path.read_bytes() == midi_file(phrase, ("melody", "chords", "bass"))
        assert len(read_midi(path).notes) == sum(note.part != "drums" for note in phrase.notes)


def faulty(change: Any) -> Exports:
    """An experiment with one export that is not right."""
    content = orjson.loads(written(TASKS["melodytransformer"]))
    change(content)
    return Exports("broken", dict(FIRST.files) | {"melodytransformer": json.dumps(content).encode()}, FIRST.models)


FAULTS: list[tuple[Any, str]] = [
    (lambda c: c["layers"][2].update(type="conv9d"),
     "layer 2 (conv9d): unknown type, expected dense, lstm, gru, activation"),
    (lambda c: c["layers"][0].update(activation="gelu"), 'layer 0 (dense): activation "gelu", expected one of'),
    (lambda c: c["layers"][1]["weights"].pop(), "layer 1 (lstm): weights are 2 arrays, expected 3"),
    (lambda c: c["layers"][0]["weights"][0].pop(), "layer 0 (dense): weights have 63 rows, expected shape (64, 256)"),
    (lambda c: c["layers"][3]["weights"].__setitem__(1, [1e40] * 128), "layer 3 (dense): weights hold 1e+40"),
    (lambda c: c["layers"][3]["weights"].__setitem__(1, [None] * 128), "layer 3 (dense): weights hold null"),
    (lambda c: c["layers"][3].update(shape=[None, 128]),
     "layer 3 (dense): shape [null,128], expected [null, null, size]"),
    (lambda c: c["metadata"].update(model="groovepredictor"), "it is groovepredictor with 64 inputs and 128 outputs"),
    (lambda c: c["metadata"].pop("inputs"), "its metadata tells inputs undefined, expected a list of objects"),
    (lambda c: c["metadata"].update(emotion={}), "its metadata tells emotion {}, expected [low, high]"),
    (lambda c: c["layers"][0]["weights"].__setitem__(0, [[1e38] * 256] * 64),
     "layer 0 (dense): sums of up to 6.40e+39 on inputs in -1..1"),
    (lambda c: c.clear(), "there is no network"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_broken_export_is_told_and_not_played(shared: Page, change: Any, message: str) -> None:
    text = faulty(change).files["melodytransformer"].decode()
    fault = shared.evaluate(
        "([text, good]) => experiment('x', { ...good, melodytransformer: text }).fault",
        [text, {name: data.decode() for name, data in FIRST.files.items() if name != "melodytransformer"}],
    )
    assert fault.startswith("melodytransformer.json: ")
    assert message in fault


def test_an_export_with_an_unknown_layer_shows_a_message_instead_of_noise(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST, faulty(FAULTS[0][0])) as found:
        told = found.page.inner_text("#fault")
        assert "Experiment B (broken) cannot be played:\nmelodytransformer.json: layer 2 (conv9d): unknown type" in told
        assert found.page.locator("#fault").get_attribute("role") == "alert"
        assert found.page.is_enabled("#play")  # the first can be heard
        found.page.click("#play")
        until(found.page, "state.player?.playing")
        found.page.check("text=B: broken")
        until(found.page, "state.chosen === 1")
        assert found.page.is_disabled("#play")
        assert found.page.is_disabled("#save")
        assert found.page.evaluate("state.player.playing") is False
        found.page.check("text=A: first")
        until(found.page, "state.chosen === 0")
        assert found.page.is_enabled("#play")
        assert found.is_quiet


def test_a_broken_experiment_shows_no_notes_of_another(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST, faulty(FAULTS[0][0])) as found:
        inked = "[...byId('roll').getContext('2d').getImageData(0, 0, 500, 300).data].some((value) => value > 0)"
        assert found.page.evaluate(inked)
        found.page.check("text=B: broken")
        until(found.page, "state.chosen === 1")
        assert not found.page.evaluate(inked)
        assert found.page.get_attribute("#roll", "aria-label") == "Piano roll: empty"


def test_where_there_is_no_sound_the_page_says_so(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        found.page.evaluate(
            "() => { window.AudioContext = class { constructor() { throw new Error('no device'); } }; }"
        )
        found.page.click("#play")
        until(found.page, "!byId('fault').hidden")
        assert found.page.inner_text("#fault").startswith(
            "No sound can be played here (no device); expected a sound device"
        )
        assert found.page.inner_text("#play") == "Play"
        assert found.is_quiet


def test_sound_that_is_taken_away_stops_the_phrase(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        found.page.click("#play")
        until(found.page, "state.player?.playing")
        found.page.evaluate("state.player.instruments.context.suspend()")
        until(found.page, "byId('play').textContent === 'Play'")
        assert not found.page.evaluate("state.player.playing")
        found.page.click("#play")
        until(found.page, "state.player.playing")


def test_a_number_that_is_being_typed_changes_nothing_until_it_is_one(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        found.page.uncheck("#usual-tempo")
        for typed in ("", "1", "999"):
            found.page.fill("#tempo", typed)
            until(found.page, "!byId('tempo-range').hidden")
            assert found.page.evaluate("state.phrase.bpm") == 120
            assert found.page.get_attribute("#tempo", "aria-invalid") == "true"
        found.page.fill("#tempo", "99")
        until(found.page, "state.phrase.bpm === 99")
        assert found.page.is_hidden("#tempo-range")
        found.page.fill("#seed", "")
        until(found.page, "!byId('seed-range').hidden")
        assert found.page.evaluate("state.phrase.seed") == 42


def test_what_listens_is_not_made_to_forget_by_a_move_of_the_point(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, tmp_path, FIRST) as found:
        state = "Math.hypot(...experiments[0].networks.emotionrecognizer.layers[2].hidden)"
        found.page.evaluate("experiments[0].networks.emotionrecognizer.step(new Float64Array(128).fill(0.5))")
        before = found.page.evaluate(state)
        set_slider(found.page, "valence", -0.3)
        assert found.page.evaluate(state) == before > 0


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_can_be_used_by_all(browser: Browser, tmp_path: Path, dark: bool) -> None:
    with opened(browser, tmp_path, FIRST, SECOND, dark=dark) as found:
        found.page.evaluate("byId('fault').hidden = false; byId('fault').textContent = 'x'")
        assert [one["id"] for one in Axe().run(found.page).response["violations"]] == []


def test_files_of_ones_own_are_loaded_as_another_experiment(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    write_all(folder, seed=1)
    with opened(browser, tmp_path, FIRST) as found:
        found.page.set_input_files("#files", sorted(folder.glob("*.json")))
        until(found.page, "state.chosen === 1")
        assert notes_of(found.page) == [vars(note) for note in compose(SECOND.models, 0.5, 0.2, seed=42).notes]
        found.page.set_input_files("#files", [folder / "groovepredictor.json"])
        until(found.page, "state.chosen === 2")
        assert "emotionrecognizer.json: there is none" in found.page.inner_text("#fault")
        assert found.is_quiet


def test_beyond_what_was_learned_the_page_says_who_guesses(browser: Browser, tmp_path: Path) -> None:
    ranges = {"valence": [-0.4, 0.8], "arousal": [-0.2, 0.25]}
    everything = {"valence": [-1, 1], "arousal": [-1, 1]}
    files = {name: written(task, emotion=ranges if name == "harmonypredictor" else everything)
             for name, task in TASKS.items()}  # fmt: skip
    with opened(browser, tmp_path, Exports("first", files, FIRST.models)) as found:
        assert found.page.inner_text("#known").startswith("All networks learned from music of this emotion")
        set_slider(found.page, "arousal", 0.7)
        assert "learned from (dashed): HarmonyPredictor. What" in found.page.inner_text("#known")
    with opened(browser, tmp_path, FIRST) as found:
        assert found.page.inner_text("#known").startswith("From which emotions they learned is not told by EmotionRec")


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_in_the_dark_as_well(browser: Browser, tmp_path: Path, dark: bool) -> None:
    with opened(browser, tmp_path, FIRST, SECOND, width=PHONE_WIDTH, height=740, dark=dark) as found:
        assert not found.scrolls_sideways
        colours = found.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert [sum(map(int, colour[4:-1].split(","))) > 380 for colour in colours] == [not dark, dark]
        assert found.is_quiet
