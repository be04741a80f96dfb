"""`python train_all_models.py`: prepare data, train, export and prove, without git or DVC, in one output folder."""

import argparse
from pathlib import Path

from kelly import params, splits
from kelly.datasets.generate import generate, is_current
from kelly.datasets.sequences import Dataset
from kelly.errors import KellyError
from kelly.params import Settings, Shared
from kelly.prepared import datasets_folder, load_parts, splits_folder
from kelly.registry import write_registry
from kelly.release import release
from kelly.tasks import TASKS
from kelly.training.runs import Resume, best_epoch, choose_device, train_model

RULE = "=" * 60


def main(params_file: Path) -> None:
    """Run the command line; defaults come from `params_file`."""
    arguments = parser(params_file).parse_args()
    given = {field: value for field in Shared.model_fields if (value := getattr(arguments, field, None)) is not None}
    try:
        settings = params.load(params_file, given)
    except KellyError as error:
        options = ", ".join(f"{name} {value}" for name, value in given.items())
        raise KellyError(f"{error}" + (f"\nThe command line gave {options}" if given else "")) from None
    chosen = [settings[name] for name in model_names(arguments.models)]
    resumed = model_names(arguments.resume or [])
    if "all" not in (arguments.resume or []) and (idle := set(resumed) - {s.task.name for s in chosen}):
        raise KellyError(f"--resume {', '.join(sorted(idle))}, which --models leaves out; name the same networks")
    train_all(chosen, arguments.output, resumed, not arguments.no_history, not arguments.no_plots)


def parser(params_file: Path) -> argparse.ArgumentParser:
    """The options; those that are not given keep what `params_file` says, for each network."""
    p = argparse.ArgumentParser(
        prog="train_all_models.py",
        description="Train the five networks and export them for RTNeural.",
        epilog=f"What is not given comes from {params_file.name}; what is given counts for all networks.",
    )
    p.add_argument("--output", "-o", default="./trained_models", help="output directory (%(default)s)")
    p.add_argument("--epochs", "-e", type=int, help="number of epochs, at most (50)")
    p.add_argument("--batch-size", "-b", type=int, help="sequences a step (64)")
    p.add_argument("--device", "-d", choices=params.DEVICES, help="where to train (cpu)")
    p.add_argument("--validation-split", "-v", type=float, help="share of what is not test (0.2)")
    p.add_argument("--early-stopping-patience", type=int, help="epochs without progress before stopping (10)")
    p.add_argument("--early-stopping-min-delta", type=float, help="what counts as progress (0.001)")
    p.add_argument("--learning-rate", "-lr", type=float, help="of Adam (0.001)")
    p.add_argument(
        "--resume", nargs="+", metavar="MODEL", help="go on from the latest checkpoint of these, or of 'all'"
    )
    p.add_argument("--no-history", action="store_true", help="don't save the training history")
    p.add_argument("--no-plots", action="store_true", help="don't draw plots")
    p.add_argument("--models", nargs="+", metavar="MODEL", default=["all"], help="train only these (all)")
    return p


def model_names(given: list[str]) -> list[str]:
    """Names of networks in the order of the table; 'all' means every one. Raises KellyError for an unknown one."""
    wanted = {name.lower() for name in given}
    if unknown := wanted - TASKS.keys() - {"all"}:
        known = ", ".join(task.title for task in TASKS.values())
        raise KellyError(f"unknown network {', '.join(sorted(unknown))}; expected {known} or all")
    return [name for name in TASKS if name in wanted or "all" in wanted]


def train_all(chosen: list[Settings], directory: str, resumed: list[str], save_history: bool, save_plots: bool) -> None:
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
    root = output / "data"
    for s in chosen:
        sides = prepare(s, root)
        print(f"  {s.task.label}: {len(sides['train'])} train, {len(sides['validation'])} validation", flush=True)

    summary = []
    for i, s in enumerate(chosen, start=1):
        print(f"\n[{i}/{len(chosen)}] Training {s.task.title}...", flush=True)
        parts, about = load_parts(s, root)
        resume: Resume = "always" if s.task.name in resumed else "never"
        metrics = train_model(
            s.task, s.training, parts, about, output, resume=resume, save_history=save_history, save_plots=save_plots
        )
        model = release(s.task, output, parts)
        print(f"Exported {output / s.task.name}.json, proven to {model.metadata['parity_error']:.1e}")
        best = best_epoch(metrics.to_dict())
        summary.append(f"{s.task.title}: Best epoch {best}, Val Loss: {metrics.columns['val_loss'][best - 1]:.6f}")
    write_registry(output, [name for name in TASKS if (output / f"{name}.json").exists()])
    print(f"\nTraining Summary\n{RULE}\n" + "\n".join(summary))


def prepare(settings: Settings, root: Path) -> dict[str, splits.Rows]:
    """Generate one network's data unless it is there already, and divide it; returns the rows of each side."""
    name, splitting = settings.task.name, settings.splitting
    folder = datasets_folder(root, name)
    if is_current(settings.task, settings.source, settings.data, folder):
        dataset = Dataset.load(folder)
    else:
        dataset = generate(settings.task, settings.source, settings.data, folder)
    rows = splits.split(dataset, splitting.seed, splitting.validation_split, splitting.test_split)
    splits.save(splits_folder(root, name), rows)
    return rows
