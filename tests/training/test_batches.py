"""Batches: every sequence once per epoch, whatever the size of the data, and only a block of large data in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.numbered_data import batch_frames, numbered_data
from support.small_runs import files, small_data

from kelly.data.dataset import Sequences
from kelly.data.splits import SplitView
from kelly.training import CheckpointManager, GroovePredictor, OptimizationConfig, RunOptions, train
from kelly.training.batches import Batches, pack_batch


def epoch_rows(batches: Batches) -> list[int]:
    """The rows of the sequences in the order of an epoch."""
    return [row for chunk in batches for batch in batch_frames(chunk) for row, frame in batch if frame == 0]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(1, 9))
def test_frames_are_packed_as_pytorch_packs_them(lengths: list[int], batch_size: int) -> None:
    data = numbered_data(len(lengths), 5, np.array(lengths))
    batches = [
        batch
        for chunk in Batches(data, batch_size)
        for batch in zip(batch_frames(chunk), chunk.sizes, chunk.last_frames, strict=True)
    ]
    assert len(batches) == -(-len(lengths) // batch_size)
    for i, (frames, sizes, last_frames) in enumerate(batches):
        rows = range(i * batch_size, min(len(lengths), (i + 1) * batch_size))
        longest_first = sorted(rows, key=lambda row: -lengths[row])
        expected = torch.nn.utils.rnn.pack_sequence(
            [torch.tensor(data.inputs[row, : lengths[row]]) for row in longest_first]
        )
        assert frames == [(int(row), int(frame)) for row, frame in expected.data.tolist()]
        assert sizes == expected.batch_sizes.tolist()
        assert [frames[int(i)] for i in last_frames] == [(row, lengths[row] - 1) for row in longest_first]


def test_a_mask_that_only_marks_padding_is_dropped() -> None:
    data = numbered_data(4, 3, np.array([1, 3, 2, 3]))
    assert data.mask is not None
    assert all(chunk.mask is None for chunk in Batches(data, 2))
    data.mask[1, 0] = False
    assert [chunk.mask is None for chunk in Batches(data, 4)] == [False]
    [chunk] = Batches(numbered_data(2, 3, np.array([0, 0])), 2)  # without any target, one masked frame is left
    assert chunk.mask is not None
    assert (chunk.num_frames, chunk.mask.tolist()) == ([2], [False, False])


@pytest.mark.parametrize("memory_bytes", [2**30, 0])
def test_an_epoch_has_every_sequence_once_in_a_new_order(memory_bytes: int) -> None:
    data = numbered_data(1_000)
    row_bytes = data.inputs[0].nbytes + data.targets[0].nbytes
    sizes = {"memory_bytes": memory_bytes, "block_bytes": 100 * row_bytes}
    batches = Batches(data, 7, torch.Generator().manual_seed(1), **sizes)
    epochs = [epoch_rows(batches) for _ in range(3)]
    for order in epochs:
        assert sorted(order) == list(range(1_000))
    assert epochs[0] != epochs[1] != epochs[2]
    assert sum(len(chunk.sizes) for chunk in batches) == len(batches) == 143
    assert epoch_rows(Batches(data, 7, **sizes)) == list(range(1_000))


def test_of_large_data_the_blocks_and_the_rows_within_each_are_permuted() -> None:
    data = numbered_data(1_000)
    row_bytes = data.inputs[0].nbytes + data.targets[0].nbytes
    batches = Batches(data, 7, torch.Generator().manual_seed(1), memory_bytes=0, block_bytes=100 * row_bytes)
    block_orders = []
    for _ in range(2):
        order, blocks = epoch_rows(batches), []
        while order:  # blocks of 98 rows, complete batches, and a smaller one
            number = order[0] // 98
            size = min(98, 1_000 - 98 * number)
            block, order = order[:size], order[size:]
            assert sorted(block) == list(range(98 * number, 98 * number + size))
            assert block != sorted(block)
            blocks.append(number)
        assert sorted(blocks) == list(range(11))
        block_orders.append(blocks)
    assert block_orders[0] != block_orders[1]


def test_large_data_is_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered_data(1_000).save(tmp_path)
    rows = np.arange(0, 1_000, 2)
    view, take = SplitView(Sequences.load(tmp_path), rows, rows), SplitView.take
    slices: list[slice] = []

    def record_slice(self: SplitView, rows: slice) -> Sequences:
        slices.append(rows)
        return take(self, rows)

    monkeypatch.setattr(SplitView, "take", record_slice)
    row_bytes = 3 * 2 * 4 + 3 * 8
    batches = Batches(view, 5, torch.Generator().manual_seed(1), memory_bytes=0, block_bytes=50 * row_bytes)
    assert sorted(epoch_rows(batches)) == rows.tolist()
    assert sorted(block.start for block in slices[1:]) == list(range(0, 500, 50))
    assert {block.stop - block.start for block in slices[1:]} == {50}


def test_training_on_large_data_resumes_exactly(tmp_path: Path) -> None:
    def run(folder: str, epochs: int, resume_from: dict[str, Any] | None = None) -> CheckpointManager:
        manager, generator = CheckpointManager(tmp_path / folder), torch.Generator().manual_seed(1)
        batches = Batches(small_data()["train"], 4, generator, memory_bytes=0, block_bytes=10_000)
        assert len(batches.blocks) > 3
        config, options = OptimizationConfig(epochs=epochs), RunOptions(resume_from=resume_from)
        train(GroovePredictor(), batches, config=config, checkpoint_manager=manager, run=options)
        return manager

    run("uninterrupted", 4)
    manager = run("resumed", 2)
    run("resumed", 4, manager.load_latest("groovepredictor"))
    assert files(tmp_path / "resumed") == files(tmp_path / "uninterrupted")


def test_rows_without_a_time_axis_become_sequences_of_one_frame() -> None:
    chunk = pack_batch((torch.rand(4, 3), torch.rand(4, 2), torch.ones(4, 2, dtype=torch.bool)), "cpu")
    assert (chunk.inputs.shape, chunk.targets.shape, chunk.sizes) == ((4, 3), (4, 2), [[4]])
