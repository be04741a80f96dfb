"""Python and the audition page accept, reject and read the same exports; `python tests/fuzz.py exports` runs longer."""

import orjson
import pytest
from support.export_fuzz import NODE, TOKENS, disagreement, disagreements, originals, page_verdicts, python_verdict

pytestmark = pytest.mark.skipif(NODE is None, reason="node is missing: apt-get install nodejs")


def test_mutated_exports_are_read_alike() -> None:
    for _, num_accepted, failures in disagreements(1_000, seed=1):
        assert not failures
        assert 50 < num_accepted < 450


def test_every_odd_token_is_read_alike_in_weights_and_in_metadata() -> None:
    data = orjson.dumps(originals()[0] | {"metadata": {"seed": 777, "more": 888}}).replace(b"[null", b"[999")
    batch = [data.replace(place, token) for token in TOKENS for place in (b"777", b"888", b"999")]
    # sizes at the limit, and whatever is not an object
    batch += [data + b" " * (16 * 2**20 - len(data) + more) for more in (0, 1)] + [b"", b"[]", b"null", b"3", b'"x"']
    verdicts = zip(map(python_verdict, batch), page_verdicts(batch), strict=True)
    assert not [text for verdict in verdicts if (text := disagreement(*verdict))]


def test_megabytes_of_escapes_are_read_alike() -> None:
    start = orjson.dumps(originals()[0])[:-1] + b',"more":"'
    batch = [start + escape * 7_500_000 + b'"}' for escape in (b"\\n", b'\\"')]
    verdicts = zip(map(python_verdict, batch), page_verdicts(batch), strict=True)
    assert not [text for verdict in verdicts if (text := disagreement(*verdict))]
