"""The audition page in use, in a real browser: controls change the music, errors are shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from support.audition_page import (
    BROKEN,
    FIRST,
    SECOND,
    broken_experiment,
    notes_on,
    open_audition,
    set_slider,
    wait_until,
)
from support.browser import PHONE_WIDTH, needs_chromium
from support.random_networks import export_bytes, write_exports

from kelly.audition.composing import compose
from kelly.audition.midi_file import midi_file
from kelly.audition.networks import Exports
from kelly.audition.phrase import phrase_stats
from kelly.sources.readers.midi import read_midi
from kelly.tasks import TASKS

pytestmark = needs_chromium


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of one experiment, which must leave the console and the network quiet."""
    with open_audition(browser, tmp_path, FIRST) as opened:
        yield opened.page
        assert opened.is_quiet


def test_the_page_plays_offline(page: Page) -> None:
    assert page.locator("#error").is_hidden()
    page.click("#play")
    wait_until(page, "byId('play').textContent === 'Stop'")
    wait_until(page, "state.player.position > 200 && state.player.position < 4 * K.BAR_TICKS")
    position = page.evaluate("state.player.position")
    set_slider(page, "valence", -0.5)  # while playing, which continues from the same position
    assert page.evaluate("state.player.position") >= position
    page.wait_for_selector("#recognized-note", state="visible")
    assert "synthetic spectra" in page.inner_text("#recognized-note")
    page.click("#play")
    assert page.inner_text("#play") == "Play"
    assert page.evaluate("state.player.instruments.active.size") == 0


def test_sliders_pad_seed_and_tempo_change_the_music(page: Page) -> None:
    first = notes_on(page)
    assert first == [vars(note) for note in compose(FIRST.models, 0.5, 0.2, seed=42).notes]
    set_slider(page, "arousal", -0.7)
    calm = notes_on(page)
    assert calm == [vars(note) for note in compose(FIRST.models, 0.5, -0.7, seed=42).notes] != first
    box = page.locator("#pad").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.up()
    wait_until(page, "Math.abs(state.phrase.valence - 0.5) < 0.02 && Math.abs(state.phrase.arousal - 0.5) < 0.02")
    page.locator("#valence").press("ArrowLeft")  # from the keyboard
    wait_until(page, "state.phrase.valence < 0.5")
    before = notes_on(page)
    page.fill("#seed", "7")
    wait_until(page, "state.phrase.seed === 7")
    assert notes_on(page) != before
    page.uncheck("#default-tempo")
    page.fill("#tempo", "60")
    wait_until(page, "state.phrase.bpm === 60")
    page.select_option("#bars", "4")
    wait_until(page, "state.phrase.bars === 4")
    assert "Piano roll of 4 bars" in (page.get_attribute("#roll", "aria-label") or "")


def test_two_experiments_can_be_switched_and_compared(browser: Browser, tmp_path: Path) -> None:
    with open_audition(browser, tmp_path, FIRST, SECOND) as opened:
        page, expected = opened.page, [compose(one.models, 0.5, 0.2, seed=42) for one in (FIRST, SECOND)]
        assert notes_on(page) == [vars(note) for note in expected[0].notes]
        page.check("text=B: second")
        wait_until(page, "state.selected === 1")
        assert notes_on(page) == [vars(note) for note in expected[1].notes]
        wait_until(page, "!byId('statistics').textContent.includes('…')")
        rows = [row.split("\t") for row in page.inner_text("#statistics tbody").splitlines()]
        assert [row[0] for row in rows] == ["A: first", "B: second"]
        assert [row[2] for row in rows] == [f"{phrase_stats(phrase).mean_pitch:.1f}" for phrase in expected]
        assert page.locator("#networks tbody tr").count() == 10


def test_the_saved_file_equals_that_of_the_command_line(page: Page, tmp_path: Path) -> None:
    page.uncheck("[name=part][value=drums]")
    with page.expect_download() as saving:
        page.click("#save")
    path = tmp_path / saving.value.suggested_filename
    saving.value.save_as(path)
    phrase = compose(FIRST.models, 0.5, 0.2, seed=42)
    assert path.name == "kelly_v0.50_a0.20_seed42.mid"
    assert path.read_bytes() == midi_file(phrase, ("melody", "chords", "bass"))
    assert len(read_midi(path).notes) == sum(note.part != "drums" for note in phrase.notes)


def test_a_broken_experiment_is_named_and_cannot_be_played(browser: Browser, tmp_path: Path) -> None:
    has_ink = "[...byId('roll').getContext('2d').getImageData(0, 0, 500, 300).data].some((value) => value > 0)"
    with open_audition(browser, tmp_path, FIRST, broken_experiment(BROKEN[0][0])) as opened:
        page = opened.page
        error = page.inner_text("#error")
        assert "Experiment B (broken) cannot be played:\nmelodytransformer.json: layer 2 (conv9d): unknown" in error
        assert page.get_attribute("#error", "role") == "alert"
        page.click("#play")  # the first is valid
        wait_until(page, "state.player?.playing")
        page.check("text=B: broken")
        wait_until(page, "state.selected === 1")
        assert page.is_disabled("#play")
        assert page.is_disabled("#save")
        assert page.evaluate("state.player.playing") is False
        assert not page.evaluate(has_ink)
        assert page.get_attribute("#roll", "aria-label") == "Piano roll: empty"
        page.check("text=A: first")
        wait_until(page, "state.selected === 0")
        assert page.is_enabled("#play")
        assert opened.is_quiet


