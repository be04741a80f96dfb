"""The integration snippet of the specification, with everything imported from training_utils."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from training_utils import (
    CheckpointManager,
    DynamicsEngine,
    EarlyStopping,
    EmotionRecognizer,
    OptimizationConfig,
    TrainingMetrics,
    train_dynamics_engine,
    train_emotion_recognizer,
)


def test_the_integration_snippet_runs_unchanged(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    data = TensorDataset(torch.rand(64, 128, generator=generator), torch.rand(64, 64, generator=generator))
    train_loader = DataLoader(data, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(1))
    val_loader = DataLoader(data, batch_size=64)
    model = EmotionRecognizer()
    checkpoint_dir = tmp_path

    # Add to training function
    early_stopping = EarlyStopping(patience=10)
    metrics = TrainingMetrics()
    checkpoint_manager = CheckpointManager(checkpoint_dir)

    # Use in training loop
    train_emotion_recognizer(
        model, train_loader,
        val_loader=val_loader,
        early_stopping=early_stopping,
        metrics=metrics,
        checkpoint_manager=checkpoint_manager
    )  # fmt: skip
    best = checkpoint_manager.load_best("emotionrecognizer")
    assert early_stopping.best_epoch == best["epoch"]
    assert metrics.columns["val_loss"][best["epoch"] - 1] == early_stopping.best_value == best["val_loss"]
    assert best["metrics"] == {name: column[: best["epoch"]] for name, column in metrics.columns.items()}
    assert best["optimizer_state_dict"]["num_steps"] == best["epoch"] * len(train_loader)
    assert all(torch.equal(weight, best["model_state_dict"][name]) for name, weight in model.state_dict().items())


def test_settings_travel_as_one_object() -> None:
    loader = DataLoader(TensorDataset(torch.rand(64, 32), torch.rand(64, 16)), batch_size=16)
    metrics = train_dynamics_engine(DynamicsEngine(), loader, config=OptimizationConfig(epochs=5, learning_rate=0.01))
    assert metrics.to_frame()["epoch"].tolist() == [1, 2, 3, 4, 5]
