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

from kelly.audition.composing import MAX_BPM, MIN_BPM, constants
from kelly.audition.midi_file import CREATOR
from kelly.audition.networks import Exports
from kelly.audition.phrase import PARTS
from kelly.features import log_mel
from kelly.tasks import TASKS

FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("rtneural.js", "composing.js", "midi.js", "emotion.js", "sound.js", "roll.js", "experiment.js", "main.js")
SEED = 42


def render_page(experiments: Sequence[Exports]) -> str:
    """Render the page with these experiments, the first selected; the same exports give the same page."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string((FOLDER / "index.html").read_text(encoding="utf-8")).render(
        names=[exports.name for exports in experiments],
        style=Markup((FOLDER / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup("\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)),  # noqa: S704
        constants=embedded(page_constants()),
        sets=embedded(packed(experiments)),
        parts=list(PARTS),
        min_bpm=MIN_BPM,
        max_bpm=MAX_BPM,
        seed=SEED,
    )


def page_constants() -> dict[str, Any]:
    """The JavaScript's K."""
    return constants() | {
        "CREATOR": CREATOR,
        "MIN_BPM": MIN_BPM,
        "MAX_BPM": MAX_BPM,
        "TITLES": {name: task.title for name, task in TASKS.items()},
        "SIZES": {name: (task.num_inputs, task.num_outputs) for name, task in TASKS.items()},
        "SAMPLE_RATE_HZ": log_mel.SAMPLE_RATE_HZ,
        "FFT_SIZE": log_mel.FFT_SIZE,
        "MIN_LEVEL_DB": log_mel.MIN_LEVEL_DB,
        "MEL_FILTERS": [(int(np.flatnonzero(row)[0]), row[row > 0].tolist()) for row in log_mel.mel_filters()],
    }


def packed(experiments: Sequence[Exports]) -> dict[str, Any]:
    """The exports compressed, each distinct file once, under its SHA-256."""
    files, sets = {}, []
    for exports in experiments:
        models = {}
        for name, data in exports.files.items():
            models[name] = sha256 = hashlib.sha256(data).hexdigest()
            if sha256 not in files:
                files[sha256] = base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
        sets.append({"name": exports.name, "models": models})
    return {"sets": sets, "files": files}


def embedded(content: Any) -> Markup:
    """JSON for a script element; nothing in it can close the element."""
    return Markup(orjson.dumps(content).decode().replace("<", "\\u003c"))  # noqa: S704
