"""One epoch with PyTorch Lightning as its documentation recommends."""

import logging
import time
import warnings

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measure import Candidate
from benchmarks.usual_loop import Splits, loss_and_metric, tensors
from kelly.config.params import TaskConfig
from kelly.networks import Network
from kelly.training.train_model import VALIDATION_BATCH


class Module(lightning.LightningModule):
    """A network for Lightning; `seconds` is the time of its last epoch, without set-up and tear-down."""

    def __init__(self, config: TaskConfig) -> None:
        super().__init__()
        self.network, self.learning_rate = Network(config.task, config.training.seed), config.training.learning_rate
        self.seconds = 0.0

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Return the loss; log loss and metric."""
        loss, metric = loss_and_metric(self.network, tuple(batch))
        self.log_dict({"train_loss": loss, "train_metric": metric.sum().float()}, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        """Log loss and metric."""
        loss, metric = loss_and_metric(self.network, tuple(batch))
        self.log_dict({"val_loss": loss, "val_metric": metric.sum().float()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Fused Adam, the fastest."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

    def on_train_epoch_start(self) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Stop the clock: Lightning validates within the epoch."""
        self.seconds = time.perf_counter() - self.started


def with_lightning(config: TaskConfig, splits: Splits, threads: int = 1) -> Candidate:
    """An epoch with its validation, without progress bar, logger and checkpoints."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    module = Module(config)
    train = DataLoader(TensorDataset(*tensors(splits["train"])), config.training.batch_size, shuffle=True)
    validation = DataLoader(TensorDataset(*tensors(splits["validation"])), VALIDATION_BATCH)

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
