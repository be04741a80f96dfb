"""The layouts of folders that can be read, in one table: a data set as it unpacks, or a folder of the user's own.

A further one is a file with a function that lists its pieces, a row here, and a line in kelly/settings/tasks.py and in
kelly/settings/sources.py for each network that it serves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name

from kelly.datasets.layouts.listing import Listing


@dataclass(frozen=True)
class Layout:
    """One row of the table.

    name: the source's name in params.yaml; title: what people call it
    pieces: `module:function` that lists the pieces of a folder: (path, **options) → Listing
    markers: globs relative to the folder, one of which is found where the layout is met
    options: names of the settings that `pieces` takes besides the path
    lacks: why it serves no other networks than it does, in words that follow its title
    licence: of the published set; '' for the user's own music
    """

    name: str
    title: str
    pieces: str
    markers: tuple[str, ...]
    lacks: str
    licence: str = ""
    options: tuple[str, ...] = ()

    def list_pieces(self, path: Path, **options: object) -> Listing:
        """List the pieces of the folder `path`. Raises KellyError where the layout is not met."""
        listing: Listing = resolve_name(self.pieces)(path, **options)
        return listing


MD5 = 32 * "[0-9a-f]"
TRACK = "[A-Z]/[A-Z]/[A-Z]/TR*"

ROWS = (
    Layout(
        name="groove",
        title="Groove MIDI Dataset v1.0.0",
        pieces="kelly.datasets.layouts.groove:list_pieces",
        markers=("info.csv",),
        options=("test_split",),
        lacks="holds drums alone, without melody, chords or ratings of emotion",
        licence="CC BY 4.0",
    ),
    Layout(
        name="maestro",
        title="MAESTRO v3",
        pieces="kelly.datasets.layouts.maestro:list_pieces",
        markers=("maestro-v3.0.0.csv",),
        lacks="was played without a click, so that it has no bars, and nobody rated its emotion",
        licence="CC BY-NC-SA 4.0",
    ),
    Layout(
        name="lakh",
        title="Lakh MIDI Dataset, full or matched",
        pieces="kelly.datasets.layouts.lakh:list_pieces",
        markers=(
            f"lmd_full/[0-9a-f]/{MD5}.mid",
            f"lmd_matched/{TRACK}/{MD5}.mid",
            f"[0-9a-f]/{MD5}.mid",
            f"{TRACK}/{MD5}.mid",
        ),
        lacks="has no ratings of emotion",
        licence="CC BY 4.0, as its compiler claims",
    ),
    Layout(
        name="pop909",
        title="POP909",
        pieces="kelly.datasets.layouts.pop909:list_pieces",
        markers=("POP909/[0-9][0-9][0-9]/*.mid", "[0-9][0-9][0-9]/chord_midi.txt"),
        lacks="has neither drums nor ratings of emotion",
        licence="MIT, the songs are their authors'",
    ),
    Layout(
        name="vgmidi",
        title="VGMIDI",
        pieces="kelly.datasets.layouts.vgmidi:list_pieces",
        markers=("vgmidi_labelled.csv",),
        lacks="was written and not played: it does not tell dynamics and groove",
        licence="none stated",
    ),
    Layout(
        name="deam",
        title="DEAM",
        pieces="kelly.datasets.layouts.deam:list_pieces",
        markers=("annotations/annotations averaged per song", "MEMD_audio"),
        lacks="holds sound and ratings, without notes",
        options=("ratings",),
        licence="for research, not for commercial use",
    ),
    Layout(
        name="midi",
        title="a folder of MIDI files",
        pieces="kelly.datasets.layouts.midi_folder:list_pieces",
        markers=("*",),
        lacks="",
    ),
)

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in ROWS}


def layout_of(path: Path) -> Layout:
    """The first layout of the table that the folder `path` meets; a plain folder of MIDI files meets the last."""
    return next((layout for layout in ROWS if any(next(path.glob(glob), None) for glob in layout.markers)), ROWS[-1])
