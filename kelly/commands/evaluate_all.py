"""`python evaluate_models.py`: score the best checkpoints of a folder on their test splits."""

import argparse
from pathlib import Path
from typing import Any

import orjson

from kelly.config import params
from kelly.data.dataset import Dataset, Sequences, hash_arrays, read_metadata
from kelly.data.loading import DATA, datasets_folder, load_with_indices
from kelly.data.splits import split_dataset
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
LABELS = {"f1": "F1 Score", "num_test_pieces": "Test Pieces"}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="evaluate_models.py", description="Score the best checkpoints of the five networks."
    )
    parser.add_argument("--checkpoint-dir", type=folder, default=Path("./trained_models/checkpoints"),
                        help="(%(default)s)")  # fmt: skip
    parser.add_argument("--output", "-o", type=folder, default=Path("./evaluation_results"), help="(%(default)s)")
    parser.add_argument("--device", "-d", choices=params.DEVICES, default="cpu", help="(%(default)s)")
    args = parser.parse_args()
    tasks = [task for task in TASKS.values() if (args.checkpoint_dir / f"{task.name}_best.pt").exists()]
    if not tasks:
        raise KellyError(
            f"{args.checkpoint_dir} has no *_best.pt; train first, or name the folder: --checkpoint-dir DIR"
        )
    # Scores and exports have the same file names: scores would replace exports.
    if args.output.resolve() == args.checkpoint_dir.resolve().parent or (args.output / REGISTRY).exists():
        raise KellyError(f"--output {args.output} contains trained networks; choose another folder for the scores")
    with lock_models(args.output, "evaluation"):
        evaluate_all(tasks, args.checkpoint_dir, args.output, args.device)


def evaluate_all(tasks: list[Task], checkpoint_dir: Path, output: Path, device_name: str) -> None:
    """Score the best checkpoints of `tasks`; write `{output}/{model}.json` for each."""
    device = choose_device(device_name)
    print(f"{RULE}\nKelly MIDI Companion - Model Evaluation\n{RULE}")
    for i, task in enumerate(tasks, start=1):
        print(f"[{i}/{len(tasks)}] Evaluating {task.title}...", flush=True)
        network, checkpoint = load_best(task, checkpoint_dir)
        print(f"  Loaded checkpoint from epoch {checkpoint['epoch']}", flush=True)
        roots = [checkpoint_dir.parent / "data", DATA, output / "data"]
        splits = find_splits(task, checkpoint["fingerprint"]["data"], roots)
        scores = evaluate(task, as_function(network, device), splits)
        text = orjson.dumps({task.name: scores}, option=orjson.OPT_INDENT_2).decode()
        write_text(output / f"{task.name}.json", text + "\n")
        print("\n".join(f"  {line}" for line in lines(scores)) + "\n", flush=True)
    if missing := [task.title for task in TASKS.values() if task not in tasks]:
        print(f"Not evaluated, no checkpoint in {checkpoint_dir}: {', '.join(missing)}")


def find_splits(task: Task, fingerprint: dict[str, Any], roots: list[Path]) -> dict[str, Sequences]:
    """The data that a checkpoint was trained on, split as it was then: found by its hash, or else generated again.

    Raises KellyError where the same settings no longer give the same data.
    """
    splitting = params.SplitConfig(**fingerprint["splitting"])
    folders = [datasets_folder(root, task.name) for root in roots]
    for at in folders:
        if (at / "dataset.json").exists() and read_metadata(at)["sha256"] == fingerprint["sha256"] == hash_arrays(at):
            break
    else:
        at = folders[-1]
        print(f"  Generating its data again ({fingerprint['source']})", flush=True)
        with workers():
            generate(task, fingerprint["source"], fingerprint["settings"], at)
        if (sha256 := read_metadata(at)["sha256"]) != fingerprint["sha256"]:
            raise KellyError(
                f"the data of {task.title} differs from what it was trained on: {fingerprint['source']} with the same "
                f"settings gives {sha256[:12]}, the checkpoint has {fingerprint['sha256'][:12]}; files or code "
                "changed, and test pieces may be among those it was trained on: train again"
            )
    indices = split_dataset(Dataset.load(at), splitting.seed, splitting.validation_split, splitting.test_split)
    return load_with_indices(at, indices, splitting)


def lines(scores: Scores) -> list[str]:
    """Scores for people, one per line with its interval; numbered ones (of single outputs) are in the JSON alone."""
    text = []
    for name, value in scores.items():
        if name.removeprefix("r2_").isdigit() or name.endswith(("_low", "_high")):
            continue
        text.append(f"{label(name)}: {number(name, value)}")
        if f"{name}_low" in scores:
            low, high = (number(name, scores[f"{name}_{end}"]) for end in ("low", "high"))
            text[-1] += f" (95%: {low} to {high})"
    return text


def number(name: str, value: float) -> str:
    """A score for people: counts as they are, losses and their differences with six digits, others with four."""
    return str(value) if isinstance(value, int) else f"{value:.{6 if name.endswith(('loss', 'gap')) else 4}f}"


def label(name: str) -> str:
    """A score's name for people: 'Top-10 Accuracy'."""
    title = " ".join(word.upper() if word in ("mae", "r2") else word.title() for word in name.split("_"))
    return LABELS.get(name, title.replace("Top ", "Top-"))
