"""`kelly render` and `kelly audition`."""

import math
import webbrowser
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kelly.audition.arranging import chord_name
from kelly.audition.composing import check, compose
from kelly.audition.midi_file import MADE_BY, midi_file
from kelly.audition.networks import Exports, from_folder, from_revision
from kelly.audition.phrase import Phrase, figures
from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

PAGE_MARK = b"<title>Kelly audition"
TRAINED = Path("trained_models")
LISTENER = "emotionrecognizer"  # the network that plays no part in a phrase
MARK_WITHIN = 4_096  # bytes from the beginning in which a file of ours says so


def render(
    output: Path,
    valence: float,
    arousal: float,
    *,
    seed: int,
    bars: int,
    bpm: int | None,
    parts: Sequence[str],
    revision: str | None,
    folder: Path | None,
) -> None:
    """Write a phrase as a MIDI file and say what is heard in it; the exports are those of a revision or in a folder.

    Raises KellyError where `output` is another's file.
    """
    check_ours(output, f"{MADE_BY}: valence ".encode())
    check(valence, arousal, seed, bars, bpm)
    if output.suffix.lower() not in (".mid", ".midi"):
        raise KellyError(f"{output}: expected a name that ends with .mid")
    exports = exports_of(revision, folder)
    phrase = compose(exports.models, valence, arousal, seed=seed, bars=bars, bpm=bpm)
    write(output, midi_file(phrase, parts))
    heard = replace(phrase, notes=tuple(note for note in phrase.notes if note.part in parts))
    print(f"{output}: {phrase.bars} bars, {', '.join(parts)}; " + told(heard))
    for line in cautions(exports, [(valence, arousal)]):
        print(line)


def exports_of(revision: str | None, folder: Path | None) -> Exports:
    """Those of a revision, or in a folder, TRAINED where neither is named. Raises KellyError where both are."""
    if revision is None:
        return from_folder(folder or TRAINED)
    if folder is not None:
        raise KellyError(f"found the revision {revision} and --models {folder}, expected one of them")
    return from_revision(revision)


def told(phrase: Phrase) -> str:
    """A phrase in numbers and chords."""
    f = figures(phrase)
    return (
        f"{f.bpm} beats a minute\n"
        f"mean pitch of the melody {one_decimal(f.mean_pitch)}, {f.notes_per_s:.1f} notes a second, "
        f"mean velocity {f.mean_velocity:.0f}\n"
        f"minor among the chords {share(f.minor_chords)}, among the melody's thirds {share(f.minor_thirds)}\n"
        f"chords {' '.join(map(chord_name, phrase.chords))}"
    )


def one_decimal(value: float) -> str:
    """A pitch as people read it."""
    return "not told" if math.isnan(value) else f"{value:.1f}"


def share(value: float) -> str:
    """A share as people read it."""
    return "not told" if math.isnan(value) else f"{value:.0%}"


def cautions(exports: Exports, emotions: Iterable[tuple[float, float]]) -> list[str]:
    """What to know of the networks that play, at emotions of valence and arousal, a line each."""
    lines, points = [], list(emotions)
    for name, model in exports.models.items():
        title, told = TASKS[name].title, model.metadata.get("emotion")
        if name == LISTENER:
            continue
        if told is None:
            lines.append(f"{title} does not say from which emotions it learned: exported before that was told")
        for axis, values in zip(("valence", "arousal"), zip(*points, strict=True), strict=True):
            low, high = (told or {}).get(axis, (-1.0, 1.0))
            if outside := sorted({value for value in values if not low <= value <= high}):
                at = ", ".join(f"{value:g}" for value in outside)
                learned = f"{low:g} to {high:g}" if low < high else f"{low:g} alone, as its music does not tell {axis}"
                lines.append(f"{title} guesses at {axis} {at}: it learned from {learned}")
        if model.metadata.get("data", {}).get("settings", {}).get("part") == "drums":
            lines.append(f"{title} learned from drums, and plays all parts by them")
    return lines


def audition(revisions: Sequence[str], folder: Path | None, output: Path, *, serve_at: int | None, show: bool) -> None:
    """Write the page of each revision's exports, or of those in the folder where none is named; say how they sound.

    serve_at: serve it on this port of localhost, until Ctrl-C; show: open it in the browser

    Raises KellyError where `output` is another's file or the port is taken.
    """
    if revisions and folder is not None:
        raise KellyError(f"found the revisions {', '.join(revisions)} and --models {folder}, expected either")
    from kelly.audition.page import page
    from kelly.audition.quadrants import CORNERS, corners, table  # only here what they import is needed

    check_ours(output, PAGE_MARK)
    experiments = [from_revision(name) for name in revisions] or [exports_of(None, folder)]
    content = page(experiments).encode()
    write(output, content)
    print(f"{output}: {', '.join(exports.name for exports in experiments)}, {len(content) / 1e6:.1f} MB; "
          "open it in a browser, it needs nothing else")  # fmt: skip
    for exports in experiments:
        print(f"\n{exports.name}\n{table(corners(exports.models))}")
        for line in cautions(exports, CORNERS.values()):
            print(line, flush=True)
    if serve_at is not None:
        serve(content, serve_at, show)
    elif show:
        open_in_browser(output.resolve().as_uri())


def serve(content: bytes, port: int, show: bool) -> None:
    """Serve a page on localhost until Ctrl-C."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise KellyError(f"--port {port}: cannot be used ({error}); choose another") from None
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"{address} until Ctrl-C", flush=True)
    if show:
        open_in_browser(address)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def open_in_browser(address: str) -> None:
    """Show an address. Raises KellyError where no browser can be started."""
    if not webbrowser.open(address):
        raise KellyError(f"--open: no browser could be started; open {address} yourself")


def check_ours(path: Path, mark: bytes) -> None:
    """Raise KellyError where a file is there that was not made by this command: it would be lost."""
    if path.is_dir():
        raise KellyError(f"{path}: is a folder, expected the name of a file")
    if path.exists():
        with path.open("rb") as file:
            if mark not in file.read(MARK_WITHIN):
                raise KellyError(f"{path} is there and was not made by this command; choose another name")


def write(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
