"""One training run from settings to files. The DVC stage and the command line both call `train_model`."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from kelly.config.params import TrainingConfig
from kelly.networks import Network
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models
from kelly.tasks import Task
from kelly.training.batches import Batches, Source
from kelly.training.checkpoints import CheckpointManager, best_checkpoint, differences
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.fingerprint import run_fingerprint
from kelly.training.history import TrainingMetrics
from kelly.training.loop import train
from kelly.training.options import OptimizationConfig, RunOptions
from kelly.training.resume import Resume, earlier_run, early_stopping, last_epoch

VALIDATION_BATCH = 256
OPTIMIZATION = {field.name for field in fields(OptimizationConfig)}


def train_model(
    task: Task,
    settings: TrainingConfig,
    splits: Mapping[str, Source],
    data: Mapping[str, Any],
    output: Path,
    *,
    resume: Resume = "never",
    save_history: bool = True,
    run: RunOptions | None = None,
) -> TrainingMetrics:
    """Train one network and write its checkpoints and history below `output`.

    splits: 'train' and 'validation'; data: fingerprint of the data (source, settings, hash)
    resume: see kelly.training.resume, which determines run.resume_from
    run: its fingerprint is added to that of the run, such as the origin of targets that are not in the data

    Raises KellyError as `earlier_run` and `train` do, if another run is writing to `output`, or if the processes of the
    run were not started with the same settings. Only the main process reads and writes `output`.
    """
    run = run or RunOptions()
    process_group = run.process_group
    device = choose_device(settings.device, process_group)
    torch.set_num_threads(settings.num_threads)
    manager = CheckpointManager(output / "checkpoints")
    fingerprint = run_fingerprint(task, settings, data) | (run.fingerprint or {})
    with lock_models(output, *([task.name] if process_group.is_main_process else [])) as locks:
        main_fingerprint, state = process_group.broadcast(
            lambda: (fingerprint, earlier_run(manager, task, settings, fingerprint, resume))
        )
        if lines := differences(main_fingerprint, fingerprint):
            names = ", ".join(line.partition(":")[0] for line in lines)
            raise KellyError(f"process {process_group.rank} of this run has another {names} than process 0; start all "
                             "of them with the same settings and data")  # fmt: skip
        if state is not None:
            finished = last_epoch(state, settings) is not None
            print(f"{task.title}: {'finished' if finished else 'resuming'} after epoch {state['epoch']}", flush=True)

        def write_history(metrics: TrainingMetrics) -> None:
            if process_group.is_main_process and save_history:
                metrics.save_json(output / "history" / f"{task.name}_history.json")
                metrics.save_csv(output / "history" / f"{task.name}_history.csv")

        def before_checkpoint(network: Network, metrics: TrainingMetrics) -> None:
            for lock in locks:
                lock.renew()
            if run.before_checkpoint is not None:
                run.before_checkpoint(network, metrics)

        def after_epoch(metrics: TrainingMetrics) -> None:
            if is_due(len(metrics)):
                write_history(metrics)
            if run.after_epoch is not None:
                run.after_epoch(metrics)

        options = replace(run, fingerprint=fingerprint, resume_from=state)
        options = replace(options, before_checkpoint=before_checkpoint, after_epoch=after_epoch)
        generator = torch.Generator().manual_seed(settings.seed)
        metrics = train(
            Network(task, settings.seed),
            Batches(splits["train"], settings.batch_size, generator, device),
            Batches(splits["validation"], VALIDATION_BATCH, None, device),
            config=OptimizationConfig(**{**settings.model_dump(include=OPTIMIZATION), "device": device}),
            early_stopping=early_stopping(settings),
            checkpoint_manager=manager if process_group.is_main_process else None,
            run=options,
        )
        if process_group.is_main_process:
            for lock in locks:
                lock.renew()
            write_history(metrics)
            if run.before_finish is not None:
                run.before_finish()
            finish(manager, task, fingerprint)
    return metrics


def is_due(epoch: int) -> bool:
    """Whether the history is written after this epoch: after each of the first 200, then ever more rarely.

    The files are rewritten as a whole, which would take most of the time of ten thousand epochs. The latest checkpoint
    always has the complete history.
    """
    return epoch % max(1, epoch // 100) == 0


def finish(manager: CheckpointManager, task: Task, fingerprint: dict[str, Any]) -> None:
    """Mark the latest checkpoint as finished, and write the best one from it: DVC deletes it when a stage restarts."""
    state = {**manager.load_latest(task.name), "fingerprint": fingerprint, "finished": True}
    manager.save_best(task.name, best_checkpoint(state, best_epoch(state["metrics"])))
    manager.save_latest(task.name, state)


def best_epoch(columns: Mapping[str, list[Any]]) -> int:
    """The epoch (from 1) with the lowest validation loss in a history."""
    losses = columns["val_loss"]
    return losses.index(min(losses)) + 1


def choose_device(name: str, process_group: ProcessGroup = SINGLE_PROCESS) -> torch.device:
    """The device of a name (auto, cpu, cuda, mps); each of several processes gets its own GPU.

    Raises KellyError, listing the available ones, if it is not available.
    """
    available = [kind for kind in ("cuda", "mps") if getattr(torch, kind).is_available()] + ["cpu"]
    if name == "auto":
        name = available[0]
    if name not in available:
        raise KellyError(f"device {name!r} is not available on this machine; choose auto or {', '.join(available)}")
    if process_group.world_size == 1 or name == "cpu":
        return torch.device(name)
    num_gpus = torch.cuda.device_count() if name == "cuda" else 0  # mps has no all-reduce
    if process_group.local_rank >= num_gpus:
        raise KellyError(
            f"device {name!r} supports {num_gpus} processes of one run on this machine, found "
            f"{process_group.local_rank + 1}; start fewer, or set device: cpu"
        )
    return torch.device(name, process_group.local_rank)
