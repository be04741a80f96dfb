"""Several networks made one, since the plugin loads one file a network.

Members: networks of the same settings that began with other weights and took their batches in another order, or that
each learned without another fold. Together, by the mean of what they say, they are better than one, and five times as
slow. Two ways lead back to one network: the mean of the weights of one member's best epochs, and a network that learns
to say what all members say together (Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from kelly.evaluation.metrics import Predicted, cost
from kelly.experiments.crossval import all_folds
from kelly.experiments.parallel import each, stop_if_orphaned
from kelly.export.export_model import as_function, load_best
from kelly.networks import Network
from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError
from kelly.training.batches import Source
from kelly.training.checkpoints import CheckpointManager, load_weights
from kelly.training.history import TrainingMetrics
from kelly.training.train_model import train_model

By = Literal["seeds", "folds"]
MOST_AVERAGED = 10  # epochs of one member
TAUGHT = "taught.npy"
BLOCK = 256  # sequences that members hear at a time


@dataclass(frozen=True)
class Ensemble:
    """The members of one network's ensemble, below `folder`."""

    settings: TaskConfig
    folder: Path
    num_members: int
    by: By

    @property
    def single(self) -> Path:
        """Where the network is kept that the pipeline makes."""
        return self.folder / "single"

    def member(self, i: int) -> Path:
        """Where a member, counted from 0, is kept; the first by seeds is the pipeline's own network."""
        return self.single if self.by == "seeds" and i == 0 else self.folder / f"{self.by}{i + 1}of{self.num_members}"

    def train(self, num_jobs: int) -> None:
        """Train all members and the single network; those that are there are kept."""
        folders = list(dict.fromkeys([self.single, *(self.member(i) for i in range(self.num_members))]))
        for _ in each(train_member, ((self, at) for at in folders), len(folders), num_jobs, "network"):
            pass

    def functions(self) -> list[Function]:
        """Each member's best epoch as a function."""
        return [
            as_function(load_best(self.settings.task, self.member(i) / "checkpoints")[0])
            for i in range(self.num_members)
        ]

    def describe(self) -> str:
        """What the members are, for an export's metadata."""
        if self.by == "seeds":
            first = self.settings.training.seed
            return f"{self.num_members} networks with the seeds {first} to {first + self.num_members - 1}"
        return f"{self.num_members} networks, each trained without another fold"


def train_member(ensemble: Ensemble, output: Path) -> None:
    """Train the member that is kept at `output`; of the pipeline's own, the best epochs are kept as well."""
    s = ensemble.settings
    i = [ensemble.member(i) for i in range(ensemble.num_members)].index(output) if output != ensemble.single else 0
    if ensemble.by == "folds" and output != ensemble.single:
        all_folds(s, ensemble.num_members)[i].train(output)
        return
    training = s.training.model_copy(update={"seed": s.training.seed + i})
    sides, data = open_splits(s, DATA)
    train_model(
        s.task, training, sides, data, output, resume="same", save_history=False,
        before_saving=Best(output / "epochs") if output == ensemble.single else None, after_epoch=stop_if_orphaned,
    )  # fmt: skip


