"""What tests share: the project's folder and small settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser
from support.browser import chromium

PROJECT = Path(__file__).parents[1]

# As the pipeline does. With two threads the first call of a process was seen to differ in its last digits from all
# later ones, once in some hundred processes on a busy machine.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one file."""
    with chromium() as found:
        yield found
