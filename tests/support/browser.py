"""Pages in Debian's Chromium, headless and offline: their console messages, requests and errors."""

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
def chromium() -> Iterator[Browser]:
    """The browser; a process can have only one, so a test module shares it (the fixture `browser`)."""
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
    """Open a file or an address in a new window, and wait until it is loaded.

    allowed: prefixes of the addresses that it may request; all other requests are blocked and recorded
    """
    with browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    ) as context:
        page = context.new_page()
        opened = Opened(page)
        page.on("console", lambda m: opened.messages.append(m.text) if m.type in LEVELS else None)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))

        def handle(route: Route) -> None:
            if route.request.url.startswith(LOCAL_SCHEMES + allowed):
                route.continue_()
            else:
                opened.requests.append(route.request.url)
                route.abort()

        page.route("**/*", handle)
        page.goto(address.resolve().as_uri() if isinstance(address, Path) else address, wait_until="load")
        yield opened
