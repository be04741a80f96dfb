"""Made-up results of five networks, as the pipeline leaves them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from support.small_runs import settings

from kelly.export.contract import CONTRACTS
from kelly.report.model_results import ModelResults
from kelly.report.page import CAPTIONS, write_page
from kelly.tasks import TASKS

REVISION = "0123456789abcdef0123456789abcdef01234567"
SCORES: dict[str, float] = {
    "loss": 0.5, "baseline_loss": 1.0, "floor_loss": 0.25, "skill": 0.666, "skill_low": 0.6, "skill_high": 0.7,
    "ridge_loss": 0.75, "ridge_skill": 0.333, "ridge_gap": 0.25, "ridge_gap_low": 0.2, "ridge_gap_high": 0.3,
    "shuffled_loss": 1.5, "shuffled_skill": -0.666, "shuffled_gap": 1.0, "shuffled_gap_low": 0.9,
    "shuffled_gap_high": 1.1, "stateful_skill": 0.5, "num_test_pieces": 100, "num_train": 800, "num_validation": 100,
    "num_test": 100, "epochs": 4, "best_epoch": 3, "num_parameters": 1_234, "parity_error": 4.5e-8,
}  # fmt: skip
HISTORY: dict[str, list[float]] = {
    "epoch": [1, 2, 3, 4],
    "train_loss": [0.9, 0.6, 0.5, 0.45],
    "val_loss": [0.9, 0.6, 0.5, 0.55],
    "train_metric": [0.1, 0.5, 0.6, 0.7],
    "val_metric": [0.1, 0.4, 0.5, 0.5],
}
SPLITTING = {"seed": 42, "validation_split": 0.2, "test_split": 0.2, "shuffle_inputs": False}
TRAINING = settings(
    seed=42, epochs=50, batch_size=64, learning_rate=0.001, early_stopping_min_delta=0.001,
    early_stopping_min_delta_mode="rel",
).model_dump()  # fmt: skip


def small_results(
    name: str = "groovepredictor", scores: Mapping[str, float | None] = MappingProxyType({}), **facts: Any
) -> ModelResults:
    """The results of one network. scores: those that differ, None: absent; facts: more of its data set's."""
    task = TASKS[name]
    source_settings = {"num_sequences": 12500, "seed": 42} | ({"num_frames": 8} if task.is_recurrent else {})
    dataset = {
        "model": name, "source": "synthetic", "settings": source_settings, "num_sequences": 1_000, "num_frames": 1,
        "num_pieces": 1_000, "sha256": "0" * 64, "facts": {"unit": "one frame is one bar", **facts},
    }  # fmt: skip
    data = {"source": "synthetic", "settings": source_settings, "splitting": dict(SPLITTING), "sha256": "0" * 64}
    metadata = {
        "file": f"{name}.json", "sha256": "f" * 64, "params": dict(TRAINING), "data": data, "code": "abc",
        "torch_version": "2", "revision": REVISION, **CONTRACTS[task.name](source_settings),
    }  # fmt: skip
    changed = {key: value for key, value in {**SCORES, task.primary_metric: 0.9, **scores}.items() if value is not None}
    return ModelResults(task, changed, dataset, metadata, HISTORY)


def with_metadata(results: ModelResults, **metadata: Any) -> ModelResults:
    """The same results with some metadata replaced."""
    return replace(results, metadata={**results.metadata, **metadata})


def all_results(*changed: ModelResults) -> dict[str, ModelResults]:
    """The results of all networks, some replaced."""
    return {name: small_results(name) for name in TASKS} | {results.task.name: results for results in changed}


def small_page(folder: Path, *changed: ModelResults) -> str:
    """The text of a page written to `folder`, with empty plots where there are none yet."""
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for path in (folder / "plots" / f"{name}_{kind}.svg" for name in TASKS for kind in CAPTIONS):
        if not path.exists():
            path.write_text("<svg></svg>")
    write_page(folder, all_results(*changed), folder / "plots")
    return (folder / "report.html").read_text()
