"""`python train_all_models.py`: prepare data, train, export and prove, without git or DVC, in one output folder."""

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kelly.config import params
from kelly.config.params import SharedConfig, TaskConfig
from kelly.data import splits
from kelly.data.dataset import Dataset
from kelly.data.loading import data_fingerprint, datasets_folder, load_splits, open_splits, splits_folder
from kelly.export.export_model import release
from kelly.export.registry import write_registry
from kelly.plots.curves import training_curves
from kelly.plots.reference_lines import beside
from kelly.rtneural.reader import read
from kelly.runtime.console import folder
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models
from kelly.sources.extraction.workers import workers
from kelly.sources.generate import generate, is_current
from kelly.tasks import TASKS
from kelly.training.checkpoints import CheckpointManager
from kelly.training.resume import Resume, earlier_run
from kelly.training.train_model import best_epoch, choose_device, run_fingerprint, train_model

RULE = "=" * 60


def main(params_file: Path) -> None:
    """Run the command line; defaults come from `params_file`."""
    arguments = parser(params_file).parse_args()
    given = {
        field: value for field in SharedConfig.model_fields if (value := getattr(arguments, field, None)) is not None
    }
    try:
        settings = params.load(params_file, given)
    except KellyError as error:
        options = ", ".join(f"{name} {value}" for name, value in given.items())
        raise KellyError(f"{error}" + (f"\nThe command line gave {options}" if given else "")) from None
    chosen = [settings[name] for name in model_names(arguments.models or ["all"])]
    resumed = to_resume(arguments.resume or [], chosen, Path(arguments.output))
    with lock_models(Path(arguments.output), *(s.task.name for s in chosen)):
        train_all(chosen, arguments.output, resumed, not arguments.no_history, not arguments.no_plots)


def parser(params_file: Path) -> argparse.ArgumentParser:
    """The options; those that are not given keep what `params_file` says, for each network."""
    p = argparse.ArgumentParser(
        prog="train_all_models.py",
        description="Train the five networks and export them for RTNeural.",
        epilog=f"What is not given comes from {params_file.name}; what is given counts for all networks.",
    )
    p.add_argument("--output", "-o", type=named, default="./trained_models", help="output directory (%(default)s)")
    p.add_argument("--epochs", "-e", type=int, help="number of epochs, at most (50)")
    p.add_argument("--batch-size", "-b", type=int, help="sequences a step (64)")
    p.add_argument("--device", "-d", choices=params.DEVICES, help="where to train (cpu)")
    p.add_argument("--validation-split", "-v", type=float, help="share of what is not test (0.2)")
    p.add_argument("--early-stopping-patience", type=int, help="epochs without progress before stopping (10)")
    p.add_argument("--early-stopping-min-delta", type=float, help="what counts as progress (0.001)")
    p.add_argument("--learning-rate", "-lr", type=float, help="of Adam (0.001)")
    p.add_argument(
        "--resume",
        nargs="+",
        action="extend",
        metavar="MODEL",
        help="go on from the latest checkpoint of these, or of 'all' that have one",
    )
    p.add_argument("--no-history", action="store_true", help="don't save the training history")
    p.add_argument("--no-plots", action="store_true", help="don't draw plots")
    p.add_argument("--models", nargs="+", action="extend", metavar="MODEL", help="train only these (all)")
    return p


def named(text: str) -> str:
    """The name of a folder as it was given, for what is printed."""
    folder(text)
    return text


def model_names(given: list[str]) -> list[str]:
    """Names of networks in the order of the table; 'all' means every one. Raises KellyError for an unknown one."""
    wanted = {name.lower() for name in given}
    if unknown := wanted - TASKS.keys() - {"all"}:
        known = ", ".join(task.title for task in TASKS.values())
        raise KellyError(f"unknown network {', '.join(sorted(unknown))}; expected {known} or all")
    return [name for name in TASKS if name in wanted or "all" in wanted]


def to_resume(given: list[str], chosen: list[TaskConfig], output: Path) -> list[str]:
    """The networks that go on from their checkpoints: those given by name, or of all those that have one.

    Raises KellyError for an unknown one, for one that is not among `chosen`, and where 'all' would be none.
    """
    if "all" in (name.lower() for name in given):
        manager = CheckpointManager(output / "checkpoints")
        there = [s.task.name for s in chosen if manager.latest_path(s.task.name).exists()]
        if not there:
            raise KellyError(f"{manager.checkpoint_dir} holds no *_latest.pt to go on from; look at --output, or train")
        return there
    names = model_names(given)
    if idle := set(names) - {s.task.name for s in chosen}:
        raise KellyError(f"--resume {', '.join(sorted(idle))}, which --models leaves out; name the same networks")
    return names