class Best:
    """Keeps the weights of the MOST_AVERAGED best epochs so far, `{folder}/{epoch}.pt`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, network: Network, metrics: TrainingMetrics) -> None:
        """Called before the checkpoint of an epoch is written: what it says is done, is here."""
        losses: list[Any] = metrics.columns["val_loss"]
        best = sorted(range(1, len(losses) + 1), key=lambda epoch: losses[epoch - 1])[:MOST_AVERAGED]
        if len(losses) in best:
            with replacing(self.folder / f"{len(losses)}.pt") as temporary:
                torch.save(network.state_dict(), temporary)
        for path in self.folder.glob("[0-9]*.pt"):
            if int(path.stem) not in best:
                path.unlink()


def average(ensemble: Ensemble, validation: Sequences) -> tuple[Network, list[int]]:
    """The mean of the weights of the single network's best epochs, and which these are.

    From the best down, an epoch is taken in where the mean then loses no more on the validation side: the greedy soup
    of Wortsman et al., "Model soups", 2022. Raises KellyError where its checkpoints are not usable.
    """
    task, at = ensemble.settings.task, ensemble.single
    history = CheckpointManager(at / "checkpoints").load_latest(task.name)["metrics"]["val_loss"]
    epochs = sorted((int(path.stem) for path in (at / "epochs").glob("[0-9]*.pt")), key=lambda e: history[e - 1])
    again = f"delete {at} and run the same command"
    if not epochs:
        raise KellyError(f"{at / 'epochs'} holds no weights, expected those of the best epochs; {again}")
    taken: list[int] = []
    held: list[Mapping[str, Tensor]] = []
    network, least = Network(task).eval(), np.inf
    for epoch in epochs:
        path = at / "epochs" / f"{epoch}.pt"
        try:
            tried = [*held, torch.load(path, weights_only=True)]
        except Exception as error:  # of a broken file anything may come out
            raise KellyError(f"{path} cannot be read as weights ({type(error).__name__}); {again}") from None
        candidate = Network(task).eval()
        load_weights(candidate, {name: torch.stack([w[name] for w in tried]).mean(dim=0) for name in tried[0]}, path)
        loss = cost(task.loss, Predicted(validation, as_function(candidate)(validation.inputs))).mean
        if loss <= least:
            network, least, held = candidate, loss, tried
            taken.append(epoch)
    return network, sorted(taken)


def together(members: list[Function]) -> Function:
    """The mean of what members say: of probabilities their mean."""

    def run(inputs: NDArray[np.float32]) -> NDArray[Any]:
        total: NDArray[Any] = sum(np.asarray(member(inputs), np.float64) for member in members)  # type: ignore[assignment]
        return total / len(members)

    return run


@dataclass(frozen=True)
class Taught:
    """Sequences with what teachers say in the place of their targets.

    outputs: float32[n, num_frames, out]
    """

    source: Source
    outputs: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: slice) -> Sequences:
        """The sequences of a slice."""
        return replace(self.source.take(rows), targets=self.outputs[rows])


def teach(ensemble: Ensemble, side: splits.SplitView) -> Taught:
    """What the members say together of each sequence of a side; kept on the disk, it may be more than memory holds."""
    task, say = ensemble.settings.task, together(ensemble.functions())
    path = ensemble.folder / TAUGHT
    with replacing(path) as temporary:
        shape = (len(side), side.sequences.inputs.shape[1], task.num_outputs)
        outputs = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
        for start in range(0, len(side), BLOCK):
            rows = slice(start, start + BLOCK)
            outputs[rows] = say(side.take(rows).inputs)
        outputs.flush()
    return Taught(side, np.load(path, mmap_mode="r"))


def distil(ensemble: Ensemble, output: Path) -> None:
    """Train one network of the same shape, below `output`, on what the members say; it stops by the true targets."""
    s = ensemble.settings
    sides, data = open_splits(s, DATA)
    taught = teach(ensemble, sides["train"])
    # What was said is part of what it is: members that went on teach anew.
    with (ensemble.folder / TAUGHT).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    origin = f"distilled from {ensemble.describe()}, whose outputs have the SHA-256 {digest[:12]}"
    train_model(
        s.task, s.training, {**sides, "train": taught}, data, output,
        resume="same", save_history=False, origin=origin,
    )  # fmt: skip


def save_average(ensemble: Ensemble, validation: Sequences, output: Path) -> list[int]:
    """Write the average as a best checkpoint below `output`; returns the epochs of which it is."""
    task = ensemble.settings.task
    network, epochs = average(ensemble, validation)
    single = CheckpointManager(ensemble.single / "checkpoints").load_best(task.name)
    origin = "mean of the weights after the epochs " + ", ".join(map(str, epochs))
    loss = cost(task.loss, Predicted(validation, as_function(network)(validation.inputs))).mean
    state = {
        "epoch": single["epoch"],
        "val_loss": loss,
        "model_state_dict": network.state_dict(),
        "fingerprint": {**single["fingerprint"], "origin": origin},
    }
    CheckpointManager(output / "checkpoints").save_best(task.name, state)
    return epochs
