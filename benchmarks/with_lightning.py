"""One epoch with PyTorch Lightning in its natural use."""

import logging
import time
import warnings

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measure import Way
from benchmarks.usual_loop import Parts, loss_and_metric, tensors
from kelly.config.params import TaskConfig
from kelly.networks import Network
from kelly.training.train_model import VALIDATION_BATCH


class Module(lightning.LightningModule):
    """A network as Lightning trains it; the seconds of each epoch, without what comes before and after, are kept."""

    def __init__(self, s: TaskConfig) -> None:
        super().__init__()
        self.network, self.learning_rate = Network(s.task, s.training.seed), s.training.learning_rate
        self.seconds = 0.0

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Loss, logged like the metric."""
        loss, metric = loss_and_metric(self.network, tuple(batch))
        self.log_dict({"train_loss": loss, "train_metric": metric.sum().float()}, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        """Loss and metric, logged."""
        loss, metric = loss_and_metric(self.network, tuple(batch))
        self.log_dict({"val_loss": loss, "val_metric": metric.sum().float()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The fastest Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

    def on_train_epoch_start(self) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Stop it: Lightning validates within the epoch."""
        self.seconds = time.perf_counter() - self.started


def with_lightning(s: TaskConfig, parts: Parts, threads: int = 1) -> Way:
    """Lightning in its natural use, without bar, logger and checkpoints."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    module = Module(s)
    train = DataLoader(TensorDataset(*tensors(parts["train"])), s.training.batch_size, shuffle=True)
    validation = DataLoader(TensorDataset(*tensors(parts["validation"])), VALIDATION_BATCH)

    def epoch() -> float:
        torch.set_num_threads(threads)
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, train, validation)
        return module.seconds

    return epoch
