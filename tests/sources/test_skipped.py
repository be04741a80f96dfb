"""Files that a source cannot use, in a message."""

from pathlib import Path

import pytest

from kelly.runtime.errors import KellyError
from kelly.sources.skipped import check_skipped, skip


def test_a_name_with_line_breaks_is_one_line() -> None:
    skipped = [skip("a\n  b.mid: fine\x1b.mid", Path("a"), KellyError("a: not a MIDI file"))]
    with pytest.raises(KellyError) as error:
        check_skipped("songs", skipped, 1, 0.5)
    assert str(error.value).splitlines()[1:] == [r"  a\n  b.mid: fine\x1b.mid: not a MIDI file"]
