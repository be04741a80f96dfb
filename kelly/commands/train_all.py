"""`python train_all_models.py`: the stages of the pipeline without git or DVC, in one output folder."""

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kelly.config import params
from kelly.config.params import SharedConfig, TaskConfig
from kelly.data.loading import datasets_folder, load_splits, open_splits, split_data
from kelly.data.splits import Indices
from kelly.export.export_model import export_model
from kelly.export.registry import REGISTRY, write_registry
from kelly.plots.curves import plot_curves, reference_lines
from kelly.rtneural.reader import read
from kelly.runtime.console import folder
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models, waiting_lock
from kelly.sources.generate import generate_data, is_current
from kelly.tasks import TASKS
from kelly.training.checkpoints import CheckpointManager
from kelly.training.fingerprint import run_fingerprint
from kelly.training.resume import Resume, earlier_run
from kelly.training.train_model import best_epoch, choose_device, train_model

RULE = "=" * 60


def main(params_file: Path) -> None:
    """Run the command line; options that are not given keep what `params_file` says, for each network."""
    args = build_parser(params_file).parse_args()
    options = {name: value for name in SharedConfig.model_fields if (value := getattr(args, name, None)) is not None}
    try:
        configs = params.load(params_file, options)
    except KellyError as error:
        given = ", ".join(f"{name} {value}" for name, value in options.items())
        raise KellyError(f"{error}" + (f"\nOptions of the command line: {given}" if given else "")) from None
    chosen = [configs[name] for name in model_names(args.models or ["all"])]
    resuming = to_resume(args.resume or [], chosen, Path(args.output))
    with lock_models(Path(args.output), *(config.task.name for config in chosen)):
        train_all(chosen, args.output, resuming, save_history=not args.no_history, save_plots=not args.no_plots)


def build_parser(params_file: Path) -> argparse.ArgumentParser:
    """The options of the seed document, and --models."""
    parser = argparse.ArgumentParser(
        prog="train_all_models.py",
        description="Train the five networks and export them for RTNeural.",
        epilog=f"Options that are not given come from {params_file.name}; given ones hold for all networks.",
    )
    parser.add_argument("--output", "-o", type=named, default="./trained_models", help="output directory (%(default)s)")
    parser.add_argument("--epochs", "-e", type=int, help="number of epochs, at most (50)")
    parser.add_argument("--batch-size", "-b", type=int, help="sequences per step (64)")
    parser.add_argument("--device", "-d", choices=params.DEVICES, help="device (cpu)")
    parser.add_argument("--validation-split", "-v", type=float, help="share of the pieces that are not test (0.2)")
    parser.add_argument("--early-stopping-patience", type=int, help="epochs without improvement before stopping (10)")
    parser.add_argument("--early-stopping-min-delta", type=float, help="what counts as improvement (0.001)")
    parser.add_argument("--learning-rate", "-lr", type=float, help="of Adam (0.001)")
    parser.add_argument("--resume", nargs="+", action="extend", metavar="MODEL",
                        help="continue from the latest checkpoint of these, or of 'all' that have one")  # fmt: skip
    parser.add_argument("--no-history", action="store_true", help="don't save the training history")
    parser.add_argument("--no-plots", action="store_true", help="don't generate plots")
    parser.add_argument("--models", nargs="+", action="extend", metavar="MODEL", help="train only these (all)")
    return parser


def named(text: str) -> str:
    """The name of a folder as it was given, for what is printed."""
    folder(text)
    return text


def model_names(names: list[str]) -> list[str]:
    """Names of networks in the order of TASKS; 'all' means every one. Raises KellyError for an unknown one."""
    requested = {name.lower() for name in names}
    if unknown := requested - TASKS.keys() - {"all"}:
        known = ", ".join(task.title for task in TASKS.values())
        raise KellyError(f"unknown network {', '.join(sorted(unknown))}; expected {known} or all")
    return [name for name in TASKS if name in requested or "all" in requested]


