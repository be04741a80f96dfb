"""The audition page: one HTML file that contains exports, runs them in the browser and plays the phrases."""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import orjson
from markupsafe import Markup

from kelly.audition import arranging, composing, phrase, rng
from kelly.audition.midi_file import CREATOR
from kelly.audition.networks import Exports
from kelly.audition.phrase import PARTS
from kelly.features import emotion, log_mel
from kelly.features.vocabulary import NUM_CHORDS
from kelly.report.policy import content_security_policy
from kelly.rtneural import document, metadata
from kelly.runtime.text import printable
from kelly.tasks import TASKS

FOLDER = Path(__file__).parent / "page"
SCRIPTS = (
    "document.js", "rtneural.js", "composing.js", "midi.js", "emotion.js", "sound.js", "roll.js", "experiment.js",
    "main.js",
)  # fmt: skip
SEED = 42


def render_page(experiments: Sequence[Exports]) -> str:
    """Render the page with these experiments, the first selected; the same exports give the same page."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    scripts = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = Markup(f'\n"use strict";\nconst K = {embedded(constants())};\n{scripts}\n')  # noqa: S704 - our own files
    style = Markup((FOLDER / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return environment.from_string((FOLDER / "index.html").read_text(encoding="utf-8")).render(
        names=[printable(exports.name) for exports in experiments],
        style=style,
        script=script,
        policy=content_security_policy([script], [style]),
        sets=embedded(packed(experiments)),
        parts=list(PARTS),
        min_bpm=composing.MIN_BPM,
        max_bpm=composing.MAX_BPM,
        seed=SEED,
    )


def constants() -> dict[str, Any]:
    """The JavaScript's K: the constants of the modules that it repeats, so that no number is written twice."""
    numbers = {
        name: value
        for module in (document, phrase, rng, arranging, composing, emotion, log_mel)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | tuple)
    }
    return numbers | {
        "CREATOR": CREATOR,
        "METADATA": metadata.ADAPTER.json_schema(),
        "TITLES": {name: task.title for name, task in TASKS.items()},
        "SIZES": {name: (task.num_inputs, task.num_outputs) for name, task in TASKS.items()},
        "PARTS": {name: vars(part) for name, part in PARTS.items()},
        "CHORD_NAMES": [arranging.chord_name(chord) for chord in range(NUM_CHORDS)],
        "CHORD_TONES": [arranging.chord_tones(chord) for chord in range(NUM_CHORDS)],
        "CHORD_ROOTS": [arranging.chord_root(chord) for chord in range(NUM_CHORDS)],
        "CENTRES": emotion.CENTRES.tolist(),
        "LEANS_WITH": emotion.LEANS_WITH.tolist(),
        "USUAL": emotion.USUAL.tolist(),
        "MEL_FILTERS": [(int(np.flatnonzero(row)[0]), row[row > 0].tolist()) for row in log_mel.mel_filters()],
    }


def packed(experiments: Sequence[Exports]) -> dict[str, Any]:
    """The exports compressed, each distinct file once, under its SHA-256."""
    files, sets = dict[str, bytes](), []
    for exports in experiments:
        models = {name: hashlib.sha256(data).hexdigest() for name, data in exports.files.items()}
        files |= {models[name]: data for name, data in exports.files.items()}
        sets.append({"name": printable(exports.name), "models": models})
    compressed = {sha256: base64.b64encode(gzip.compress(data, 6, mtime=0)).decode() for sha256, data in files.items()}
    return {"sets": sets, "files": compressed}


def embedded(content: Any) -> Markup:
    """JSON for a script element; nothing in it can close the element."""
    return Markup(orjson.dumps(content).decode().replace("<", "\\u003c"))  # noqa: S704
