"""Batches: every sequence once an epoch, whatever the data's size, and only a part of large data in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kill_anywhere import exact
from numpy.typing import NDArray
from support.small_runs import small_data

from kelly.data.dataset import Sequences
from kelly.data.splits import SplitView
from kelly.training import CheckpointManager, GroovePredictor, train
from kelly.training.batches import Batches, Chunk, packed


def numbered(n: int, num_frames: int = 3, lengths: NDArray[np.intp] | None = None) -> Sequences:
    """Sequences whose inputs are their row and frame."""
    rows, frames = np.meshgrid(np.arange(n), np.arange(num_frames), indexing="ij")
    inputs = np.stack([rows, frames], axis=-1).astype(np.float32)
    mask = None if lengths is None else np.arange(num_frames) < lengths[:, None]
    return Sequences(inputs, np.zeros((n, num_frames), dtype=np.int64), np.array([str(i) for i in range(n)]), mask)


def batches_of(chunk: Chunk) -> list[list[tuple[int, int]]]:
    """Of each batch, row and frame of all its packed frames."""
    parts = torch.split(chunk.inputs, chunk.num_frames)
    return [[(int(row), int(frame)) for row, frame in part.tolist()] for part in parts]


def rows_in_order(batches: Batches) -> list[int]:
    """The row of every sequence in the order of an epoch, told by its first frame."""
    return [row for chunk in batches for batch in batches_of(chunk) for row, frame in batch if frame == 0]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40), st.integers(1, 9))
def test_frames_are_packed_as_pytorch_packs_them(lengths: list[int], batch_size: int) -> None:
    part = numbered(len(lengths), 5, np.array(lengths))
    found = [
        (batch, sizes, last)
        for chunk in Batches(part, batch_size)
        for batch, sizes, last in zip(batches_of(chunk), chunk.sizes, chunk.last_frames, strict=True)
    ]
    assert len(found) == -(-len(lengths) // batch_size)
    for i, (batch, sizes, last) in enumerate(found):
        rows = range(i * batch_size, min(len(lengths), (i + 1) * batch_size))
        longest_first = sorted(rows, key=lambda row: -lengths[row])
        expected = torch.nn.utils.rnn.pack_sequence(
            [torch.tensor(part.inputs[row, : lengths[row]]) for row in longest_first]
        )
        assert batch == [(int(row), int(frame)) for row, frame in expected.data.tolist()]
        assert sizes == expected.batch_sizes.tolist()
        assert [batch[int(at)] for at in last] == [(row, lengths[row] - 1) for row in longest_first]


def test_a_mask_that_says_only_where_sequences_end_is_left_out() -> None:
    part = numbered(4, 3, np.array([1, 3, 2, 3]))
    assert part.mask is not None
    assert all(chunk.mask is None for chunk in Batches(part, 2))
    part.mask[1, 0] = False
    assert [chunk.mask is None for chunk in Batches(part, 4)] == [False]
    with_nothing = numbered(
        2, 3, np.array([0, 0])
    )  # a sequence without any target keeps a frame, which teaches nothing
    [chunk] = Batches(with_nothing, 2)
    assert chunk.mask is not None
    assert (chunk.num_frames, chunk.mask.tolist()) == ([2], [False, False])


@pytest.mark.parametrize("memory_bytes", [2**30, 0])
def test_an_epoch_goes_once_through_all_in_an_order_of_its_own(memory_bytes: int) -> None:
    part = numbered(1_000)
    row_bytes = part.inputs[0].nbytes + part.targets[0].nbytes
    batches = Batches(part, 7, torch.Generator().manual_seed(1), memory_bytes=memory_bytes, block_bytes=100 * row_bytes)
    epochs = [rows_in_order(batches) for _ in range(3)]
    for order in epochs:
        assert sorted(order) == list(range(1_000))
    assert epochs[0] != epochs[1] != epochs[2]
    assert sum(len(chunk.sizes) for chunk in batches) == len(batches) == 143
    assert rows_in_order(Batches(part, 7, memory_bytes=memory_bytes, block_bytes=100 * row_bytes)) == list(range(1_000))


def test_of_large_data_blocks_are_permuted_and_so_are_the_rows_of_each() -> None:
    part = numbered(1_000)
    row_bytes = part.inputs[0].nbytes + part.targets[0].nbytes
    batches = Batches(part, 7, torch.Generator().manual_seed(1), memory_bytes=0, block_bytes=100 * row_bytes)
    blocks = []
    for _ in range(2):
        order, seen = rows_in_order(batches), []
        while order:  # of 98 rows, whole batches, and what is left
            number = order[0] // 98
            size = min(98, 1_000 - 98 * number)
            block, order = order[:size], order[size:]
            assert sorted(block) == list(range(98 * number, 98 * number + size))
            assert block != sorted(block)
            seen.append(number)
        assert sorted(seen) == list(range(11))
        blocks.append(seen)
    assert blocks[0] != blocks[1]


def test_large_data_is_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(1_000).save(tmp_path)
    rows = np.arange(0, 1_000, 2)
    side, take = SplitView(Sequences.load(tmp_path), rows, rows), SplitView.take
    taken: list[slice] = []

    def noted(self: SplitView, part: slice) -> Sequences:
        taken.append(part)
        return take(self, part)

    monkeypatch.setattr(SplitView, "take", noted)
    row_bytes = 3 * 2 * 4 + 3 * 8
    batches = Batches(side, 5, torch.Generator().manual_seed(1), memory_bytes=0, block_bytes=50 * row_bytes)
    assert sorted(rows_in_order(batches)) == rows.tolist()
    assert sorted(part.start for part in taken[1:]) == list(range(0, 500, 50))
    assert {part.stop - part.start for part in taken[1:]} == {50}


def test_training_on_large_data_goes_on_exactly(tmp_path: Path) -> None:
    part = small_data()["train"]

    def run(folder: str, epochs: int, resume_from: dict[str, Any] | None = None) -> CheckpointManager:
        manager, generator = CheckpointManager(tmp_path / folder), torch.Generator().manual_seed(1)
        batches = Batches(part, 4, generator, memory_bytes=0, block_bytes=10_000)
        assert len(batches.blocks) > 3
        train(GroovePredictor(), batches, epochs=epochs, checkpoint_manager=manager, resume_from=resume_from)
        return manager

    unbroken, broken = run("unbroken", 4), run("broken", 2)
    run("broken", 4, broken.load_latest("groovepredictor"))
    assert exact(unbroken.load_latest("groovepredictor")) == exact(broken.load_latest("groovepredictor"))


def test_rows_without_a_time_axis_become_sequences_of_one_frame() -> None:
    chunk = packed((torch.rand(4, 3), torch.rand(4, 2), torch.ones(4, 2, dtype=torch.bool)), "cpu")
    assert (chunk.inputs.shape, chunk.targets.shape, chunk.sizes) == ((4, 3), (4, 2), [[4]])
