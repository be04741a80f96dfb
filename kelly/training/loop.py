"""The training loop: train, validate, record, decide, save; the epoch that triggers the stop counts like any other."""

from collections.abc import Callable, Sized
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from kelly.config.params import ScheduleKind
from kelly.networks import Network
from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.adam import Adam, flush_denormals
from kelly.training.backprop import Backprop, State
from kelly.training.batches import Chunk, Loader, chunks, moved
from kelly.training.checkpoints import CheckpointManager
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.divergence import DivergedError, check_converging, loss_limit
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import TrainingMetrics
from kelly.training.objectives import LOSSES, METRICS, Loss
from kelly.training.resume import restore_state
from kelly.training.schedules import over_epochs


def train(
    network: Network,
    train_loader: Loader,
    val_loader: Loader | None = None,
    *,
    epochs: int = 50,
    learning_rate: float = 0.001,
    weight_decay: float = 0.0,
    max_gradient_norm: float = 0.0,
    learning_rate_schedule: ScheduleKind = "constant",
    warmup_epochs: int = 0,
    early_stopping: EarlyStopping | None = None,
    metrics: TrainingMetrics | None = None,
    checkpoint_manager: CheckpointManager | None = None,
    device: torch.device | str = "cpu",
    fingerprint: dict[str, Any] | None = None,
    resume_from: dict[str, Any] | None = None,
    before_saving: Callable[[], None] | None = None,
    after_epoch: Callable[[TrainingMetrics], None] | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> TrainingMetrics:
    """Train `network` with Adam, or AdamW where there is weight decay. Returns the history.

    The network ends with the weights of its best epoch.

    train_loader, val_loader: Batches, or what yields (inputs, targets) or (inputs, targets, mask), a DataLoader. A
        `generator` attribute is part of the checkpoint. Without a val_loader the training loss says what is best.
    weight_decay, max_gradient_norm: see Adam; learning_rate_schedule, warmup_epochs: see Schedule
    fingerprint: plain values that are kept in the checkpoints, to tell what they were trained with
    resume_from: what CheckpointManager.load_latest returned; training continues after its last epoch
    before_saving: called before each epoch is saved
    after_epoch: called with the history when an epoch is recorded and saved
    process_group: the processes that train this network, all with the same data and settings; each takes its share of every
        batch of both loaders, and the checkpoint_manager is the first one's alone

    Raises KellyError naming model, epoch and batch where a loss is not finite, or an epoch's is beyond
    `loss_limit`; the checkpoints stay as they were.
    """
    task = network.task
    network.to(device)
    passes = Backprop(network)
    schedule = over_epochs(learning_rate_schedule, warmup_epochs, epochs, train_loader)
    optimizer = Adam(passes.parameters, passes.gradient, learning_rate, weight_decay, max_gradient_norm, schedule)
    stopper = early_stopping if early_stopping is not None else EarlyStopping(patience=epochs)
    metrics = metrics if metrics is not None else TrainingMetrics()
    generator = getattr(train_loader, "generator", None)
    if resume_from is not None:
        path = "the given state" if checkpoint_manager is None else checkpoint_manager.latest_path(task.name)
        restore_state(resume_from, path, network, optimizer, stopper, metrics, generator)
        limit = resume_from["loss_limit"]
    else:
        limit = loss_limit(passes, task, train_loader, generator, process_group)

    while len(metrics) < epochs and not stopper.should_stop:
        epoch = len(metrics) + 1
        where = f"{task.title}, epoch {epoch}"
        batch_losses, train_loss, train_metric = run_epoch(passes, task, train_loader, where, optimizer, process_group)
        check_converging(batch_losses, train_loss, limit, where)
        val_loss, val_metric = (None, None)
        if val_loader is not None:
            _, val_loss, val_metric = run_epoch(passes, task, val_loader, f"{where}, validation", None, process_group)
        metrics.add(epoch, train_loss, val_loss, train_metric, val_metric)
        stopper(train_loss if val_loss is None else val_loss, network)
        if before_saving is not None:
            before_saving()
        if checkpoint_manager is not None:
            if stopper.is_best:
                best = {
                    "epoch": epoch,
                    "val_loss": val_loss,
                    "model_state_dict": stopper.best_weights,
                    "fingerprint": fingerprint,
                }
                checkpoint_manager.save_best(task.name, best)
            state = {
                "epoch": epoch,
                "finished": False,
                "loss_limit": limit,
                "model_state_dict": network.state_dict(),
                "optimizer_state_dict": optimizer.state_dict(),
                "generator_state": None if generator is None else generator.get_state(),
                "early_stopping": stopper.state_dict(),
                "metrics": metrics.to_dict(),
                "fingerprint": fingerprint,
            }
            checkpoint_manager.save_latest(task.name, state)
        print(epoch_line(task.metric_label, epochs, metrics), flush=True)
        if after_epoch is not None:
            after_epoch(metrics)

    if stopper.should_stop:
        print(f"Early stopping triggered at epoch {len(metrics)}")
    if stopper.best_value is not None:
        print(f"Best {'validation' if val_loader is not None else 'training'} loss: {stopper.best_value:.6f}")
    stopper.restore(network)
    return metrics


def run_epoch(
    passes: Backprop,
    task: Task,
    loader: Loader,
    where: str,
    optimizer: Adam | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> tuple[list[float], float, float]:
    """One pass over `loader`, learning if an optimizer is given: loss of each batch, loss and metric of the whole set.

    Of several processes all return the same. Nothing is read back from the device before the pass is over. Raises
    KellyError where a batch's loss is not finite.
    """
    loss, metric = LOSSES[task.loss], METRICS[task.metric]
    costs: list[Tensor] = []
    numbers: list[Tensor] = []
    scores: Tensor | None = None
    state: State = None
    num_before = 0
    total = len(loader) if isinstance(loader, Sized) else None
    bar = tqdm(
        desc=where, total=total, unit="batch", leave=False, disable=None if process_group.is_main_process else True
    )
    with torch.no_grad(), flush_denormals(), bar:
        for chunk in chunks(loader, passes.device, process_group):
            logits = torch.empty(len(chunk.inputs), task.num_outputs, device=passes.device)
            counts, batch_of, weights = shares(chunk, loss, process_group)
            gradient = torch.empty_like(logits)
            parts = (chunk.inputs, chunk.targets, weights, logits, gradient)
            batches = zip(*(torch.split(part, chunk.num_frames) for part in parts), strict=True)
            for i, (inputs, targets, weight, out, of_logits) in enumerate(batches):
                sizes, num_sequences = chunk.sizes[i], chunk.num_sequences[i]
                if sizes:
                    if passes.recurrent:
                        passes.start(inherited(state, num_before, num_sequences, process_group))
                    passes.forward(inputs, sizes, out)
                if optimizer is not None:
                    if sizes:
                        passes.backward(loss.gradient(out, targets, of_logits).mul_(weight))
                    else:
                        passes.gradient.zero_()
                    process_group.sum_(passes.gradient)
                    optimizer.step()
                    if sizes and passes.recurrent:
                        state = passes.ends(chunk.last_frames[i])
                    num_before = num_sequences
            cost = loss.costs(logits, chunk.targets)
            cost = cost if chunk.mask is None else torch.where(chunk.mask, cost, 0.0)
            of_frames = cost if cost.dim() == 1 else cost.sum(dim=1)
            costs.append(torch.zeros_like(counts, dtype=cost.dtype).index_add_(0, batch_of, of_frames))
            numbers.append(counts)
            chunk_scores = metric.sums(logits, chunk.targets, chunk.mask)
            scores = chunk_scores if scores is None else scores + chunk_scores
            bar.update(len(chunk.sizes))
    if scores is None:
        raise KellyError(f"{where}: there is no data; expected at least one batch")
    scores = scores.cpu()
    totals, number = (torch.cat(parts).cpu().double() for parts in (costs, numbers))
    process_group.sum_(totals)
    process_group.sum_(scores)
    broken = (~totals.isfinite()).nonzero()
    if len(broken):
        raise DivergedError(
            f"{where}, batch {int(broken[0]) + 1} of {len(totals)}: the loss is {float(totals[broken[0]])}; the best "
            "checkpoint is as it was. Lower learning_rate, or look for values in the data that are not finite"
        )
    losses = (totals / number.clamp(min=1)).tolist()
    return losses, float(totals.sum() / number.sum()), metric.value(scores)


def shares(chunk: Chunk, loss: Loss, process_group: ProcessGroup = SINGLE_PROCESS) -> tuple[Tensor, Tensor, Tensor]:
    """How many costs of each batch are there, int64[batches]; the batch of each frame, int64[frames]; and the loss's
    factor times the share of each target in its batch's mean loss: float32[frames, 1], [frames, out] where some lack.

    Batches are those of all processes, frames those of this one.
    """
    device = chunk.inputs.device
    frames = moved(torch.tensor(chunk.num_frames), device)
    batches = torch.arange(len(frames), device=device)
    batch_of = batches.repeat_interleave(frames, output_size=len(chunk.inputs))
    if chunk.mask is None:
        counts = frames * (1 if loss.one_a_frame else chunk.targets.shape[1:].numel())
    else:
        mask = chunk.mask if chunk.mask.dim() > 1 else chunk.mask[:, None]
        counts = torch.zeros_like(frames).index_add_(0, batch_of, mask.sum(dim=1))
    process_group.sum_(counts)
    share = (loss.factor / counts.clamp(min=1))[batch_of][:, None]
    return counts, batch_of, share if chunk.mask is None else share * mask


def inherited(state: State, num_before: int, num_sequences: int, process_group: ProcessGroup = SINGLE_PROCESS) -> State:
    """The state that the next sequences start in: every other one as a sequence before it ended, the rest from zero.

    state: in which those of this process ended; num_before, num_sequences: how many all processes had in the batch
        before, and have in this one

    The plugin never resets an LSTM. A network that only ever started from zero is lost in the state that an earlier
    piece left behind; one that knows both starts serves after a reset and without.
    """
    if state is None or num_before < num_sequences:
        return None
    places = torch.arange(process_group.rank, num_sequences, process_group.size, device=state[0][0].device)
    every_other, own = (places % 2 == 1)[:, None], len(places)
    return [
        (torch.where(every_other, hidden[:own], 0.0), torch.where(every_other, cell[:own], 0.0))
        for hidden, cell in state
    ]


def epoch_line(label: str, epochs: int, metrics: TrainingMetrics) -> str:
    """The last epoch as one line."""
    epoch, train_loss, val_loss, train_metric, val_metric = (column[-1] for column in metrics.columns.values())
    parts = [f"Epoch {epoch}/{epochs}", f"Train Loss: {train_loss:.6f}"]
    if val_loss is not None and isfinite(val_loss):
        parts.append(f"Val Loss: {val_loss:.6f}")
    parts.append(f"Train {label}: {train_metric:.4f}")
    if val_metric is not None:
        parts.append(f"Val {label}: {val_metric:.4f}")
    return " | ".join(parts)
