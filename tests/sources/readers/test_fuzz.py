"""No bytes make a reader crash, hang or return a wrong result: the targets of tests/fuzz.py, for seconds."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fuzz_inputs import END, beats, mutated, seeds, smf, track
from support.fuzz_targets import EXTRACT, TARGETS

from kelly.sources.layouts.manifest import Entry
from kelly.sources.readers.midi import read_midi

READERS = sorted(TARGETS)
BEGINNINGS = {"midi": smf(track(END)), "csv": seeds("csv")[1][:50], "json": b'{"in_shape":[1,1,1],"layers":['}
NOTE = b"\0\x90\x3c\x40\x60\x80\x3c\0"
LATE = b"\x60\x80\x3c\0"
TABLE = b"id,style,time_signature,midi_filename,split\n"
ROW = b"a,b,4-4,a.mid,train\n"
DENSE = b'{"type":"dense","activation":"%s","shape":[0,0,1],"weights":%s}'
fuzzed = settings(derandomize=True, deadline=2_000, suppress_health_check=[HealthCheck.too_slow])


def network(*layers: bytes, more: bytes = b"") -> bytes:
    return b'{"in_shape":[0,0,1],"layers":[%s]%s}' % (b",".join(layers), more)


@pytest.mark.parametrize("reader", READERS)
def test_valid_files_are_accepted(reader: str) -> None:
    assert all(TARGETS[reader](data) for data in seeds(reader))


@pytest.mark.parametrize("name", EXTRACT)
def test_a_seed_file_gives_examples_for_each_network(name: str, tmp_path: Path) -> None:
    path = tmp_path / "seed.mid"
    path.write_bytes(seeds("midi")[-1])
    rows, _ = EXTRACT[name](Entry(path.name, path), read_midi(path))
    assert len(rows["inputs"]) > 0


@pytest.mark.parametrize("reader", READERS)
@settings(fuzzed, max_examples=300)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_mutated_file_is_read_correctly_or_rejected(reader: str, seed: int) -> None:
    rng = random.Random(seed)
    TARGETS[reader](mutated(reader, rng, rng.choice(seeds(reader)), seeds(reader)))


@pytest.mark.parametrize("reader", READERS)
@settings(fuzzed, max_examples=50)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_read_correctly_or_rejected(reader: str, data: bytes) -> None:
    TARGETS[reader](data)
    TARGETS[reader](BEGINNINGS[reader] + data)


@pytest.mark.parametrize("reader", READERS)
def test_a_truncated_file_is_read_correctly_or_rejected(reader: str) -> None:
    data = seeds(reader)[1]
    for length in range(len(data)):
        TARGETS[reader](data[:length])


# Regressions: files that were read wrong, accepted though ambiguous, or led to a traceback.
@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (smf(track(b"\0\x90\x3c\x40", b"\0\xf7\2\1\xf7", LATE, END)), False),  # a longer note for one library
        (smf(track(b"\0\xff\x51\x80\3\7\xa1\x20", NOTE, END)), False),  # two bytes of length: another tempo for one
        (smf(track(b"\0\xff\x51\2\7\xa1", NOTE, END)), False),  # a tempo read past its end
        (smf(track(b"\0\xff\x58\4\4\x22\x18\x08", NOTE, END)), False),  # 4/2^34 passed for 4/4
        (smf(track(b"\0\xff\x58\4\4\x08\x18\x08", NOTE, END)), False),  # 4/256 passed for 4/0
        (smf(track(b"\0\xff\x58\1\4", NOTE, END)), False),
        # Running status after a meta event violates the standard, but both libraries accept it.
        (smf(track(b"\0\x90\x3c\x40", b"\0\xff\1\2ab", b"\x60\x3c\0", END)), True),
        (smf(track(b"\0\x90\x3c\x40", END)), True),  # a note without note off was dropped
        (smf(track(b"\0\x90\x3c\x40", END), track(LATE, END)), True),
        (smf(track(NOTE, END), track(NOTE, END), num_tracks=1), False),  # a track was dropped
        (smf(track(NOTE)), False),  # no end of track
        (smf(track(NOTE, END, NOTE)), False),  # events after it, which only one parser reads
        (smf(track(b"\0\xf8", NOTE, END)), True),  # a clock tick is invalid in a file; both ignore it
        (smf(track(b"\0\xa0\x3c\xc8", NOTE, END)), False),  # data above 127
        (smf(track(b"\0\x90\x3c\xc8", LATE, END)), False),  # a velocity of 200 was clipped
        (smf(track(b"\0\xb0\7\xc8", b"\x10\xff\x60\1a", NOTE, END)), False),  # and an unknown event's time lost
        (smf(track(b"\x80\x80\x80\x80\0\x90\x3c\x40", LATE, END)), False),  # a number of five bytes
        (smf(track(b"\0\xff\x90\1a", NOTE, END)), True),  # an invalid kind of meta event; both ignore it
        (smf(track(beats(*range(1, 40)), b"\x3c\xff\x58\4\4\2\x18\x08", END)), True),  # a bar begins within a bar
        (smf(track(b"\0\xf1\1", NOTE, END)), True),
        (smf(track(NOTE, b"\xff\xff\xff\x7f\xff\x51\3\7\xa1\x20" * 20, END)), False),  # a tempo beyond 2^31 ticks
        (smf(track(b"\0\xff\x51\3\0\0\0", NOTE, END)), False),
        (smf(track(b"\0\xff\x51\3\0\0\1", NOTE, END)), False),  # 60,000,000 bpm
    ],
)
def test_midi_files_that_were_once_read_wrong(data: bytes, accepted: bool) -> None:
    assert TARGETS["midi"](data) == accepted


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (TABLE + b'"a,b,4-4,a.mid,train\n' + ROW, False),  # an unclosed quote consumed the rest
        (TABLE + b'"a\nb",b,4-4,a.mid,train\n', False),  # two of them, everything between
        (TABLE + b'"a"b,b,4-4,a.mid,train\n', False),
        (TABLE + b"a,b,c,4-4,a.mid,train\n", False),  # a comma too many shifted the cells
        (TABLE + b"a,b,4-4,a.mid,train,\n", False),
        (TABLE + b"a,b,4-4,a\0.mid,train\n", False),  # a traceback when the file is opened
        (TABLE + b"a\0,b,4-4,a.mid,train\na,b,4-4,b.mid,train\n", False),  # one id for NumPy
        (TABLE + ROW + b"b,b,4-4,./a.mid,train\n", False),  # one file twice
        (TABLE + b"a,b,4-4,a/../a.mid,train\n", False),
        (TABLE + b"a,b,4-4,.,train\n", False),
        (TABLE + b",b,4-4,a.mid,train\n", False),
        (TABLE[:-1] + b",split\na,b,4-4,a.mid,train,test\n", False),  # duplicate column
        (TABLE + b"x" * 140_000 + ROW, False),  # above csv.field_size_limit
        (b"\xef\xbb\xbf" + TABLE.replace(b"\n", b"\r") + ROW.replace(b"\n", b"\r"), True),
        ((TABLE + ROW).decode().encode("utf-16"), False),
        (b"x," * 3_000 + b"\n", False),  # a message of thousands of names
        (b"", False),
    ],
)
def test_tables_that_were_once_read_wrong(data: bytes, accepted: bool) -> None:
    assert TARGETS["csv"](data) == accepted


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (network(DENSE % (b"", b"[[[1]],[0.5]]")), True),
        (network(DENSE % (b"", b"[[[3.4028235e38]],[-0.0]]")), True),  # the largest float32 was rejected
        (network(DENSE % (b"", b"[[[3.4028236e38]],[0]]")), False),
        (network(DENSE % (b"", b"[[[3e38]],[3e38]]")), False),  # infinite in float32
        (network(DENSE % (b"relu", b"[[[1e30]],[0]]"), DENSE % (b"relu", b"[[[1e30]],[0]]")), False),
        (network(b",".join([DENSE % (b"elu", b"[[[1e38]],[0]]")] * 12)), False),  # infinite, then NaN
        (network(DENSE % (b"tanh", b"[[[1e30]],[0]]"), DENSE % (b"relu", b"[[[1e30]],[0]]")), True),
        (b'{"in_shape":[0,0,2],"layers":[%s]}' % DENSE % (b"", b"[[[1],[true]],[0]]"), False),  # true among numbers
        (network(DENSE % (b"", b'[[[1]],[0]],"weights":[[[2]],[0]]')), False),  # duplicate key
        (network(DENSE % (b"", b'[[[1]],[0]],"\\u0074ype":"gru"')), False),
        (network(b'{"type":"activation","activation":"","shape":[0,0,1],"weights":[]}'), False),  # RTNeural crashes
        (network(DENSE % (b"", b"[[[1]],[0]]"), more=b',"metadata":[]'), False),
        (network(DENSE % (b"x" * 10_000, b"[[[1]],[0]]")), False),  # a message of all of it
        (network(DENSE % (b"", b"[[[18446744073709551616]],[-9223372036854775809]]")), True),  # past 64 bits, exact
        (network(DENSE % (b"", b"[[[1]],[%s]]" % (b"9" * 5_000))), False),
        (network(DENSE % (b"", b"[[[1]],[0]]"), more=b',"metadata":{"x":%s}' % (b"[" * 999 + b"]" * 999)), False),
        (network(DENSE % (b"", b"[[[1]],%s]" % (b"[" * 100 + b"]" * 100))), False),
        (network(DENSE % (b"", b'[[[1]],["\\ud800"]]')), False),
    ],
)
def test_exports_that_were_once_read_wrong(data: bytes, accepted: bool) -> None:
    assert TARGETS["json"](data) == accepted
