"""The training loop: train, validate, record, check early stopping, save."""

from collections.abc import Sized
from copy import deepcopy
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from kelly.networks import Network
from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.adam import Adam, flush_denormals
from kelly.training.backprop import Backprop, LSTMStates
from kelly.training.batches import Chunk, Loader, chunks, to_device
from kelly.training.checkpoints import CheckpointManager, best_checkpoint
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.divergence import DivergedError, check_converging, loss_limit
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import COLUMNS, TrainingMetrics
from kelly.training.objectives import LOSSES, METRICS, Loss
from kelly.training.options import OptimizationConfig, RunOptions
from kelly.training.resume import restore_state
from kelly.training.schedules import over_epochs


def train(
    network: Network,
    train_loader: Loader,
    val_loader: Loader | None = None,
    *,
    config: OptimizationConfig | None = None,
    early_stopping: EarlyStopping | None = None,
    metrics: TrainingMetrics | None = None,
    checkpoint_manager: CheckpointManager | None = None,
    run: RunOptions | None = None,
) -> TrainingMetrics:
    """Train `network` with Adam or AdamW, leave it with the weights of its best epoch, and return the history.

    train_loader, val_loader: Batches, or an iterable of (inputs, targets) or (inputs, targets, mask) such as a
        DataLoader. The state of a `generator` attribute is part of the checkpoint. Without a val_loader the training
        loss determines the best epoch.
    early_stopping: default: no early stopping; checkpoint_manager: default: no checkpoints
    run: with several processes each takes its share of every batch; only the main one should have a checkpoint_manager

    Raises KellyError naming model, epoch and batch if a loss is not finite, or that of an epoch exceeds `loss_limit`;
    the checkpoints are then unchanged. Raises it too if `run.resume_from` does not fit.
    """
    config, run = config or OptimizationConfig(), run or RunOptions()
    task, epochs, process_group = network.task, config.epochs, run.process_group
    network.to(config.device)
    backprop = Backprop(network)
    schedule = over_epochs(config.learning_rate_schedule, config.warmup_epochs, epochs, train_loader)
    optimizer = Adam(
        backprop.parameters, backprop.gradient,
        config.learning_rate, config.weight_decay, config.max_gradient_norm, schedule,
    )  # fmt: skip
    best_optimizer_state: dict[str, Any] | None = None
    stopper = early_stopping if early_stopping is not None else EarlyStopping(patience=epochs)
    metrics = metrics if metrics is not None else TrainingMetrics()
    generator = getattr(train_loader, "generator", None)
    if run.resume_from is not None:
        path = "resume_from" if checkpoint_manager is None else checkpoint_manager.latest_path(task.name)
        restore_state(run.resume_from, path, network, optimizer, stopper, metrics, generator)
        limit, best_optimizer_state = run.resume_from["loss_limit"], run.resume_from["best_optimizer_state_dict"]
        if run.custom_metrics is None and (custom := list(metrics.columns)[len(COLUMNS) :]):
            raise KellyError(f"{path} has the metrics {', '.join(custom)}; resume with the custom_metrics of that run")
    else:
        limit = loss_limit(backprop, task, train_loader, generator, process_group)

    while len(metrics) < epochs and not stopper.should_stop:
        epoch = len(metrics) + 1
        where = f"{task.title}, epoch {epoch}"
        losses, train_loss, train_metric = run_epoch(backprop, task, train_loader, where, optimizer, process_group)
        check_converging(losses, train_loss, limit, where)
        val_loss, val_metric = (None, None)
        if val_loader is not None:
            _, val_loss, val_metric = run_epoch(backprop, task, val_loader, f"{where}, validation", None, process_group)
        with torch.no_grad():
            custom_values = {} if run.custom_metrics is None else run.custom_metrics(network)
        metrics.add(epoch, train_loss, val_loss, train_metric, val_metric, **custom_values)
        stopper(train_loss if val_loss is None else val_loss, network)
        if stopper.is_best:
            best_optimizer_state = deepcopy(optimizer.state_dict())
        if run.before_checkpoint is not None:
            run.before_checkpoint(network, metrics)
        if checkpoint_manager is not None:
            state = {
                "epoch": epoch,
                "finished": False,
                "loss_limit": limit,
                "model_state_dict": network.state_dict(),
                "optimizer_state_dict": optimizer.state_dict(),
                "best_optimizer_state_dict": best_optimizer_state,
                "generator_state": None if generator is None else generator.get_state(),
                "early_stopping": stopper.state_dict(),
                "metrics": metrics.to_dict(),
                "fingerprint": run.fingerprint,
            }
            if stopper.is_best:
                checkpoint_manager.save_best(task.name, best_checkpoint(state, epoch))
            checkpoint_manager.save_latest(task.name, state)
        print(epoch_line(task.metric_label, epochs, metrics), flush=True)
        if run.after_epoch is not None:
            run.after_epoch(metrics)

    if stopper.should_stop:
        print(f"Early stopping triggered at epoch {len(metrics)}")
    if stopper.best_value is not None:
        print(f"Best {'validation' if val_loader is not None else 'training'} loss: {stopper.best_value:.6f}")
    stopper.restore(network)
    return metrics


