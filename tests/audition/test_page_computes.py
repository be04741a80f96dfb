"""The audition page computes the same as Python, in a real browser: networks, phrases, MIDI files, log-mel frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from support.audition_page import BROKEN, FIRST, SECOND, broken_experiment, open_audition
from support.browser import needs_chromium

from kelly.audition.composing import compose
from kelly.audition.midi_file import midi_file
from kelly.audition.phrase import PARTS, phrase_stats
from kelly.features.emotion import decode, embed
from kelly.features.log_mel import FFT_SIZE, log_mel_frames

pytestmark = needs_chromium

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with two experiments, for tests that do not change it."""
    with open_audition(browser, tmp_path_factory.mktemp("page"), FIRST, SECOND) as opened:
        yield opened.page
        assert opened.is_quiet


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
@pytest.mark.parametrize("kind", ["stateful", "reset"])
def test_the_reader_computes_the_same_as_rtneural(shared: Page, name: str, kind: str) -> None:
    frames = np.loadtxt(GOLDEN / f"{name}_input.csv", delimiter=",")
    expected = np.loadtxt(GOLDEN / f"{name}_{kind}.csv", delimiter=",", ndmin=2)
    outputs = shared.evaluate(
        """([text, frames, resets]) => {
            const network = new Network(text);
            return frames.map((frame) => {
                if (resets) network.reset();
                return [...network.step(Float64Array.from(frame))];
            });
        }""",
        [(GOLDEN / f"{name}.json").read_text(), frames.tolist(), kind == "reset"],
    )
    np.testing.assert_allclose(np.array(outputs), expected, atol=1e-12)


def test_phrases_and_midi_files_equal_those_of_python(shared: Page) -> None:
    rng = np.random.default_rng(0)
    for i in range(25):
        valence, arousal = rng.uniform(-1, 1, 2).tolist() if i else (1.0, -1.0)
        seed, bars, bpm = i * 171_798_691, 1 + i % 9, None if i % 2 else 40 + 9 * i
        phrase = compose(FIRST.models, valence, arousal, seed=seed, bars=bars, bpm=bpm)
        parts = list(PARTS)[: 1 + i % 4]
        result = shared.evaluate(
            """([request, parts]) => {
                const phrase = compose(experiments[0].networks, request);
                return { ...phrase, stats: phraseStats(phrase), file: [...midiFile(phrase, parts)] };
            }""",
            [{"valence": valence, "arousal": arousal, "seed": seed, "bars": bars, "bpm": bpm}, parts],
        )
        assert result["notes"] == [vars(note) for note in phrase.notes]
        assert (result["bpm"], tuple(result["chords"])) == (phrase.bpm, phrase.chords)
        assert bytes(result["file"]) == midi_file(phrase, parts)
        expected = phrase_stats(phrase)._asdict()
        stats = {name: np.nan if value is None else value for name, value in result["stats"].items()}
        np.testing.assert_allclose([stats[name] for name in expected], list(expected.values()), rtol=1e-12)


def test_log_mel_frames_and_decoded_emotions_equal_those_of_python(shared: Page) -> None:
    rng = np.random.default_rng(1)
    for level in (1.0, 0.01, 0.0):
        samples = (level * np.sin(np.arange(FFT_SIZE) * 0.1) * rng.uniform(0, 1, FFT_SIZE)).astype(np.float32)
        frame = shared.evaluate("(samples) => [...logMelFrame(Float32Array.from(samples))]", samples.tolist())
        np.testing.assert_allclose(frame, log_mel_frames(samples, 1)[0], atol=1e-5)
    embedding = embed(rng.uniform(-1, 1, 9)) * 0.99
    emotion = shared.evaluate("(embedding) => decodeEmotion(embedding)", embedding.tolist())
    np.testing.assert_allclose([emotion["valence"], emotion["arousal"]], decode(embedding)[:2], atol=1e-9)


def test_the_sound_follows_note_times_and_velocities(shared: Page) -> None:
    loudness = shared.evaluate(
        """async () => {
            const render = async (notes, seconds) => {
                const context = new OfflineAudioContext(1, 44100 * seconds, 44100);
                const instruments = new Instruments(context);
                for (const [note, start, duration] of notes) instruments.play(note, start, duration);
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


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_broken_export_is_rejected_naming_the_file_and_the_layer(shared: Page, change: Any, message: str) -> None:
    text = broken_experiment(change).files["melodytransformer"].decode()
    error = shared.evaluate(
        "(text) => makeExperiment('x', { melodytransformer: new TextEncoder().encode(text) }).error", text
    )
    (line,) = (line for line in error.splitlines() if line.startswith("melodytransformer.json: "))
    assert message in line
