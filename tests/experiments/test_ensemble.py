"""Several networks made one: what members are, what is averaged, what is taught, and what the report says of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.small_project import prepared
from torch.nn import functional

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits, open_splits
from kelly.evaluation.metrics import Predicted, cost
from kelly.experiments.ensemble import MOST_AVERAGED, Ensemble, average, distil, teach, together
from kelly.experiments.ensemble_results import ensemble, least_by_luck, outcome, report
from kelly.export.export_model import as_function, load_best
from kelly.networks import Network
from kelly.rtneural import reader as rtneural
from kelly.runtime.errors import KellyError
from kelly.training import TrainingMetrics
from kelly.training.objectives import LOSSES
from kelly.training.train_model import train_model

OUTPUT = Path("experiments")


@pytest.fixture(params=["groovepredictor", "harmonypredictor"])
def settings(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> TaskConfig:
    monkeypatch.chdir(tmp_path)
    return prepared(project, request.param)


def group(settings: TaskConfig, by: Any = "seeds") -> Ensemble:
    made = Ensemble(settings, OUTPUT / settings.task.name, 3, by)
    made.train(1)
    return made


def test_the_first_member_is_the_pipelines_own_network_and_the_others_are_not(settings: TaskConfig) -> None:
    made = group(settings)
    sides, data = open_splits(settings, DATA)
    train_model(settings.task, settings.training, sides, data, Path("pipeline"))
    own = load_best(settings.task, Path("pipeline/checkpoints"))[0].state_dict()
    members = [load_best(settings.task, made.member(i) / "checkpoints")[0].state_dict() for i in range(3)]
    assert all(torch.equal(own[name], members[0][name]) for name in own)
    assert not any(torch.equal(members[1][name], members[2][name]) for name in own)


def test_members_are_trained_once(settings: TaskConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = group(settings)

    def trained(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(TrainingMetrics, "add", trained)
    made.train(1)


def test_what_was_learned_from_other_members_is_not_taken_for_current(settings: TaskConfig) -> None:
    made = group(settings)
    distil(made, OUTPUT / "distilled")
    before = load_best(settings.task, OUTPUT / "distilled/checkpoints")[1]
    longer = replace(settings, training=settings.training.model_copy(update={"epochs": 4}))
    taught_more = replace(made, settings=longer)
    taught_more.train(1)
    distil(taught_more, OUTPUT / "distilled")
    distil(taught_more, Path("afresh"))
    after, afresh = (load_best(settings.task, at / "checkpoints")[1] for at in (OUTPUT / "distilled", Path("afresh")))
    assert before["fingerprint"]["origin"] != after["fingerprint"]["origin"] == afresh["fingerprint"]["origin"]
    weights = [checkpoint["model_state_dict"] for checkpoint in (after, afresh)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_without_the_weights_of_epochs_there_is_no_average(settings: TaskConfig) -> None:
    made = group(settings)
    validation = load_splits(settings, DATA)["validation"]
    next((made.single / "epochs").glob("*.pt")).write_bytes(b"broken")
    with pytest.raises(KellyError, match="cannot be read as weights"):
        average(made, validation)
    shutil.rmtree(made.single / "epochs")
    with pytest.raises(KellyError, match="holds no weights, expected those of the best epochs"):
        average(made, validation)


def test_members_by_folds_learned_from_other_pieces(settings: TaskConfig) -> None:
    made = group(settings, "folds")
    abouts = [load_best(settings.task, made.member(i) / "checkpoints")[1]["fingerprint"]["data"] for i in range(3)]
    assert [about["fold"].partition(",")[0] for about in abouts] == ["1 of 3", "2 of 3", "3 of 3"]
    assert made.single.is_dir()


def test_an_ensemble_says_the_mean_of_what_its_members_say(settings: TaskConfig) -> None:
    functions = group(settings).functions()
    inputs = load_splits(settings, DATA)["test"].inputs
    said = [member(inputs) for member in functions]
    np.testing.assert_allclose(together(functions)(inputs), np.mean(said, axis=0), atol=1e-7)
    assert np.ptp(said, axis=0).max() > 1e-3


def test_what_is_taught_is_what_the_members_say_of_the_training_side(settings: TaskConfig) -> None:
    made = group(settings)
    side = open_splits(settings, DATA)[0]["train"]
    taught = teach(made, side).take(slice(3, 9))
    np.testing.assert_allclose(taught.targets, together(made.functions())(side.take(slice(3, 9)).inputs), atol=1e-6)
    np.testing.assert_array_equal(taught.inputs, side.take(slice(3, 9)).inputs)


def test_an_average_loses_no_more_on_the_validation_side_than_its_best_epoch(settings: TaskConfig) -> None:
    longer = replace(settings, training=settings.training.model_copy(update={"epochs": 14}))
    made = group(longer)
    validation = load_splits(longer, DATA)["validation"]
    network, epochs = average(made, validation)
    kept = {int(path.stem) for path in (made.single / "epochs").glob("*.pt")}
    assert len(kept) == MOST_AVERAGED
    assert set(epochs) <= kept
    weights = [torch.load(made.single / "epochs" / f"{epoch}.pt") for epoch in epochs]
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, torch.stack([w[name] for w in weights]).mean(dim=0))

    def loss(one: Network) -> float:
        return cost(longer.task.loss, Predicted(validation, as_function(one)(validation.inputs))).mean

    best, checkpoint = load_best(longer.task, made.single / "checkpoints")
    assert loss(network) <= loss(best)
    assert checkpoint["epoch"] in epochs


def test_all_are_exported_proven_scored_and_told_apart(
    settings: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    ensemble(settings, 3, "seeds", OUTPUT, 1)
    name = settings.task.name
    for kind, origin in (
        ("average", "mean of the weights after the epochs"),
        ("distilled", "distilled from 3 networks"),
    ):
        model = rtneural.read(OUTPUT / name / kind / f"{name}.json")
        assert model.metadata["origin"].startswith(origin)
        assert model.metadata["parity_error"] < 1e-5
    scores = json.loads((OUTPUT / name / "scores.json").read_text())
    parts = load_splits(settings, DATA)
    distilled = rtneural.read(OUTPUT / name / "distilled" / f"{name}.json").run(parts["test"].inputs)
    assert scores["distilled"]["loss"] == pytest.approx(
        cost(settings.task.loss, Predicted(parts["test"], distilled)).mean
    )
    assert scores["distilled"]["gain"] == pytest.approx(scores["single"]["loss"] - scores["distilled"]["loss"])
    assert scores["distilled"]["gain_low"] < scores["distilled"]["gain"] < scores["distilled"]["gain_high"]
    printed = capsys.readouterr().out
    assert "ensemble of 3" in printed
    assert "**Distilled**: it" in printed


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.6, 0.8, "it helps"),
        (0.1, 0.2, "**not certain** to help"),
        (-0.1, 0.2, "it does **not** help: it cannot"),
        (-0.2, -0.1, "it does **not** help: more"),
    ],
)
def test_the_report_says_whether_it_helps(settings: TaskConfig, low: float, high: float, said: str) -> None:
    one = {
        "validation_loss": 1.0,
        "loss": 1.0 - (low + high) / 2,
        "skill": 0.5,
        "gain": (low + high) / 2,
        "gain_low": low,
        "gain_high": high,
    }
    scores = dict.fromkeys(("single", "ensemble", "average", "distilled"), one)
    text = report(settings, Ensemble(settings, OUTPUT, 3, "seeds"), scores, [1.0, 1.1, 0.9], [3, 4])
    assert f"**Distilled**: {said}" in text


def test_another_seed_falls_below_the_limit_as_seldom_as_is_said() -> None:
    rng = np.random.default_rng(5)
    draws = rng.normal(size=(4000, 6))
    below = np.mean([least_by_luck(list(row[:5])) > row[5] for row in draws])
    assert below == pytest.approx(0.025, abs=0.008)  # one side of 95 %
    assert outcome({"gain": 1.0, "gain_low": 0.5, "gain_high": 1.5, "loss": 1.0}, None) == "alone"


def test_without_an_interval_nothing_is_claimed() -> None:
    assert outcome({"gain": 1.0, "loss": 1.0}, 2.0) == "even"


def test_a_single_member_is_no_ensemble(settings: TaskConfig) -> None:
    with pytest.raises(KellyError, match="--members 1: expected 2 or more"):
        ensemble(settings, 1, "seeds", OUTPUT)
    assert not OUTPUT.exists()


def test_probabilities_may_stand_for_classes() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(7, 64, generator=generator)
    classes = torch.randint(64, (7,), generator=generator)
    certain, unsure = functional.one_hot(classes, 64).float(), torch.rand(7, 64, generator=generator).softmax(-1)
    loss = LOSSES["cross_entropy"]
    torch.testing.assert_close(loss.costs(logits, certain), loss.costs(logits, classes))
    gradients = [loss.gradient(logits, y, torch.empty_like(logits)) for y in (certain, classes)]
    torch.testing.assert_close(*gradients)
    of_autograd = logits.clone().requires_grad_()
    functional.cross_entropy(of_autograd, unsure, reduction="sum").backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss.gradient(logits, unsure, torch.empty_like(logits)), of_autograd.grad)
    torch.testing.assert_close(
        loss.costs(logits, unsure).sum(), functional.cross_entropy(logits, unsure, reduction="sum")
    )
