"""Folds: every piece that is not test held out once, none of it learned from; interrupted and finished ones kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small_project import prepared

from kelly.config.params import SplitConfig, TaskConfig
from kelly.data.dataset import Dataset, Sequences
from kelly.data.loading import DATA, datasets_folder
from kelly.experiments import crossval as crossvalidating
from kelly.experiments.crossval import all_folds, crossval
from kelly.experiments.folds import common, folds, quadrants, sides
from kelly.export.export_model import load_best
from kelly.features.emotion import embed, usual_coordinates
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS
from kelly.training import TrainingMetrics

OUTPUT = Path("experiments")


@pytest.fixture
def settings(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskConfig:
    monkeypatch.chdir(tmp_path)
    return prepared(project)


def felt(valence: Any, arousal: Any) -> Any:
    return embed(usual_coordinates(valence, arousal)).astype(np.float32)


def test_every_piece_that_is_not_test_is_held_out_once_and_learned_from_elsewhere(settings: TaskConfig) -> None:
    dataset = Dataset.load(datasets_folder(DATA, "groovepredictor"))
    dealt = all_folds(settings, 4)
    own = dealt[0].own
    rest = np.concatenate([own["train"], own["validation"]])
    assert sorted(np.concatenate([fold.held_out for fold in dealt])) == sorted(rest)
    for fold in dealt:
        rows = sides(dataset, fold.held_out, own, settings.splitting)
        assert sorted(np.concatenate(list(rows.values()))) == sorted(rest)
        assert list(rows["test"]) == list(fold.held_out)
        pieces = [set(dataset.sequences.groups[chosen]) for chosen in rows.values()]
        assert not pieces[0] & pieces[1]
        assert not pieces[2] & (pieces[0] | pieces[1])


def test_a_piece_of_several_sequences_is_not_cut() -> None:
    groups = np.repeat([f"piece{i}" for i in range(30)], 4)
    inputs = np.random.default_rng(0).uniform(-1, 1, (120, 1, 64)).astype(np.float32)
    dataset = Dataset(Sequences(inputs, inputs[..., :32], groups))
    own = {"train": np.arange(80), "validation": np.arange(80, 100), "test": np.arange(100, 120)}
    splitting = SplitConfig(seed=1, validation_split=0.2, test_split=0.2, shuffle_inputs=False)
    dealt = folds(TASKS["groovepredictor"], dataset, own, splitting, 5)
    on = [set(groups[rows]) for rows in dealt]
    assert sum(len(pieces) for pieces in on) == len(set().union(*on)) == 25


@pytest.mark.parametrize("name", TASKS)
def test_the_emotion_of_a_sequence_is_read_where_its_network_has_it(name: str) -> None:
    task = TASKS[name]
    valence, arousal = np.array([-0.5, -0.5, 0.5, 0.5]), np.array([-0.5, 0.5, -0.5, 0.5])
    inputs = np.zeros((4, 3, task.num_inputs), np.float32)
    targets = np.zeros((4, 3, task.num_outputs), np.float32)
    place, width = (targets, 64) if name == "emotionrecognizer" else (inputs, min(64, task.num_inputs))
    place[:, :2, :width] = felt(valence, arousal)[:, None, :width]
    mask = np.ones(targets.shape, bool)
    mask[:, 2] = False  # what is past the end says nothing
    sequences = Sequences(inputs, targets, np.array(list("abcd")), mask)
    assert quadrants(task, sequences).tolist() == [0, 1, 2, 3]


def test_every_fold_has_the_same_mix_of_emotions(settings: TaskConfig) -> None:
    valence = np.where(np.arange(200) < 40, 0.5, -0.5)  # a fifth of all is glad
    inputs = felt(valence, np.where(np.arange(200) % 2, 0.5, -0.5))[:, None]
    dataset = Dataset(Sequences(inputs, inputs[..., :32], np.array([str(i) for i in range(200)])))
    own = {"train": np.arange(160), "validation": np.arange(160, 200), "test": np.arange(0)}
    dealt = folds(settings.task, dataset, own, settings.splitting, 5)
    assert [int((valence[rows] > 0).sum()) for rows in dealt] == [8] * 5
    assert common(np.array([0, 0, 0, 1, 2, 2, 2]), 2).tolist() == [0, 0, 0, 0, 2, 2, 2]


def test_a_finished_fold_is_kept_and_an_interrupted_one_goes_on(
    settings: TaskConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crossval([settings], 3, Path("unbroken"), 1)
    unbroken = capsys.readouterr().out
    calls = iter(range(100))

    def killed(*_: Any) -> None:
        if next(calls) == 2:  # after the first epoch of the second fold
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(crossvalidating, "stop_if_orphaned", killed)
        with pytest.raises(KeyboardInterrupt):
            crossval([settings], 3, OUTPUT, 1)
    epochs: list[int] = []
    add = TrainingMetrics.add

    def counted(self: TrainingMetrics, epoch: int, *arguments: Any, **more: Any) -> None:
        epochs.append(epoch)
        add(self, epoch, *arguments, **more)

    monkeypatch.setattr(TrainingMetrics, "add", counted)
    capsys.readouterr()
    crossval([settings], 3, OUTPUT, 1)
    assert capsys.readouterr().out == unbroken
    assert epochs == [2, 1, 2]  # the first fold was whole, the second had one epoch of two
    epochs.clear()
    crossval([settings], 3, OUTPUT, 1)
    assert epochs == []
    crossval([replace(settings, training=settings.training.model_copy(update={"learning_rate": 0.002}))], 3, OUTPUT, 1)
    assert epochs == [1, 2] * 3


def test_a_fold_of_other_pieces_is_trained_anew(settings: TaskConfig) -> None:
    first, second, _ = all_folds(settings, 3)
    first.train(OUTPUT)
    before = load_best(settings.task, OUTPUT / "checkpoints")[1]["fingerprint"]["data"]["fold"]
    replace(first, held_out=second.held_out).train(OUTPUT)
    after = load_best(settings.task, OUTPUT / "checkpoints")[1]["fingerprint"]["data"]["fold"]
    assert before.partition(",")[0] == after.partition(",")[0] == "1 of 3"
    assert before != after


def test_the_table_has_the_mean_and_the_spread_of_what_stands_above(
    settings: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    crossval([settings], 3, OUTPUT, 2)
    content = json.loads((OUTPUT / "groovepredictor/folds.json").read_text())
    losses = [row["loss"] for row in content["folds"]]
    assert content["mean"]["loss"] == pytest.approx(np.mean(losses))
    assert content["spread"]["loss"] == pytest.approx(np.std(losses, ddof=1))
    printed = capsys.readouterr().out
    assert f"{np.mean(losses):.6f}" in printed
    assert len(set(losses)) == 3
    assert all(row["loss"] < row["baseline_loss"] for row in content["folds"])


@pytest.mark.parametrize("number", [1, 161])
def test_more_folds_than_pieces_or_one_alone_are_refused(settings: TaskConfig, number: int) -> None:
    with pytest.raises(KellyError, match=f"{number} folds: expected 2 to 160, the pieces of GroovePredictor"):
        crossval([settings], number, OUTPUT)
    assert not OUTPUT.exists()


def test_without_prepared_data_the_command_that_makes_it_is_named(settings: TaskConfig) -> None:
    (datasets_folder(DATA, "groovepredictor") / "inputs.npy").unlink()
    with pytest.raises(KellyError, match="prepare the data first"):
        crossval([settings], 3, OUTPUT)
