"""Ensembles, and two ways to turn one into a single network, since the plugin loads one file per network.

Members have the same settings and differ in the seed (initial weights and batch order), or each is trained without
another fold. The mean of their outputs has a lower loss than one network, at several times the cost. Single networks
made from them: the mean of the weights of one member's best epochs, and a network trained on the mean outputs of all
members (Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly.config.params import TaskConfig
from kelly.data import splits
from kelly.data.dataset import Sequences
from kelly.data.loading import DATA, open_splits
from kelly.evaluation.evaluate import Network as Function
from kelly.evaluation.metrics import Predictions, mean_loss
from kelly.experiments.crossval import all_folds
from kelly.experiments.parallel import run_parallel
from kelly.export.export_model import as_function, load_best
from kelly.networks import Network
from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.training.batches import Source
from kelly.training.checkpoints import CheckpointManager, load_weights
from kelly.training.history import TrainingMetrics
from kelly.training.options import RunOptions
from kelly.training.train_model import train_model

By = Literal["seeds", "folds"]
MAX_AVERAGED = 10  # epochs of one member
TEACHER_OUTPUTS = "teacher_outputs.npy"
BATCH = 256  # sequences per call of the members


@dataclass(frozen=True)
class Ensemble:
    """The members of one network's ensemble, below `folder`."""

    config: TaskConfig
    folder: Path
    num_members: int
    by: By

    @property
    def single(self) -> Path:
        """The folder of the network that the pipeline trains."""
        return self.folder / "single"

    def member(self, i: int) -> Path:
        """The folder of member i, from 0; by seeds, the first is the pipeline's network."""
        return self.single if self.by == "seeds" and i == 0 else self.folder / f"{self.by}{i + 1}of{self.num_members}"

    def train(self, num_jobs: int) -> None:
        """Train all members and the single network, as far as they are not trained yet."""
        members = {self.single: 0} | {self.member(i): i for i in range(self.num_members)}
        work = ((self, folder, i) for folder, i in members.items())
        for _ in run_parallel(train_member, work, len(members), num_jobs, "network"):
            pass

    def functions(self) -> list[Function]:
        """The best epoch of each member as a function."""
        return [
            as_function(load_best(self.config.task, self.member(i) / "checkpoints")[0]) for i in range(self.num_members)
        ]

    def describe(self) -> str:
        """What the members are, for the metadata of an export."""
        if self.by == "seeds":
            first = self.config.training.seed
            return f"{self.num_members} networks with the seeds {first} to {first + self.num_members - 1}"
        return f"{self.num_members} networks, each trained without another fold"


def train_member(ensemble: Ensemble, output: Path, i: int) -> None:
    """Train member i in `output`; of the single network, also keep the weights of the best epochs."""
    c, is_single = ensemble.config, output == ensemble.single
    if ensemble.by == "folds" and not is_single:
        all_folds(c, ensemble.num_members)[i].train(output)
        return
    training = c.training.model_copy(update={"seed": c.training.seed + i})
    views, data = open_splits(c, DATA)
    keep_best = partial(keep_best_epochs, output / "epochs") if is_single else None
    train_model(
        c.task, training, views, data, output, resume="same", save_history=False,
        run=RunOptions(before_checkpoint=keep_best),
    )  # fmt: skip


def keep_best_epochs(folder: Path, network: Network, metrics: TrainingMetrics) -> None:
    """Keep the weights of the MAX_AVERAGED best epochs so far in `{folder}/{epoch}.pt`.

    Called before the checkpoint of an epoch is saved, so that every epoch in a checkpoint has been here.
    """
    losses: list[Any] = metrics.columns["val_loss"]
    best = sorted(range(1, len(losses) + 1), key=lambda epoch: losses[epoch - 1])[:MAX_AVERAGED]
    if len(losses) in best:
        # To an open file: torch.save names the archive after the path, and a temporary name would change the bytes.
        with replacing(folder / f"{len(losses)}.pt") as temporary, temporary.open("wb") as file:
            torch.save(network.state_dict(), file)
    for path in folder.glob("[0-9]*.pt"):
        if int(path.stem) not in best:
            path.unlink()


