"""Splits: whole pieces, the right sizes, no leak, the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kelly.data import splits
from kelly.data.dataset import Dataset, Sequences
from kelly.runtime.errors import KellyError


def dataset(groups: list[str], predefined_split: list[str] | None = None) -> Dataset:
    n = len(groups)
    inputs = np.arange(n * 4, dtype=np.float32).reshape(n, 2, 2)
    labels = None if predefined_split is None else np.array(predefined_split)
    return Dataset(Sequences(inputs, inputs.copy(), np.array(groups), predefined_split=labels))


NAMES = [f"piece {i}" for i in range(10)]
pieces = st.lists(st.sampled_from(NAMES), max_size=60).map(lambda more: NAMES + more)


@given(pieces, st.integers(0, 1000))
def test_every_sequence_is_in_one_split_and_no_piece_in_two(groups: list[str], seed: int) -> None:
    rows = splits.split_dataset(dataset(groups), seed, 0.2, 0.2)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(groups)))
    pieces = [{groups[row] for row in split} for split in rows.values()]
    assert len(set.union(*pieces)) == sum(len(split) for split in pieces)


@example(12_500, 0.2, 0.2, 42)  # 8,000, 2,000 and 2,500
@given(st.integers(12, 400), st.floats(0.1, 0.5), st.floats(0.1, 0.5), st.integers(0, 1000))
def test_splits_have_their_share_of_the_pieces(n: int, validation: float, test: float, seed: int) -> None:
    rows = splits.split_dataset(dataset([str(i) for i in range(n)]), seed, validation, test)
    assert len(rows["test"]) == round(test * n)
    assert len(rows["validation"]) == round(validation * (n - len(rows["test"])))


def test_the_seed_determines_the_splits() -> None:
    data = dataset([str(i) for i in range(50)])
    first, again, other = (splits.split_dataset(data, seed, 0.2, 0.2) for seed in (1, 1, 2))
    assert all(np.array_equal(first[split], again[split]) for split in splits.SPLITS)
    assert not np.array_equal(first["test"], other["test"])


def test_a_predefined_split_is_used() -> None:
    rows = splits.split_dataset(dataset(list("abcdef"), ["train", "test", "validation"] * 2), 1, 0.5, 0.5)
    assert [rows[split].tolist() for split in splits.SPLITS] == [[0, 3], [2, 5], [1, 4]]


def test_validation_is_drawn_from_train_where_only_test_is_predefined() -> None:
    rows = splits.split_dataset(dataset([str(i) for i in range(20)], ["train"] * 15 + ["test"] * 5), 1, 0.2, 0.9)
    assert rows["test"].tolist() == [15, 16, 17, 18, 19]
    assert len(rows["validation"]) == 3


def test_a_predefined_split_that_divides_a_piece_is_refused() -> None:
    with pytest.raises(KellyError, match="piece 'a' is in train and in test"):
        splits.split_dataset(dataset(["a", "b", "c", "a"], ["train", "train", "validation", "test"]), 1, 0.2, 0.2)


def test_pieces_with_the_same_content_in_two_splits_are_refused() -> None:
    data = dataset(["a", "b", "c"], ["train", "validation", "test"])
    data.sequences.inputs[2], data.sequences.targets[2] = data.sequences.inputs[0], data.sequences.targets[0]
    with pytest.raises(KellyError, match="piece 'c' in test has the same content as 'a' in train"):
        splits.split_dataset(data, 1, 0.2, 0.2)


def test_too_few_pieces_are_refused() -> None:
    with pytest.raises(KellyError, match=r"2 piece\(s\) cannot be split with test_split 0\.2"):
        splits.split_dataset(dataset(["a", "b"]), 1, 0.2, 0.2)


def test_the_stream_of_real_music_is_the_test_pieces_up_to_their_ends_one_after_another() -> None:
    data = dataset([str(i) for i in range(10)])
    rows = splits.split_dataset(data, 1, 0.2, 0.2)
    taken = splits.take_splits(data, rows)
    np.testing.assert_array_equal(taken["stream"].inputs[0], taken["test"].inputs.reshape(-1, 2))
    mask = np.ones(data.sequences.targets.shape, dtype=bool)
    mask[:, 1] = False
    taken = splits.take_splits(Dataset(replace(data.sequences, mask=mask)), rows)
    np.testing.assert_array_equal(taken["stream"].inputs[0], taken["test"].inputs[:, 0])


def test_shuffled_inputs_are_those_of_other_sequences_of_the_same_split() -> None:
    data = dataset([str(i) for i in range(50)])
    rows = splits.split_dataset(data, 1, 0.2, 0.2)
    plain, shuffled = splits.take_splits(data, rows), splits.take_splits(data, rows, shuffle_seed=1)
    for split in splits.SPLITS:
        np.testing.assert_array_equal(plain[split].targets, shuffled[split].targets)
        assert not np.array_equal(plain[split].inputs, shuffled[split].inputs)
        np.testing.assert_array_equal(np.sort(plain[split].inputs, axis=0), np.sort(shuffled[split].inputs, axis=0))


def test_augmented_sequences_are_used_for_training_alone() -> None:
    data = dataset([str(i // 3) for i in range(60)])  # of each piece itself and two variations
    augmented = np.arange(60) % 3 > 0
    varied = Dataset(replace(data.sequences, augmented=augmented))
    rows = splits.split_dataset(varied, 1, 0.2, 0.2)
    plain = splits.split_dataset(data, 1, 0.2, 0.2)
    np.testing.assert_array_equal(rows["train"], plain["train"])
    for split in ("validation", "test"):
        np.testing.assert_array_equal(rows[split], plain[split][~augmented[plain[split]]])
        assert len(rows[split]) == len(plain[split]) / 3