def test_without_a_sound_device_the_page_shows_an_error(page: Page) -> None:
    page.evaluate("() => { window.AudioContext = class { constructor() { throw new Error('no device'); } }; }")
    page.click("#play")
    wait_until(page, "!byId('error').hidden")
    assert "Sound cannot be played (no device)" in page.inner_text("#error")
    assert page.inner_text("#play") == "Play"


def test_a_suspended_sound_device_stops_the_phrase(page: Page) -> None:
    page.click("#play")
    wait_until(page, "state.player?.playing")
    page.evaluate("state.player.instruments.context.suspend()")
    wait_until(page, "byId('play').textContent === 'Play'")
    assert not page.evaluate("state.player.playing")
    page.click("#play")
    wait_until(page, "state.player.playing")


def test_an_invalid_number_is_marked_and_the_previous_one_kept(page: Page) -> None:
    page.uncheck("#default-tempo")
    for text in ("", "1", "999"):
        page.fill("#tempo", text)
        wait_until(page, "!byId('tempo-range').hidden")
        assert page.evaluate("state.phrase.bpm") == 120
        assert page.get_attribute("#tempo", "aria-invalid") == "true"
    page.fill("#tempo", "99")
    wait_until(page, "state.phrase.bpm === 99")
    assert page.is_hidden("#tempo-range")
    page.fill("#seed", "")
    wait_until(page, "!byId('seed-range').hidden")
    assert page.evaluate("state.phrase.seed") == 42


def test_moving_the_point_does_not_reset_the_recognizer(page: Page) -> None:
    hidden_norm = "Math.hypot(...experiments[0].networks.emotionrecognizer.layers[2].hidden)"
    page.evaluate("experiments[0].networks.emotionrecognizer.step(new Float64Array(128).fill(0.5))")
    before = page.evaluate(hidden_norm)
    set_slider(page, "valence", -0.3)
    assert page.evaluate(hidden_norm) == before > 0


def test_files_can_be_loaded_as_another_experiment(page: Page, tmp_path: Path) -> None:
    folder = write_exports(tmp_path / "exports", seed=1)
    page.set_input_files("#files", sorted(folder.glob("*.json")))
    wait_until(page, "state.selected === 1")
    assert notes_on(page) == [vars(note) for note in compose(SECOND.models, 0.5, 0.2, seed=42).notes]
    page.set_input_files("#files", [folder / "groovepredictor.json"])
    wait_until(page, "state.selected === 2")
    assert "emotionrecognizer.json: is missing" in page.inner_text("#error")


def test_the_page_names_the_networks_that_extrapolate(browser: Browser, page: Page, tmp_path: Path) -> None:
    assert page.inner_text("#range-note").startswith("Training range unknown: EmotionRec")
    ranges = {"valence": [-0.4, 0.8], "arousal": [-0.2, 0.25]}
    everything = {"valence": [-1, 1], "arousal": [-1, 1]}
    files = {name: export_bytes(task, emotion=ranges if name == "harmonypredictor" else everything)
             for name, task in TASKS.items()}  # fmt: skip
    with open_audition(browser, tmp_path, Exports("first", files, FIRST.models)) as opened:
        assert opened.page.inner_text("#range-note").startswith("Within the training range of all networks")
        set_slider(opened.page, "arousal", 0.7)
        assert "Outside the training range (dashed): HarmonyPredictor." in opened.page.inner_text("#range-note")


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_accessible_and_fits_a_phone_in_light_and_dark(
    browser: Browser, tmp_path: Path, dark: bool
) -> None:
    with open_audition(browser, tmp_path, FIRST, SECOND, dark=dark) as opened:
        page = opened.page
        page.evaluate("byId('error').hidden = false; byId('error').textContent = 'x'")
        assert [one["id"] for one in Axe().run(page).response["violations"]] == []
        page.set_viewport_size({"width": PHONE_WIDTH, "height": 740})
        assert not opened.scrolls_sideways
        colours = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert [sum(map(int, colour[4:-1].split(","))) > 380 for colour in colours] == [not dark, dark]
        assert opened.is_quiet


def test_nothing_but_the_script_and_style_of_the_page_is_allowed(browser: Browser, tmp_path: Path) -> None:
    with open_audition(browser, tmp_path, FIRST) as opened:
        opened.page.evaluate("""() => {
            for (const [tag, text] of [["script", "document.title = 'run'"], ["style", "body { color: red }"]])
                document.body.append(Object.assign(document.createElement(tag), { textContent: text }));
            document.body.append(Object.assign(document.createElement("img"), { src: "http://127.0.0.1:9/" }));
            fetch("http://127.0.0.1:9/").catch(() => {});
        }""")
        opened.page.wait_for_timeout(100)
        assert opened.page.title() == "Kelly audition: first"
        assert opened.page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
        assert opened.requests == []
        assert len([m for m in opened.messages if "Content Security Policy" in m]) >= 4, opened.messages
