"""Prepared data comes from disk as it was divided, or says that it was made anew since."""

from pathlib import Path

import pytest
from support.small_project import prepared

from kelly.data.loading import DATA, datasets_folder, load_splits, open_splits
from kelly.runtime.errors import KellyError
from kelly.sources.generate import generate


def test_data_that_was_made_anew_since_it_was_divided_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = prepared(project)
    sides, about = open_splits(settings, DATA)
    assert sum(len(side) for side in sides.values()) == 200
    assert about["num_test"] == len(sides["test"])
    generate(
        settings.task,
        "synthetic",
        {"num_sequences": 60, "seed": 1},
        datasets_folder(DATA, "groovepredictor"),
    )
    for load in (open_splits, load_splits):
        with pytest.raises(KellyError, match=r"at least 200 sequences, but .*groovepredictor has 60: it was made anew; "
                                             r"divide it again: dvc repro split@groovepredictor"):  # fmt: skip
            load(settings, DATA)
