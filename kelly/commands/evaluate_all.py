"""`python evaluate_models.py`: score the best checkpoints of a folder on the test side that they never saw."""

import argparse
from pathlib import Path
from typing import Any

import orjson

from kelly.config import params
from kelly.data import splits
from kelly.data.dataset import Dataset, Sequences, hash_arrays, read_metadata
from kelly.data.loading import DATA, datasets_folder, load_with_indices
from kelly.evaluation.evaluate import evaluate
from kelly.evaluation.metrics import Scores
from kelly.export.export_model import as_function, load_best
from kelly.export.registry import REGISTRY
from kelly.runtime.atomic import write_text
from kelly.runtime.console import folder
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models
from kelly.sources.extraction.workers import workers
from kelly.sources.generate import generate
from kelly.tasks import TASKS, Task
from kelly.training.train_model import choose_device

RULE = "=" * 60
LABELS = {"mae": "MAE", "r2": "R2", "f1": "F1 Score", "num_test_pieces": "Test Pieces"}


def main() -> None:
    """Run the command line."""
    p = argparse.ArgumentParser(
        prog="evaluate_models.py", description="Score the best checkpoints of the five networks."
    )
    p.add_argument("--checkpoint-dir", type=folder, default=Path("./trained_models/checkpoints"), help="(%(default)s)")
    p.add_argument("--output", "-o", type=folder, default=Path("./evaluation_results"), help="(%(default)s)")
    p.add_argument("--device", "-d", choices=params.DEVICES, default="cpu", help="(%(default)s)")
    arguments = p.parse_args()
    there = [task for task in TASKS.values() if (arguments.checkpoint_dir / f"{task.name}_best.pt").exists()]
    if not there:
        raise KellyError(
            f"{arguments.checkpoint_dir} holds no *_best.pt; train first, or name the folder: --checkpoint-dir DIR"
        )
    # Both commands name their files after the networks: scores would take the place of exports.
    if (
        arguments.output.resolve() == arguments.checkpoint_dir.resolve().parent
        or (arguments.output / REGISTRY).exists()
    ):
        raise KellyError(
            f"--output {arguments.output} holds trained networks; choose a folder of its own for the scores"
        )
    with lock_models(arguments.output, "evaluation"):
        evaluate_all(there, arguments.checkpoint_dir, arguments.output, arguments.device)


def evaluate_all(there: list[Task], checkpoint_dir: Path, output: Path, device_name: str) -> None:
    """Score the networks of the tasks `there` from their best checkpoints; write `{output}/{model}.json` for each."""
    device = choose_device(device_name)
    print(f"{RULE}\nKelly MIDI Companion - Model Evaluation\n{RULE}")
    for i, task in enumerate(there, start=1):
        print(f"[{i}/{len(there)}] Evaluating {task.title}...", flush=True)
        network, checkpoint = load_best(task, checkpoint_dir)
        print(f"  Loaded checkpoint from epoch {checkpoint['epoch']}", flush=True)
        roots = [checkpoint_dir.parent / "data", DATA, output / "data"]
        parts = test_parts(task, checkpoint["fingerprint"]["data"], roots)
        scores = evaluate(task, as_function(network, device), parts)
        text = orjson.dumps({task.name: scores}, option=orjson.OPT_INDENT_2).decode()
        write_text(output / f"{task.name}.json", text + "\n")
        print("\n".join(f"  {line}" for line in lines(scores)) + "\n", flush=True)
    if missing := [task.title for task in TASKS.values() if task not in there]:
        print(f"Not evaluated, no checkpoint in {checkpoint_dir}: {', '.join(missing)}")


def test_parts(task: Task, about: dict[str, Any], roots: list[Path]) -> dict[str, Sequences]:
    """The data that a checkpoint was trained on, divided as it was then: found by its hash, or else made anew.

    Raises KellyError where the same settings no longer give the same data.
    """
    splitting = params.SplitConfig(**about["splitting"])
    folders = [datasets_folder(root, task.name) for root in roots]
    for at in folders:
        if (at / "dataset.json").exists() and read_metadata(at)["sha256"] == about["sha256"] == hash_arrays(at):
            break
    else:
        at = folders[-1]
        print(f"  Preparing its data again ({about['source']})", flush=True)
        with workers():
            generate(task, about["source"], about["settings"], at)
        if read_metadata(at)["sha256"] != about["sha256"]:
            found, expected = read_metadata(at)["sha256"][:12], about["sha256"][:12]
            raise KellyError(
                f"the data of {task.title} is not what it was trained on: {about['source']} with the same settings "
                f"gives {found}, the checkpoint says {expected}; files or code changed, and test pieces may be among "
                "those it learned from: train again"
            )
    rows = splits.split_dataset(Dataset.load(at), splitting.seed, splitting.validation_split, splitting.test_split)
    return load_with_indices(at, rows, splitting)


def lines(scores: Scores) -> list[str]:
    """Scores for people, a line each, with its interval; numbered ones (of single outputs) stand in the JSON only."""
    shown = []
    for name, value in scores.items():
        if name.removeprefix("r2_").isdigit() or name.endswith(("_low", "_high")):
            continue
        shown.append(f"{label(name)}: {number(name, value)}")
        if f"{name}_low" in scores:
            low, high = (number(name, scores[f"{name}_{end}"]) for end in ("low", "high"))
            shown[-1] += f" (95%: {low} to {high})"
    return shown


def number(name: str, value: float) -> str:
    """A score as people read it: counts whole, losses and their differences with six digits, others with four."""
    return str(value) if isinstance(value, int) else f"{value:.{6 if name.endswith(('loss', 'gap')) else 4}f}"


def label(name: str) -> str:
    """A score's name as people write it: 'Top-10 Accuracy'."""
    if name in LABELS:
        return LABELS[name]
    words = [word if word.isdigit() else {"mae": "MAE", "r2": "R2"}.get(word, word.title()) for word in name.split("_")]
    return " ".join(words).replace("Top ", "Top-")
