"""`kelly check`: the source of each network, and errors in the search space."""

from argparse import Namespace
from pathlib import Path

import pytest

from kelly.commands.check import run
from kelly.runtime.errors import KellyError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # without a DVC configuration that could be changed


def test_the_source_of_each_network_is_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(Namespace(params=project / "params.yaml"))
    assert "MelodyTransformer: corpus" in capsys.readouterr().out


def test_an_invalid_search_space_is_an_error(project: Path, tmp_path: Path) -> None:
    text = (project / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("low: 0.0001, high: 0.01", "low: 0.1, high: 0.01"))
    with pytest.raises(KellyError, match=r"search\.learning_rate: .*less than high"):
        run(Namespace(params=tmp_path / "params.yaml"))
