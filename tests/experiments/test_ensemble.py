"""Ensembles: their members, the average of epochs, distillation, and the report."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits, open_splits
from kelly.experiments.ensemble import MAX_AVERAGED, Ensemble, average, distil, distillation_data, loss_of, mean_outputs
from kelly.experiments.ensemble_results import ensemble, outcome, report, seed_lower_bound
from kelly.export.export_model import as_function, load_best
from kelly.rtneural import reader as rtneural
from kelly.runtime.errors import KellyError
from kelly.training import TrainingMetrics
from kelly.training.objectives import LOSSES
from kelly.training.train_model import train_model

pytestmark = pytest.mark.slow

OUTPUT = Path("experiments")
both_losses = pytest.mark.parametrize("config", ["groovepredictor", "harmonypredictor"], indirect=True)


def trained(config: TaskConfig, by: Any = "seeds") -> Ensemble:
    group = Ensemble(config, OUTPUT / config.task.name, 3, by)
    group.train(1)
    return group


def best_weights(config: TaskConfig, folder: Path) -> dict[str, torch.Tensor]:
    return load_best(config.task, folder / "checkpoints")[0].state_dict()


def test_members_are_trained_once_the_first_as_the_pipelines_network_and_differ(
    config: TaskConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = trained(config)
    views, data = open_splits(config, DATA)
    train_model(config.task, config.training, views, data, Path("pipeline"))
    expected = best_weights(config, Path("pipeline"))
    members = [best_weights(config, group.member(i)) for i in range(3)]
    assert all(torch.equal(expected[name], members[0][name]) for name in expected)
    assert not any(torch.equal(members[1][name], members[2][name]) for name in expected)
    monkeypatch.delattr(TrainingMetrics, "add")
    group.train(1)


def test_members_by_folds_are_trained_on_different_pieces(config: TaskConfig) -> None:
    group = trained(config, "folds")
    data = [load_best(config.task, group.member(i) / "checkpoints")[1]["fingerprint"]["data"] for i in range(3)]
    assert [fingerprint["fold"].partition(",")[0] for fingerprint in data] == ["1 of 3", "2 of 3", "3 of 3"]
    assert group.single.is_dir()


@both_losses
def test_the_targets_of_distillation_are_the_mean_outputs_of_the_members(config: TaskConfig) -> None:
    group = trained(config)
    members, rows = group.functions(), slice(3, 9)
    view = open_splits(config, DATA)[0]["train"]
    inputs = view.take(rows).inputs
    outputs = [member(inputs) for member in members]
    assert np.ptp(outputs, axis=0).max() > 1e-3
    np.testing.assert_allclose(mean_outputs(members)(inputs), np.mean(outputs, axis=0), atol=1e-7)
    sequences = distillation_data(group, view).take(rows)
    np.testing.assert_allclose(sequences.targets, np.mean(outputs, axis=0), atol=1e-6)
    np.testing.assert_array_equal(sequences.inputs, inputs)


def test_distillation_starts_again_when_the_members_were_trained_further(config: TaskConfig) -> None:
    group = trained(config)
    distil(group, OUTPUT / "distilled")
    before = load_best(config.task, OUTPUT / "distilled/checkpoints")[1]
    longer = replace(group, config=replace(config, training=config.training.model_copy(update={"epochs": 4})))
    longer.train(1)
    distil(longer, OUTPUT / "distilled")
    distil(longer, Path("new"))
    after, new = (load_best(config.task, folder / "checkpoints")[1] for folder in (OUTPUT / "distilled", Path("new")))
    assert before["fingerprint"]["origin"] != after["fingerprint"]["origin"] == new["fingerprint"]["origin"]
    weights = [checkpoint["model_state_dict"] for checkpoint in (after, new)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_average_has_no_higher_validation_loss_than_the_best_epoch(config: TaskConfig) -> None:
    longer = replace(config, training=config.training.model_copy(update={"epochs": 14}))
    group = trained(longer)
    validation = load_splits(longer, DATA)["validation"]
    network, epochs = average(group, validation)
    kept = {int(path.stem) for path in (group.single / "epochs").glob("*.pt")}
    assert len(kept) == MAX_AVERAGED
    assert set(epochs) <= kept
    weights = [torch.load(group.single / "epochs" / f"{epoch}.pt") for epoch in epochs]
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, torch.stack([w[name] for w in weights]).mean(dim=0))
    best, checkpoint = load_best(longer.task, group.single / "checkpoints")
    assert checkpoint["epoch"] in epochs
    losses = [loss_of(longer.task.loss, as_function(one), validation) for one in (network, best)]
    assert losses[0] <= losses[1]


def test_missing_and_broken_weights_of_epochs_are_errors(config: TaskConfig) -> None:
    group = trained(config)
    validation = load_splits(config, DATA)["validation"]
    next((group.single / "epochs").glob("*.pt")).write_bytes(b"broken")
    with pytest.raises(KellyError, match="cannot be read as weights"):
        average(group, validation)
    shutil.rmtree(group.single / "epochs")
    with pytest.raises(KellyError, match="contains no weights"):
        average(group, validation)


@both_losses
def test_the_command_exports_and_scores_both_networks(config: TaskConfig, capsys: pytest.CaptureFixture[str]) -> None:
    ensemble(config, 3, "seeds", OUTPUT, 1)
    folder, task = OUTPUT / config.task.name, config.task
    models = {kind: rtneural.read(folder / kind / f"{task.name}.json") for kind in ("average", "distilled")}
    assert models["average"].metadata["origin"].startswith("mean of the weights after the epochs")
    assert models["distilled"].metadata["origin"].startswith("distilled from 3 networks")
    assert all(model.metadata["parity_error"] < 1e-5 for model in models.values())
    scores = json.loads((folder / "scores.json").read_text())
    test, distilled = load_splits(config, DATA)["test"], scores["distilled"]
    assert distilled["loss"] == pytest.approx(loss_of(task.loss, models["distilled"].run, test))
    assert distilled["gain"] == pytest.approx(scores["single"]["loss"] - distilled["loss"])
    assert distilled["gain_low"] < distilled["gain"] < distilled["gain_high"]
    assert len(scores["members"]) == 3
    printed = capsys.readouterr().out
    assert "ensemble of 3" in printed
    assert "**Distilled**: " in printed


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.6, 0.8, "better"), (0.1, 0.2, "within seeds"), (-0.1, 0.2, "no difference"), (-0.2, -0.1, "worse")],
)
def test_the_outcome_depends_on_the_interval_and_on_the_seeds(low: float, high: float, expected: str) -> None:
    scores = {"loss": 1.0 - (low + high) / 2, "gain": (low + high) / 2, "gain_low": low, "gain_high": high}
    assert outcome(scores, seed_lower_bound([1.0, 1.1, 0.9])) == expected
    assert outcome({"gain": 1.0, "loss": 1.0}, 2.0) == "no difference"  # no interval
    assert outcome(scores, None) == {"better": "seeds unknown", "within seeds": "seeds unknown"}.get(expected, expected)


def test_the_report_has_a_row_per_network(config: TaskConfig) -> None:
    one = {"validation_loss": 1.0, "loss": 0.3, "skill": 0.5, "gain": 0.7, "gain_low": 0.6, "gain_high": 0.8}
    scores = dict.fromkeys(("single", "ensemble", "average", "distilled"), one)
    for by, validation_loss in (("seeds", "1.000000"), ("folds", "–")):
        text = report(Ensemble(config, OUTPUT, 3, by), scores, [1.0, 1.1, 0.9], [3, 4])  # type: ignore[arg-type]
        assert f"| ensemble of 3 | 3 | {validation_loss} | 0.300000 |" in text
        assert "| average of the epochs 3, 4 | 1 | 1.000000 | 0.300000 | 0.500 | 0.700 (0.600 to 0.800) |" in text
        assert "**Distilled**: better than the single network" in text


def test_the_lower_bound_covers_another_seed_as_often_as_stated() -> None:
    samples = np.random.default_rng(5).normal(size=(4000, 6))
    below = np.mean([seed_lower_bound(list(row[:5])) > row[5] for row in samples])
    assert below == pytest.approx(0.025, abs=0.008)  # one side of 95 %


def test_a_single_member_is_rejected(config: TaskConfig) -> None:
    with pytest.raises(KellyError, match="--members 1: expected 2 or more"):
        ensemble(config, 1, "seeds", OUTPUT)
    assert not OUTPUT.exists()


def test_cross_entropy_accepts_probabilities_as_targets() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(7, 64, generator=generator)
    classes = torch.randint(64, (7,), generator=generator)
    one_hot, soft = functional.one_hot(classes, 64).float(), torch.rand(7, 64, generator=generator).softmax(-1)
    loss = LOSSES["cross_entropy"]
    torch.testing.assert_close(loss.elementwise(logits, one_hot), loss.elementwise(logits, classes))
    gradients = [loss.gradient(logits, y, torch.empty_like(logits)) for y in (one_hot, classes)]
    torch.testing.assert_close(*gradients)
    reference = logits.clone().requires_grad_()
    expected = functional.cross_entropy(reference, soft, reduction="sum")
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss.gradient(logits, soft, torch.empty_like(logits)), reference.grad)
    torch.testing.assert_close(loss.elementwise(logits, soft).sum(), expected.detach())
