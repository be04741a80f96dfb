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
    markers: tuple[str, ...] = ()
    licence: str = ""
    options: tuple[str, ...] = ()


_LAYOUTS = (
    Layout("groove", "Groove MIDI Dataset v1.0.0", groove.list_pieces, (groove.TABLE,), "CC BY 4.0", ("test_split",)),
    Layout("maestro", "MAESTRO v3", maestro.list_pieces, (maestro.TABLE,), "CC BY-NC-SA 4.0"),
    Layout("lakh", lakh.TITLE, lakh.list_pieces, lakh.MARKERS, "CC BY 4.0, as its compiler claims"),
    Layout("pop909", "POP909", pop909.list_pieces, pop909.MARKERS, "MIT, the songs are their authors'"),
    Layout("vgmidi", "VGMIDI", vgmidi.list_pieces, (vgmidi.TABLE,), "none stated"),
    Layout("deam", "DEAM", deam.list_pieces, deam.MARKERS, "for research, not for commercial use", ("ratings",)),
    Layout("midi", "a folder of MIDI files", midi_folder.list_pieces),
)
LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _LAYOUTS}


def layout_of(path: Path) -> Layout:
    """Detect the layout of the folder `path`: the first with a matching marker, else the user's own."""
    matches = (layout for layout in LAYOUTS.values() if any(any(path.glob(glob)) for glob in layout.markers))
    return next(matches, LAYOUTS["midi"])
