"""One training run from settings to files: network, batches, resume, histories.

The DVC stage and the command line both call `train_model`, so that they cannot come to differ.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from kelly.config.params import TrainingConfig
from kelly.networks import Network
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models
from kelly.tasks import Task
from kelly.training.batches import Batches, Source
from kelly.training.checkpoints import CheckpointManager
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.history import TrainingMetrics
from kelly.training.loop import train
from kelly.training.resume import Resume, code_hash, differences, earlier_run, early_stopping, last_epoch

VALIDATION_BATCH = 256


def train_model(
    task: Task,
    settings: TrainingConfig,
    sides: Mapping[str, Source],
    data: Mapping[str, Any],
    output: Path,
    *,
    resume: Resume = "never",
    save_history: bool = True,
    origin: str | None = None,
    before_saving: Callable[[Network, TrainingMetrics], None] | None = None,
    after_epoch: Callable[[TrainingMetrics], None] | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> TrainingMetrics:
    """Train one network and leave checkpoints and histories under `output`, in the tree that README shows.

    sides: 'train' and 'validation'; data: what identifies the data (source, settings, hash), kept in the checkpoints
    origin: what else than data the network learned from, in words, where there is such
    before_saving, after_epoch: called when an epoch is recorded, before and after its checkpoint is written
    resume: see kelly.training.resume; raises KellyError as `earlier_run` does, and where another run is at work there
    process_group: the processes that train it, of which the first alone reads and writes `output`; raises KellyError where
        they were not given the same
    """
    device = choose_device(settings.device, process_group)
    torch.set_num_threads(settings.num_threads)
    manager = CheckpointManager(output / "checkpoints")
    fingerprint = run_fingerprint(task, settings, data, origin)
    with lock_models(output, *([task.name] if process_group.is_main_process else [])) as claims:
        agreed, state = process_group.agreed(
            lambda: (fingerprint, earlier_run(manager, task, settings, fingerprint, resume))
        )
        if unlike := differences(agreed, fingerprint):
            what = ", ".join(line.partition(":")[0] for line in unlike)
            raise KellyError(f"process {process_group.rank} of this run was given another {what} than the first; "
                             "give all of them the same")  # fmt: skip
        if state is not None:
            done = last_epoch(state, settings) is not None
            print(f"{task.title}: {'finished' if done else 'going on'} after epoch {state['epoch']}", flush=True)
        generator = torch.Generator().manual_seed(settings.seed)

        def renew() -> None:
            for held in claims:
                held.renew()

        def write(metrics: TrainingMetrics, at_once: bool = False) -> None:
            if process_group.is_main_process and save_history and (at_once or is_due(len(metrics))):
                metrics.save_json(output / "history" / f"{task.name}_history.json")
                metrics.save_csv(output / "history" / f"{task.name}_history.csv")
            if after_epoch is not None and not at_once:
                after_epoch(metrics)

        network, metrics = Network(task, settings.seed), TrainingMetrics()

        def before() -> None:
            renew()
            if before_saving is not None:
                before_saving(network, metrics)

        train(
            network,
            Batches(sides["train"], settings.batch_size, generator, device),
            Batches(sides["validation"], VALIDATION_BATCH, None, device),
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            max_gradient_norm=settings.max_gradient_norm,
            learning_rate_schedule=settings.learning_rate_schedule,
            warmup_epochs=settings.warmup_epochs,
            early_stopping=early_stopping(settings),
            checkpoint_manager=manager if process_group.is_main_process else None,
            device=device,
            fingerprint=fingerprint,
            resume_from=state,
            metrics=metrics,
            before_saving=before,
            after_epoch=write,
            process_group=process_group,
        )
        if process_group.is_main_process:
            renew()
            write(metrics, at_once=True)
            finish(manager, task, metrics, fingerprint)
    return metrics


def is_due(epoch: int) -> bool:
    """Whether the histories are written after this epoch: each, and after 200 one in a hundredth of those so far.

    They are written whole, so that ten thousand epochs would take most of their time for it. The checkpoint after
    each epoch holds them all.
    """
    return epoch % max(1, epoch // 100) == 0


def run_fingerprint(
    task: Task, settings: TrainingConfig, data: Mapping[str, Any], origin: str | None = None
) -> dict[str, Any]:
    """What a run is told by: two runs of which this is the same compute the same."""
    return {
        "training": settings.model_dump(),
        "data": dict(data),
        "network": f"{task.num_inputs} inputs, {task.layers}, {task.loss}",
        "code": code_hash(),
        "torch": str(torch.__version__),
        **({} if origin is None else {"origin": origin}),
    }


def finish(manager: CheckpointManager, task: Task, metrics: TrainingMetrics, fingerprint: dict[str, Any]) -> None:
    """Write the best checkpoint from the latest, which holds it, and say in the latest that nothing is left to do.

    The best may be gone: DVC deletes it when it starts a stage again.
    """
    state = manager.load_latest(task.name)
    epoch = best_epoch(metrics.to_dict())
    best = {
        "epoch": epoch,
        "val_loss": metrics.columns["val_loss"][epoch - 1],
        "model_state_dict": state["early_stopping"]["best_weights"],
        "fingerprint": fingerprint,
    }
    manager.save_best(task.name, best)
    manager.save_latest(task.name, {**state, "fingerprint": fingerprint, "finished": True})


def best_epoch(columns: Mapping[str, list[Any]]) -> int:
    """The epoch (from 1) with the lowest validation loss in a history."""
    losses = columns["val_loss"]
    return min(range(len(losses)), key=lambda i: losses[i]) + 1


def choose_device(name: str, process_group: ProcessGroup = SINGLE_PROCESS) -> torch.device:
    """The device called auto, cpu, cuda or mps; of several processes each gets a GPU of its own.

    Raises KellyError, listing those that are there, where it is not.
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if name == "auto":
        name = there[0]
    if name not in there:
        raise KellyError(f"device {name!r} is not on this machine; there is: {', '.join(there)} (or auto)")
    if process_group.size == 1 or name == "cpu":
        return torch.device(name)
    number = torch.cuda.device_count() if name == "cuda" else 0  # Apple's cannot add up over processes
    if process_group.local_rank >= number:
        raise KellyError(
            f"device {name!r} serves {number} of the processes of one run here, expected {process_group.local_rank + 1}; "
            "start fewer, or set device: cpu"
        )
    return torch.device(name, process_group.local_rank)