def run_epoch(
    backprop: Backprop,
    task: Task,
    loader: Loader,
    where: str,
    optimizer: Adam | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> tuple[list[float], float, float]:
    """Make one pass over `loader`, and train if there is an optimizer. Returns batch losses, mean loss, metric.

    All processes return the same. Nothing is read back from the device during the pass. Raises KellyError if the loss
    of a batch is not finite.
    """
    loss, metric = LOSSES[task.loss], METRICS[task.metric]
    batch_totals: list[Tensor] = []
    batch_counts: list[Tensor] = []
    metric_sums: Tensor | None = None
    state: LSTMStates = None
    previous_size = 0
    bar = tqdm(
        desc=where, total=len(loader) if isinstance(loader, Sized) else None, unit="batch", leave=False,
        disable=None if process_group.is_main_process else True,
    )  # fmt: skip
    with torch.no_grad(), flush_denormals(), bar:
        for chunk in chunks(loader, backprop.device, process_group):
            logits = torch.empty(len(chunk.inputs), task.num_outputs, device=backprop.device)
            counts, batch_index, weights = loss_weights(chunk, loss, process_group)
            tensors = (chunk.inputs, chunk.targets, weights, logits, torch.empty_like(logits))
            batches = zip(*(torch.split(tensor, chunk.num_frames) for tensor in tensors), strict=True)
            for i, (inputs, targets, weight, out, gradient) in enumerate(batches):
                sizes, num_sequences = chunk.sizes[i], chunk.num_sequences[i]
                if sizes:
                    backprop.set_initial_state(carried_state(state, previous_size, num_sequences, process_group))
                    backprop.forward(inputs, sizes, out)
                if optimizer is not None:
                    if sizes:
                        backprop.backward(loss.gradient(out, targets, gradient).mul_(weight))
                        state = backprop.final_state(chunk.last_frames[i])
                    else:
                        backprop.gradient.zero_()
                    process_group.all_reduce_(backprop.gradient)
                    optimizer.step()
                    previous_size = num_sequences
            losses = loss.elementwise(logits, chunk.targets)
            losses = losses if chunk.mask is None else torch.where(chunk.mask, losses, 0.0)
            frame_losses = losses if losses.dim() == 1 else losses.sum(dim=1)
            batch_totals.append(torch.zeros_like(counts, dtype=losses.dtype).index_add_(0, batch_index, frame_losses))
            batch_counts.append(counts)
            chunk_sums = metric.sums(logits, chunk.targets, chunk.mask)
            metric_sums = chunk_sums if metric_sums is None else metric_sums + chunk_sums
            bar.update(len(chunk.sizes))
    if metric_sums is None:
        raise KellyError(f"{where}: there is no data; expected at least one batch")
    metric_sums = metric_sums.cpu()
    totals, counts = (torch.cat(tensors).cpu().double() for tensors in (batch_totals, batch_counts))
    process_group.all_reduce_(totals)
    process_group.all_reduce_(metric_sums)
    not_finite = (~totals.isfinite()).nonzero()
    if len(not_finite):
        raise DivergedError(
            f"{where}, batch {int(not_finite[0]) + 1} of {len(totals)}: the loss is {float(totals[not_finite[0]])}; "
            "the best checkpoint is unchanged. Lower learning_rate, or look for values in the data that are not finite"
        )
    batch_losses = (totals / counts.clamp(min=1)).tolist()
    return batch_losses, float(totals.sum() / counts.sum()), metric.compute(metric_sums)


def loss_weights(chunk: Chunk, loss: Loss, process_group: ProcessGroup = SINGLE_PROCESS) -> tuple[Tensor, ...]:
    """The weight of each target in the gradient of its batch's mean loss, with the factor of the loss.

    Returns the number of loss terms of each batch, int64[batches], in all processes; the batch of each frame of this
    process, int64[frames]; and the weights, float32[frames, 1], or [frames, out] if the chunk has a mask.
    """
    device = chunk.inputs.device
    num_frames = to_device(torch.tensor(chunk.num_frames), device)
    batch_index = torch.arange(len(num_frames), device=device)
    batch_index = batch_index.repeat_interleave(num_frames, output_size=len(chunk.inputs))
    if chunk.mask is None:
        counts = num_frames * (1 if loss.per_frame else chunk.targets.shape[1:].numel())
    else:
        mask = chunk.mask if chunk.mask.dim() > 1 else chunk.mask[:, None]
        counts = torch.zeros_like(num_frames).index_add_(0, batch_index, mask.sum(dim=1))
    process_group.all_reduce_(counts)
    weights = (loss.factor / counts.clamp(min=1))[batch_index][:, None]
    return counts, batch_index, weights if chunk.mask is None else weights * mask


def carried_state(
    state: LSTMStates, previous_size: int, num_sequences: int, process_group: ProcessGroup = SINGLE_PROCESS
) -> LSTMStates:
    """The initial state of a batch: every other sequence continues from the previous batch, the rest start at zero.

    state: the final state of this process's share of the previous batch
    previous_size, num_sequences: size of the previous and of this batch, over all processes

    The plugin never resets an LSTM. A network trained from zero states only fails in the state that an earlier piece
    left behind; one trained on both works with and without a reset.
    """
    if state is None or previous_size < num_sequences:
        return None
    positions = torch.arange(process_group.rank, num_sequences, process_group.world_size, device=state[0][0].device)
    continues, n = (positions % 2 == 1)[:, None], len(positions)
    return [(torch.where(continues, h[:n], 0.0), torch.where(continues, c[:n], 0.0)) for h, c in state]


def epoch_line(label: str, epochs: int, metrics: TrainingMetrics) -> str:
    """The console line of the last epoch."""
    epoch, train_loss, val_loss, train_metric, val_metric = (metrics.columns[name][-1] for name in COLUMNS)
    parts = [f"Epoch {epoch}/{epochs}", f"Train Loss: {train_loss:.6f}"]
    if val_loss is not None and isfinite(val_loss):
        parts.append(f"Val Loss: {val_loss:.6f}")
    parts.append(f"Train {label}: {train_metric:.4f}")
    if val_metric is not None:
        parts.append(f"Val {label}: {val_metric:.4f}")
    return " | ".join(parts)
