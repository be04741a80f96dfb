"""The audition page of random networks in the browser, and exports with one error each."""

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, Page
from support.browser import Opened, open_page
from support.random_networks import random_exports

from kelly.audition.networks import Exports
from kelly.audition.page import render_page

FIRST, SECOND = random_exports("first"), random_exports("second", seed=1)
compress = cache(gzip.compress)  # most of the time of rendering a page


@contextmanager
def open_audition(browser: Browser, tmp_path: Path, *experiments: Exports, **options: Any) -> Iterator[Opened]:
    """Open the page of these experiments and wait until its networks are loaded."""
    path = tmp_path / "audition.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip, "compress", compress)
        path.write_text(render_page(experiments), encoding="utf-8")
    with open_page(browser, path, **options) as opened:
        opened.page.wait_for_selector("#loading", state="detached")
        yield opened


def wait_until(page: Page, expression: str) -> None:
    """Wait until an expression holds; Playwright's own way is forbidden by the page's security policy."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def notes_on(page: Page) -> list[dict[str, Any]]:
    """The notes of the page's phrase."""
    return list(page.evaluate("state.phrase.notes"))


def set_slider(page: Page, name: str, value: float) -> None:
    page.locator(f"#{name}").fill(str(value))
    wait_until(page, f"state.phrase && state.phrase.{name} === {value}")


def broken_experiment(change: Callable[[Any], object]) -> Exports:
    """An experiment in which one export is changed."""
    content = orjson.loads(FIRST.files["melodytransformer"])
    change(content)
    return Exports("broken", {**FIRST.files, "melodytransformer": orjson.dumps(content)}, FIRST.models)


# A change of MelodyTransformer's export, and what its error message contains.
BROKEN: list[tuple[Callable[[Any], object], str]] = [
    (lambda c: c["layers"][2].update(type="conv9d"),
     "layer 2 (conv9d): unknown type, expected dense, lstm, gru, activation"),
    (lambda c: c["layers"][0].update(activation="gelu"), 'layer 0 (dense): activation "gelu", expected one of'),
    (lambda c: c["layers"][1]["weights"].pop(), "layer 1 (lstm): weights are 2 arrays, expected 3"),
    (lambda c: c["layers"][0]["weights"][0].pop(), "layer 0 (dense): weights have 63 rows, expected shape (64, 256)"),
    (lambda c: c["layers"][3]["weights"].__setitem__(1, [1e40] * 128), "layer 3 (dense): weights hold 1e+40"),
    (lambda c: c["layers"][3]["weights"].__setitem__(1, [None] * 128), "layer 3 (dense): weights hold null"),
    (lambda c: c["layers"][3].update(shape=[None, 128]),
     "layer 3 (dense): shape [null,128], expected [null, null, size]"),
    (lambda c: c["metadata"].update(model="groovepredictor"), 'found "groovepredictor" with 64 inputs and 128 outputs'),
    (lambda c: c["metadata"].pop("inputs"), "its metadata has no inputs"),
    (lambda c: c["metadata"].update(emotion={}), "metadata.emotion: found {}, expected a key valence"),
    (lambda c: c["layers"][0]["weights"].__setitem__(0, [[1e38] * 256] * 64),
     "layer 0 (dense): sums of up to 6.40e+39 on inputs in -1..1"),
    (lambda c: c.clear(), "no network"),
]  # fmt: skip