def average(ensemble: Ensemble, validation: Sequences) -> tuple[Network, list[int]]:
    """The mean of the weights of the single network's best epochs, and these epochs.

    Starting with the best, an epoch is included if the validation loss of the mean does not increase: the greedy soup
    of Wortsman et al., "Model soups", 2022. Raises KellyError where the weights are missing or unreadable.
    """
    task, folder = ensemble.config.task, ensemble.single
    history = CheckpointManager(folder / "checkpoints").load_latest(task.name)["metrics"]["val_loss"]
    epochs = sorted((int(path.stem) for path in (folder / "epochs").glob("[0-9]*.pt")), key=lambda e: history[e - 1])
    advice = f"delete {folder} and run the same command"
    if not epochs:
        raise KellyError(f"{folder / 'epochs'} contains no weights, expected those of the best epochs; {advice}")
    included: list[int] = []
    weights: list[Mapping[str, Tensor]] = []
    network, best_loss = Network(task).eval(), np.inf
    for epoch in epochs:
        path = folder / "epochs" / f"{epoch}.pt"
        try:
            candidates = [*weights, torch.load(path, weights_only=True)]
        except Exception as error:  # a broken file can raise anything
            raise_system_error(error, path)
            raise KellyError(f"{path} cannot be read as weights ({type(error).__name__}); {advice}") from None
        candidate = Network(task).eval()
        mean = {name: torch.stack([w[name] for w in candidates]).mean(dim=0) for name in candidates[0]}
        load_weights(candidate, mean, path)
        loss = loss_of(task.loss, as_function(candidate), validation)
        if loss <= best_loss:
            network, best_loss, weights = candidate, loss, candidates
            included.append(epoch)
    return network, sorted(included)


def loss_of(kind: str, function: Function, sequences: Sequences) -> float:
    """The mean loss of a network on sequences."""
    return mean_loss(kind, Predictions(sequences, function(sequences.inputs)))


def mean_outputs(members: list[Function]) -> Function:
    """A function that returns the mean of the members' outputs (of probabilities, not of logits)."""
    return lambda inputs: np.array([member(inputs) for member in members]).mean(axis=0, dtype=np.float64)


@dataclass(frozen=True)
class Distillation:
    """Sequences with the teachers' outputs, float32[n, num_frames, out], as targets."""

    source: Source
    outputs: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: slice) -> Sequences:
        """The sequences of a slice."""
        return replace(self.source.take(rows), targets=self.outputs[rows])


def distillation_data(ensemble: Ensemble, train: splits.SplitView) -> Distillation:
    """Compute the mean outputs of the members for the training split, in a memory-mapped file."""
    task, teacher = ensemble.config.task, mean_outputs(ensemble.functions())
    path = ensemble.folder / TEACHER_OUTPUTS
    with replacing(path) as temporary:
        shape = (len(train), train.sequences.inputs.shape[1], task.num_outputs)
        outputs = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
        for start in range(0, len(train), BATCH):
            rows = slice(start, start + BATCH)
            outputs[rows] = teacher(train.take(rows).inputs)
        outputs.flush()
    return Distillation(train, np.load(path, mmap_mode="r"))


def distil(ensemble: Ensemble, output: Path) -> None:
    """Train one network of the same shape on the mean outputs of the members; it stops early by the true targets."""
    c = ensemble.config
    views, data = open_splits(c, DATA)
    train = distillation_data(ensemble, views["train"])
    # The outputs are part of the fingerprint: with members trained further, the network is trained again.
    with (ensemble.folder / TEACHER_OUTPUTS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    origin = f"distilled from {ensemble.describe()}, whose outputs have the SHA-256 {digest[:12]}"
    train_model(
        c.task, c.training, {**views, "train": train}, data, output,
        resume="same", save_history=False, run=RunOptions(fingerprint={"origin": origin}),
    )  # fmt: skip


def save_average(ensemble: Ensemble, validation: Sequences, output: Path) -> list[int]:
    """Write the average as a best checkpoint below `output`; returns its epochs."""
    task = ensemble.config.task
    network, epochs = average(ensemble, validation)
    single = CheckpointManager(ensemble.single / "checkpoints").load_best(task.name)
    origin = "mean of the weights after the epochs " + ", ".join(map(str, epochs))
    state = {
        "epoch": single["epoch"],
        "val_loss": loss_of(task.loss, as_function(network), validation),
        "model_state_dict": network.state_dict(),
        "fingerprint": {**single["fingerprint"], "origin": origin},
    }
    CheckpointManager(output / "checkpoints").save_best(task.name, state)
    return epochs
