"""A folder with small settings and data, for the experiments on one network."""

from pathlib import Path

import pytest
from support.small_project import prepared

from kelly.config.params import TaskConfig


@pytest.fixture
def config(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> TaskConfig:
    """The settings of GroovePredictor, or of the parameter, in the current folder, which has its data."""
    monkeypatch.chdir(tmp_path)
    return prepared(project, getattr(request, "param", "groovepredictor"))
