"""The layouts of music folders that can be read: published data sets as they unpack, and a folder of the user's own.

A new layout is a module with a function that lists its pieces, a row here, and for each network that it serves a line
in kelly/sources/registry.py and in kelly/config/sources.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kelly.sources.layouts import deam, groove, lakh, maestro, midi_folder, pop909, vgmidi
from kelly.sources.layouts.manifest import Manifest


@dataclass(frozen=True)
class Layout:
    """One layout.

    name: the source's name in params.yaml; title: its name for people
    list_pieces: (path, **options) → Manifest; raises KellyError where the folder has another layout
    markers: globs relative to the folder; the layout is detected where one of them matches
    options: names of the settings that `list_pieces` takes besides the path
    licence: of the published set; '' for the user's own music
    """

    name: str
    title: str
    list_pieces: Callable[..., Manifest]
    markers: tuple[str, ...]
    licence: str = ""
    options: tuple[str, ...] = ()


MD5 = 32 * "[0-9a-f]"
TRACK = "[A-Z]/[A-Z]/[A-Z]/TR*"

_LAYOUTS = (
    Layout(
        name="groove",
        title="Groove MIDI Dataset v1.0.0",
        list_pieces=groove.list_pieces,
        markers=("info.csv",),
        options=("test_split",),
        licence="CC BY 4.0",
    ),
    Layout(
        name="maestro",
        title="MAESTRO v3",
        list_pieces=maestro.list_pieces,
        markers=("maestro-v3.0.0.csv",),
        licence="CC BY-NC-SA 4.0",
    ),
    Layout(
        name="lakh",
        title="Lakh MIDI Dataset, full or matched",
        list_pieces=lakh.list_pieces,
        markers=(
            f"lmd_full/[0-9a-f]/{MD5}.mid",
            f"lmd_matched/{TRACK}/{MD5}.mid",
            f"[0-9a-f]/{MD5}.mid",
            f"{TRACK}/{MD5}.mid",
        ),
        licence="CC BY 4.0, as its compiler claims",
    ),
    Layout(
        name="pop909",
        title="POP909",
        list_pieces=pop909.list_pieces,
        markers=("POP909/[0-9][0-9][0-9]/*.mid", "[0-9][0-9][0-9]/chord_midi.txt"),
        licence="MIT, the songs are their authors'",
    ),
    Layout(
        name="vgmidi",
        title="VGMIDI",
        list_pieces=vgmidi.list_pieces,
        markers=("vgmidi_labelled.csv",),
        licence="none stated",
    ),
    Layout(
        name="deam",
        title="DEAM",
        list_pieces=deam.list_pieces,
        markers=("annotations/annotations averaged per song", "MEMD_audio"),
        options=("ratings",),
        licence="for research, not for commercial use",
    ),
    Layout(name="midi", title="a folder of MIDI files", list_pieces=midi_folder.list_pieces, markers=("*",)),
)

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _LAYOUTS}


def layout_of(path: Path) -> Layout:
    """Detect the layout of the folder `path`: the first with a matching marker."""
    matches = (layout for layout in LAYOUTS.values() if any(next(path.glob(glob), None) for glob in layout.markers))
    return next(matches, LAYOUTS["midi"])
