"""The audition page as it is used, in a real browser: what is moved changes the music, what is wrong is shown."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from support.audition_page import FAULTS, FIRST, SECOND, faulty, notes_of, opened, set_slider, until
from support.browser import PHONE_WIDTH, needs_chromium
from support.made_networks import write_all, written

from kelly.audition.composing import compose
from kelly.audition.midi_file import midi_file
from kelly.audition.networks import Exports
from kelly.audition.phrase import figures
from kelly.sources.readers.midi import read_midi
from kelly.tasks import TASKS

pytestmark = needs_chromium


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
