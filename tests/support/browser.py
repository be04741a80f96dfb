"""Pages in Debian's Chromium, headless and offline: their console messages, requests and errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
PHONE_WIDTH = 360
LEVELS = ("warning", "error")
LOCAL_SCHEMES = ("file:", "data:", "blob:", "about:")

needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium")


@dataclass(frozen=True)
class Opened:
    """An open page.

    messages: warnings and errors in the console; errors: uncaught exceptions; requests: blocked network requests
    """

    page: Page
    messages: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Whether there were no messages, errors or network requests."""
        return not (self.messages or self.errors or self.requests)

    @property
    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@contextmanager
def open_page(browser: Browser, path: Path, *, width: int = 1280, dark: bool = False) -> Iterator[Opened]:
    """Open a file in a new window, and wait until it is loaded; requests are blocked and recorded."""
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        opened = Opened(page)
        page.on("console", lambda m: opened.messages.append(m.text) if m.type in LEVELS else None)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))

        def handle(route: Route) -> None:
            if route.request.url.startswith(LOCAL_SCHEMES):
                route.continue_()
            else:
                opened.requests.append(route.request.url)
                route.abort()

        page.route("**/*", handle)
        page.goto(path.resolve().as_uri(), wait_until="load")
        yield opened
