"""Cross-validation: every piece that is not test is held out once; finished folds are reused, others resumed."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelly.config.params import TaskConfig
from kelly.data.dataset import Dataset, Sequences
from kelly.data.loading import DATA, datasets_folder
from kelly.experiments import crossval as crossval_module
from kelly.experiments.crossval import all_folds, crossval
from kelly.experiments.folds import fold_splits, make_folds, merge_rare, quadrants
from kelly.export.export_model import load_best
from kelly.features.emotion import embed, usual_coordinates
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS
from kelly.training import RunOptions, TrainingMetrics
from kelly.training.train_model import train_model

pytestmark = pytest.mark.slow

OUTPUT = Path("experiments")


def embedding_of(valence: Any, arousal: Any) -> Any:
    return embed(usual_coordinates(valence, arousal)).astype(np.float32)


def test_every_piece_that_is_not_test_is_held_out_once_and_never_trained_on_then(config: TaskConfig) -> None:
    dataset = Dataset.load(datasets_folder(DATA, "groovepredictor"))
    folds = all_folds(config, 4)
    indices = folds[0].indices
    rows = sorted(np.concatenate([indices["train"], indices["validation"]]))
    assert sorted(np.concatenate([fold.held_out for fold in folds])) == rows
    for fold in folds:
        splits = fold_splits(dataset, fold.held_out, indices, config.splitting)
        assert sorted(np.concatenate(list(splits.values()))) == rows
        assert list(splits["test"]) == list(fold.held_out)
        train, validation, test = (set(dataset.sequences.groups[splits[s]]) for s in ("train", "validation", "test"))
        assert not train & validation
        assert not test & (train | validation)


@pytest.mark.parametrize("name", TASKS)
def test_the_quadrant_of_a_sequence_is_read_from_inputs_or_targets(name: str) -> None:
    task = TASKS[name]
    valence, arousal = np.array([-0.5, -0.5, 0.5, 0.5]), np.array([-0.5, 0.5, -0.5, 0.5])
    inputs = np.zeros((4, 3, task.num_inputs), np.float32)
    targets = np.zeros((4, 3, task.num_outputs), np.float32)
    array, width = (targets, 64) if name == "emotionrecognizer" else (inputs, min(64, task.num_inputs))
    array[:, :2, :width] = embedding_of(valence, arousal)[:, None, :width]
    mask = np.ones(targets.shape, bool)
    mask[:, 2] = False  # padding is ignored
    sequences = Sequences(inputs, targets, np.array(list("abcd")), mask)
    assert quadrants(task, sequences).tolist() == [0, 1, 2, 3]


def test_a_fold_has_whole_pieces_and_the_same_distribution_of_emotions(config: TaskConfig) -> None:
    piece = np.repeat(np.arange(200), 2)
    valence = np.where(piece < 40, 0.5, -0.5)
    inputs = embedding_of(valence, np.where(piece % 2, 0.5, -0.5))[:, None]
    dataset = Dataset(Sequences(inputs, inputs[..., :32], piece.astype(str)))
    indices = {"train": np.arange(320), "validation": np.arange(320, 400), "test": np.arange(0)}
    folds = make_folds(config.task, dataset, indices, config.splitting, 5)
    assert sum(len(set(piece[rows])) for rows in folds) == 200
    assert [int((valence[rows] > 0).sum()) for rows in folds] == [16] * 5
    assert merge_rare(np.array([0, 0, 0, 1, 2, 2, 2]), 2).tolist() == [0, 0, 0, 0, 2, 2, 2]


def test_a_finished_fold_is_reused_and_an_interrupted_one_resumed(
    config: TaskConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crossval([config], 3, Path("uninterrupted"), 1)
    expected = capsys.readouterr().out
    calls = iter(range(100))

    def interrupt(*_: Any) -> None:
        if next(calls) == 2:  # after the first epoch of the second fold
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        interrupted = partial(train_model, run=RunOptions(after_epoch=interrupt))
        patch.setattr(crossval_module, "train_model", interrupted)
        with pytest.raises(KeyboardInterrupt):
            crossval([config], 3, OUTPUT, 1)
    epochs: list[int] = []
    add = TrainingMetrics.add

    def count(self: TrainingMetrics, epoch: int, *arguments: Any, **more: Any) -> None:
        epochs.append(epoch)
        add(self, epoch, *arguments, **more)

    monkeypatch.setattr(TrainingMetrics, "add", count)
    capsys.readouterr()
    crossval([config], 3, OUTPUT, 1)
    assert capsys.readouterr().out == expected
    assert epochs == [2, 1, 2]  # the second fold was resumed, the third trained
    epochs.clear()
    crossval([config], 3, OUTPUT, 1)
    assert epochs == []
    crossval([replace(config, training=config.training.model_copy(update={"learning_rate": 0.002}))], 3, OUTPUT, 1)
    assert epochs == [1, 2] * 3


def test_a_fold_of_other_pieces_is_retrained_from_scratch(config: TaskConfig) -> None:
    first, second, _ = all_folds(config, 3)
    trained = []
    for fold in (first, replace(first, held_out=second.held_out)):
        fold.train(OUTPUT)
        trained.append(load_best(config.task, OUTPUT / "checkpoints")[1]["fingerprint"]["data"]["fold"])
    assert [name.partition(",")[0] for name in trained] == ["1 of 3", "1 of 3"]
    assert trained[0] != trained[1]


def test_the_table_and_the_file_have_mean_and_standard_deviation(
    config: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    crossval([config], 3, OUTPUT, 2)
    content = json.loads((OUTPUT / "groovepredictor/folds.json").read_text())
    losses = [row["loss"] for row in content["folds"]]
    assert content["mean"]["loss"] == pytest.approx(np.mean(losses))
    assert content["spread"]["loss"] == pytest.approx(np.std(losses, ddof=1))
    assert len(set(losses)) == 3
    assert all(row["loss"] < row["baseline_loss"] for row in content["folds"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].split()[:3] == ["standard", "deviation", f"{np.std(losses, ddof=1):.6f}"]
    assert printed[-2].split()[:2] == ["mean", f"{np.mean(losses):.6f}"]


@pytest.mark.parametrize("number", [1, 161])
def test_more_folds_than_pieces_and_a_single_one_are_rejected(config: TaskConfig, number: int) -> None:
    with pytest.raises(KellyError, match=f"{number} folds: expected 2 to 160"):
        crossval([config], number, OUTPUT)
