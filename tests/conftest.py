"""What tests share: the project's folder and small settings."""

from pathlib import Path

import pytest
import torch

PROJECT = Path(__file__).parents[1]

# As the pipeline does. With two threads the first call of a process was seen to differ in its last digits from all
# later ones, once in some hundred processes on a busy machine.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT
