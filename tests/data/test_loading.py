"""Data is loaded from disk as it was split, or refused where it was replaced since."""

from pathlib import Path

import pytest
from support.small_project import prepared

from kelly.data.loading import DATA, datasets_folder, load_splits, open_splits
from kelly.runtime.errors import KellyError
from kelly.sources.generate import generate


def test_data_that_was_replaced_since_it_was_split_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = prepared(project)
    views, fingerprint = open_splits(config, DATA)
    assert sum(len(view) for view in views.values()) == 200
    assert fingerprint["num_test"] == len(views["test"])
    smaller = {"num_sequences": 60, "seed": 1}
    generate(config.task, "synthetic", smaller, datasets_folder(DATA, "groovepredictor"))
    for load in (open_splits, load_splits):
        with pytest.raises(KellyError, match=r"groovepredictor has 60.*dvc repro split@groovepredictor"):
            load(config, DATA)