def train_all(
    chosen: list[TaskConfig], directory: str, resumed: list[str], save_history: bool, save_plots: bool
) -> None:
    """Train the networks one after another and export each; everything is written below `directory`."""
    output = Path(directory)
    first = chosen[0]
    device = choose_device(first.training.device)
    print(f"{RULE}\nKelly MIDI Companion - Multi-Model Training\n{RULE}")
    print(f"Output directory: {directory}")
    print(f"Validation split: {first.splitting.validation_split:.1%}")
    stopping = first.training
    print(
        f"Early stopping: patience={stopping.early_stopping_patience}, min_delta={stopping.early_stopping_min_delta}"
        f"{'' if stopping.early_stopping_min_delta_mode == 'abs' else ' of the loss'}"
    )
    print(f"Device: {device}\n\nDataset splits:", flush=True)
    for other in TASKS.keys() - {s.task.name for s in chosen}:
        if (output / f"{other}.json").exists():
            read(output / f"{other}.json")  # the registry will want it: refused before anything is trained
    root, going_on = output / "data", [s for s in chosen if s.task.name in resumed]
    for s in going_on:  # what the settings already tell, before any data is made anew
        planned = {"source": s.source, "settings": dict(s.data), "splitting": s.splitting.model_dump()}
        check_resumable(s, output, planned, planned.keys())
    for s in chosen:
        rows = prepare(s, root)
        print(f"  {s.task.label}: {len(rows['train'])} train, {len(rows['validation'])} validation", flush=True)
    for s in going_on:  # before anything is trained
        name = s.task.name
        rows = splits.load_indices(splits_folder(root, name))
        check_resumable(s, output, data_fingerprint(datasets_folder(root, name), rows, s.splitting))
    summary = []
    for i, s in enumerate(chosen, start=1):
        print(f"\n[{i}/{len(chosen)}] Training {s.task.title}...", flush=True)
        sides, fingerprint = open_splits(s, root)
        if resumed and s not in going_on:
            print(f"{s.task.title}: not among those that go on, trained from the beginning", flush=True)
        resume: Resume = "always" if s.task.name in resumed else "never"
        metrics = train_model(s.task, s.training, sides, fingerprint, output, resume=resume, save_history=save_history)
        parts = load_splits(s, root)
        if save_plots:
            training_curves(s.task, metrics.to_dict(), output / "plots", s.training.model_dump(), beside(s.task, parts))
        model = release(s.task, output, parts)
        print(f"Exported {output / s.task.name}.json, proven to {model.metadata['parity_error']:.1e}")
        best = best_epoch(metrics.to_dict())
        summary.append(f"{s.task.title}: Best epoch {best}, Val Loss: {metrics.columns['val_loss'][best - 1]:.6f}")
    write_registry(output, [name for name in TASKS if (output / f"{name}.json").exists()])
    print(f"\nTraining Summary\n{RULE}\n" + "\n".join(summary))


def check_resumable(
    settings: TaskConfig, output: Path, data: dict[str, Any], data_keys: Collection[str] | None = None
) -> None:
    """Raise KellyError where the latest checkpoint of a network is none to go on from; see `earlier_run`."""
    fingerprint = run_fingerprint(settings.task, settings.training, data)
    manager = CheckpointManager(output / "checkpoints")
    earlier_run(manager, settings.task, settings.training, fingerprint, "always", data_keys)


def prepare(settings: TaskConfig, root: Path) -> dict[str, splits.Indices]:
    """Generate one network's data unless it is there, undamaged, and divide it; returns the rows of each side."""
    name, splitting = settings.task.name, settings.splitting
    at = datasets_folder(root, name)
    if is_current(settings.task, settings.source, settings.data, at):
        dataset = Dataset.load(at)
    else:
        with workers(settings.extraction.num_workers, settings.extraction.dask):
            dataset = generate(settings.task, settings.source, settings.data, at)
    rows = splits.split_dataset(dataset, splitting.seed, splitting.validation_split, splitting.test_split)
    splits.save_indices(splits_folder(root, name), rows)
    return rows
