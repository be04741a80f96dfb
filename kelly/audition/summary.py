"""What `kelly render` and `kelly audition` print: statistics of a phrase, and warnings about the networks."""

import math
from collections.abc import Iterable

from kelly.audition.arranging import chord_name
from kelly.audition.networks import Exports
from kelly.audition.phrase import Phrase, phrase_stats
from kelly.tasks import TASKS


def describe_phrase(phrase: Phrase) -> str:
    """Describe a phrase in numbers and chords."""
    s = phrase_stats(phrase)
    pitch, chords, thirds = (
        "–" if math.isnan(value) else f"{value:{spec}}"
        for value, spec in ((s.mean_pitch, ".1f"), (s.minor_chords, ".0%"), (s.minor_thirds, ".0%"))
    )
    return (
        f"{s.bpm} bpm\n"
        f"mean melody pitch {pitch}, {s.notes_per_s:.1f} notes per second, mean velocity {s.mean_velocity:.0f}\n"
        f"minor chords {chords}, minor thirds in the melody {thirds}\n"
        f"chords {' '.join(map(chord_name, phrase.chords))}"
    )


def network_warnings(exports: Exports, emotions: Iterable[tuple[float, float]]) -> list[str]:
    """Warn, in a line each, where (valence, arousal) is outside a network's training data, or it learned from drums."""
    lines, points = [], list(emotions)
    for name, model in exports.models.items():
        if name == "emotionrecognizer":
            continue  # it takes no part in composing
        title, emotion = TASKS[name].title, model.metadata.get("emotion")
        if emotion is None:
            lines.append(f"{title}: its training range of emotions is unknown, as it was exported by an older version")
        ranges = (emotion["valence"], emotion["arousal"]) if emotion else ([-1.0, 1.0], [-1.0, 1.0])
        for axis, (low, high), values in zip(("valence", "arousal"), ranges, zip(*points, strict=True), strict=True):
            if outside := sorted({value for value in values if not low <= value <= high}):
                values_text = ", ".join(f"{value:g}" for value in outside)
                trained = f"{low:g} to {high:g}" if low < high else f"{low:g} only, as its data has no {axis}"
                lines.append(f"{title} extrapolates at {axis} {values_text}: trained on {trained}")
        if model.metadata.get("data", {}).get("settings", {}).get("part") == "drums":
            lines.append(f"{title} was trained on drums, but is applied to all parts")
    return lines
