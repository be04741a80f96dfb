"""Results of five networks as the pipeline leaves them, made up: for what tells of results."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import orjson
from support.small_runs import settings

from kelly.export.contract import CONTRACTS
from kelly.report.model_results import Facts
from kelly.tasks import TASKS

REVISION = "0123456789abcdef0123456789abcdef01234567"
SCORES: dict[str, float] = {
    "loss": 0.5,
    "baseline_loss": 1.0,
    "floor_loss": 0.25,
    "skill": 0.666,
    "skill_low": 0.6,
    "skill_high": 0.7,
    "ridge_loss": 0.75,
    "ridge_skill": 0.333,
    "ridge_gap": 0.25,
    "ridge_gap_low": 0.2,
    "ridge_gap_high": 0.3,
    "shuffled_loss": 1.5,
    "shuffled_skill": -0.666,
    "shuffled_gap": 1.0,
    "shuffled_gap_low": 0.9,
    "shuffled_gap_high": 1.1,
    "stateful_skill": 0.5,
    "num_test_pieces": 100,
    "num_train": 800,
    "num_validation": 100,
    "num_test": 100,
    "epochs": 4,
    "best_epoch": 3,
    "num_parameters": 1_234,
    "parity_error": 4.5e-8,
}
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


def facts(name: str = "groovepredictor", scores: Mapping[str, float | None] = MappingProxyType({})) -> Facts:
    """Those of one network, with some scores otherwise; None: without one."""
    task = TASKS[name]
    settings = {"num_sequences": 12500, "seed": 42}
    if task.is_recurrent:
        settings["num_frames"] = 8
    about = {
        "model": name, "source": "synthetic", "settings": settings, "num_sequences": 1_000, "num_frames": 1,
        "num_pieces": 1_000, "sha256": "0" * 64, "facts": {"unit": "one frame is one bar"},
    }  # fmt: skip
    metadata = {
        "file": f"{name}.json",
        "sha256": "f" * 64,
        "params": dict(TRAINING),
        "data": {"source": "synthetic", "settings": settings, "splitting": dict(SPLITTING), "sha256": "0" * 64},
        "code": "abc",
        "torch_version": "2",
        "revision": REVISION,
        **CONTRACTS[task.name](settings),
    }
    changed = {key: value for key, value in {**SCORES, task.primary_metric: 0.9, **scores}.items() if value is not None}
    return Facts(task, changed, about, metadata, HISTORY)


def write(folder: Path, networks: dict[str, Facts]) -> None:
    """What of them lies in files, below `folder`: metrics/, trained_models/history and, empty, /plots."""
    for name, found in networks.items():
        for path, content in (
            (f"metrics/{name}.json", orjson.dumps({name: found.scores})),
            (f"trained_models/history/{name}_history.json", orjson.dumps(found.history)),
            *(
                (f"trained_models/plots/{name}_{kind}.svg", b"<svg></svg>")
                for kind in ("loss", "metric", "predictions")
            ),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
