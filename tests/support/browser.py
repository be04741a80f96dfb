"""Pages in Debian's Chromium, headless and without a network: what they print, what they ask for, what goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
PHONE_WIDTH = 360
SERIOUS = ("warning", "error")
OF_THE_PAGE = ("file:", "data:", "blob:", "about:")

needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing: apt-get install chromium")


@dataclass(frozen=True)
class Opened:
    """A page as it was opened.

    messages: warnings and errors of the console; errors: exceptions of scripts; requests: what it asked a network for
    """

    page: Page
    messages: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing went wrong and nothing was asked for."""
        return not (self.messages or self.errors or self.requests)

    @property
    def scrolls_sideways(self) -> bool:
        """Whether the page as a whole is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; a process can have one at a time, so a file of tests shares it (the fixture `browser`)."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser,
    address: str | Path,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    allowed: tuple[str, ...] = (),
) -> Iterator[Opened]:
    """Open a file, or an address, in a window of its own, and wait until it is loaded.

    allowed: what addresses begin with that it may ask for beside itself, as a server's own; all others are refused
    """
    with browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    ) as context:
        page = context.new_page()
        opened = Opened(page)
        page.on("console", lambda said: opened.messages.append(said.text) if said.type in SERIOUS else None)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))

        def answer(route: Route) -> None:
            if route.request.url.startswith(OF_THE_PAGE + allowed):
                route.continue_()
            else:
                opened.requests.append(route.request.url)
                route.abort()

        page.route("**/*", answer)
        page.goto(address.resolve().as_uri() if isinstance(address, Path) else address, wait_until="load")
        yield opened
