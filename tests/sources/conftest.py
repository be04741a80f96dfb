"""Shards of two files, so that a few files fill several of them."""

import pytest

from kelly.sources.extraction import jobs


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FILES_PER_SHARD", 2)
