"""`kelly render` and `kelly audition`."""

import math
import webbrowser
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kelly.atomic import replacing
from kelly.audition.arranging import chord_name
from kelly.audition.composing import compose
from kelly.audition.midi_file import MADE_BY, midi_file
from kelly.audition.networks import Exports, from_folder, from_revision
from kelly.audition.phrase import Phrase, figures
from kelly.errors import KellyError
from kelly.tasks import TASKS

PAGE_MARK = b"<title>Kelly audition"
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
    folder: Path,
) -> None:
    """Write a phrase as a MIDI file and say what is heard in it; the exports are those of a revision or in a folder.

    Raises KellyError where `output` is another's file.
    """
    check_ours(output, MADE_BY.encode())
    if output.suffix.lower() not in (".mid", ".midi"):
        raise KellyError(f"{output}: expected a name that ends with .mid")
    exports = from_folder(folder) if revision is None else from_revision(revision)
    phrase = compose(exports.models, valence, arousal, seed=seed, bars=bars, bpm=bpm)
    write(output, midi_file(phrase, parts))
    print(f"{output}: {phrase.bars} bars, {', '.join(parts)}; " + told(phrase))
    for line in beyond(exports, phrase):
        print(line)


def told(phrase: Phrase) -> str:
    """A phrase in numbers and chords."""
    f = figures(phrase)
    return (
        f"{f.bpm} beats a minute\n"
        f"mean pitch of the melody {f.mean_pitch:.1f}, {f.notes_per_s:.1f} notes a second, "
        f"mean velocity {f.mean_velocity:.0f}\n"
        f"minor among the chords {share(f.minor_chords)}, among the melody's thirds {share(f.minor_thirds)}\n"
        f"chords {' '.join(map(chord_name, phrase.chords))}"
    )


def share(value: float) -> str:
    """A share as people read it."""
    return "not told" if math.isnan(value) else f"{value:.0%}"


def beyond(exports: Exports, phrase: Phrase) -> list[str]:
    """Which networks did not learn from music of this emotion, a line each."""
    lines = []
    for name, model in exports.models.items():
        for axis, value in (("valence", phrase.valence), ("arousal", phrase.arousal)):
            low, high = model.metadata.get("emotion", {}).get(axis, (-1.0, 1.0))
            if not low <= value <= high:
                lines.append(f"{TASKS[name].title} guesses: it learned from {axis} {low:g} to {high:g}")
    return lines


def audition(revisions: Sequence[str], folder: Path, output: Path, *, serve_at: int | None, show: bool) -> None:
    """Write the page of each revision's exports, or of those in the folder where none is named; say how they sound.

    serve_at: serve it on this port of localhost, until Ctrl-C; show: open it in the browser

    Raises KellyError where `output` is another's file or the port is taken.
    """
    from kelly.audition.corners import corners, table  # only here what they import is needed
    from kelly.audition.page import page

    check_ours(output, PAGE_MARK)
    experiments = [from_revision(name) for name in revisions] or [from_folder(folder)]
    content = page(experiments).encode()
    write(output, content)
    print(f"{output}: {', '.join(exports.name for exports in experiments)}, {len(content) / 1e6:.1f} MB; "
          "open it in a browser, it needs nothing else")  # fmt: skip
    for exports in experiments:
        print(f"\n{exports.name}\n{table(corners(exports.models))}", flush=True)
    if serve_at is not None:
        serve(content, serve_at, show)
    elif show:
        webbrowser.open(output.resolve().as_uri())


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
        webbrowser.open(address)
    with server:
        server.serve_forever()


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
