"""Fixtures: the project's folder, a browser, and a clone in which the whole pipeline ran once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from support.browser import CHROMIUM, OPTIONS
from support.clone import SMALL, Clone

PROJECT = Path(__file__).parents[1]

settings.register_profile("repeatable", derandomize=True, deadline=None)  # long campaigns: tests/fuzz.py
settings.load_profile("repeatable")

# As the pipeline does. With two threads the first call of a process was seen to differ in its last digits from all
# later ones, once in some hundred processes on a busy machine.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in a browser as slow, and start with the files that take longest."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("pipeline") is None)


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one file: a process can have only one."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(OPTIONS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def finished_clone(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[Path], Clone]:
    """Copies of a clone with small settings in which `kelly repro` ran and was committed; once per test run.

    What that run printed is in `kelly-repro.log` beside the copied folder, `template`.
    """
    root = tmp_path_factory.getbasetemp()
    shared = (root if worker_id == "master" else root.parent) / "pipeline"
    shared.mkdir(exist_ok=True)
    with FileLock(shared / "lock"):
        if not (shared / "kelly-repro.log").exists():
            (shared / "template").mkdir()
            clone = Clone(PROJECT, shared / "template", SMALL)
            printed = clone.run("kelly", "repro", "--jobs", "2")
            clone.commit()
            (shared / "kelly-repro.log").write_text(printed)

    def copy(folder: Path) -> Clone:
        # Of DVC's own files the cache is needed; its database of file times would be of the template's.
        ignore = shutil.ignore_patterns("__pycache__", "tmp", ".locks")
        shutil.copytree(shared / "template", folder, dirs_exist_ok=True, symlinks=True, ignore=ignore)
        return Clone.at(folder)

    copy.log = shared / "kelly-repro.log"  # type: ignore[attr-defined]
    return copy