def to_resume(names: list[str], chosen: list[TaskConfig], output: Path) -> list[TaskConfig]:
    """The networks that continue from their checkpoints: those named, or for 'all' those that have one.

    Raises KellyError for an unknown one, for one that is not among `chosen`, and where 'all' would be none.
    """
    if "all" in (name.lower() for name in names):
        manager = CheckpointManager(output / "checkpoints")
        found = [config for config in chosen if manager.latest_path(config.task.name).exists()]
        if not found:
            raise KellyError(f"{manager.checkpoint_dir} has no *_latest.pt to continue from; check --output, or train")
        return found
    resumed = model_names(names)
    if excluded := set(resumed) - {config.task.name for config in chosen}:
        raise KellyError(f"--resume {', '.join(sorted(excluded))} is excluded by --models; name the same networks")
    return [config for config in chosen if config.task.name in resumed]


def train_all(
    chosen: list[TaskConfig], directory: str, resuming: list[TaskConfig], *, save_history: bool, save_plots: bool
) -> None:
    """Train and export the networks one after another; everything is written below `directory`."""
    output, root = Path(directory), Path(directory) / "data"
    training = chosen[0].training
    print(f"{RULE}\nKelly MIDI Companion - Multi-Model Training\n{RULE}")
    print(f"Output directory: {directory}")
    print(f"Validation split: {chosen[0].splitting.validation_split:.1%}")
    unit = "" if training.early_stopping_min_delta_mode == "abs" else " of the loss"
    print(f"Early stopping: patience={training.early_stopping_patience}, "
          f"min_delta={training.early_stopping_min_delta}{unit}")  # fmt: skip
    print(f"Device: {choose_device(training.device)}\n\nDataset splits:", flush=True)
    for other in TASKS.keys() - {config.task.name for config in chosen}:
        if (output / f"{other}.json").exists():
            read(output / f"{other}.json")  # the registry will need it: refused before anything is trained
    for config in resuming:  # what is known before any data is generated
        data = {"source": config.source, "settings": dict(config.data), "splitting": config.splitting.model_dump()}
        check_resumable(config, output, data, data.keys())
    for config in chosen:
        rows = prepare_data(config, root)
        print(f"  {config.task.label}: {len(rows['train'])} train, {len(rows['validation'])} validation", flush=True)
    for config in resuming:  # before anything is trained
        check_resumable(config, output, open_splits(config, root)[1])
    summary = []
    for i, config in enumerate(chosen, start=1):
        task = config.task
        print(f"\n[{i}/{len(chosen)}] Training {task.title}...", flush=True)
        if resuming and config not in resuming:
            print(f"{task.title}: not among those resumed, trained from scratch", flush=True)
        views, fingerprint = open_splits(config, root)
        resume: Resume = "always" if config in resuming else "never"
        metrics = train_model(
            task, config.training, views, fingerprint, output, resume=resume, save_history=save_history
        )
        splits, history = load_splits(config, root), metrics.to_dict()
        if save_plots:
            plot_curves(task, history, output / "plots", config.training.model_dump(), reference_lines(task, splits))
        model = export_model(task, output, splits)
        print(f"Exported {output / task.name}.json, parity error {model.metadata['parity_error']:.1e}")
        best = best_epoch(history)
        summary.append(f"{task.title}: Best epoch {best}, Val Loss: {history['val_loss'][best - 1]:.6f}")
    with waiting_lock(output / REGISTRY):  # of all exports: another run may be adding others
        write_registry(output, [name for name in TASKS if (output / f"{name}.json").exists()])
    print(f"\nTraining Summary\n{RULE}\n" + "\n".join(summary))


def check_resumable(
    config: TaskConfig, output: Path, data: dict[str, Any], data_keys: Collection[str] | None = None
) -> None:
    """Raise KellyError where a network cannot continue from its latest checkpoint; see `earlier_run`."""
    fingerprint = run_fingerprint(config.task, config.training, data)
    manager = CheckpointManager(output / "checkpoints")
    earlier_run(manager, config.task, config.training, fingerprint, "always", data_keys)


def prepare_data(config: TaskConfig, root: Path) -> dict[str, Indices]:
    """Generate one network's data unless it exists, undamaged and current; split it, and return the rows of each."""
    if not is_current(config.task, config.source, config.data, datasets_folder(root, config.task.name)):
        generate_data(config, root)
    return split_data(config, root)
