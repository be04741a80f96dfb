"""Batches, gathered many at a time: no row-wise data set; a generator permutes the sequences anew in each epoch.

Frames are packed, as kelly.training.backprop expects; padding is left out. Data of up to MEMORY_BYTES is kept in memory
and permuted freely. Larger data is read in blocks of BLOCK_BYTES during training; each epoch permutes the blocks, and
the sequences within each.

With several processes, each gathers its share of every batch: of the sequences sorted by length, rank r of N takes r,
r + N, r + 2N …, so that all get long and short ones. A share may be empty.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly.data.dataset import Sequences
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup

MEMORY_BYTES = 2**30
BLOCK_BYTES = 2**28
CHUNK_FRAMES = 8_192  # gathered at once: enough to amortise the call, few enough for the cache


@dataclass(frozen=True)
class Chunk:
    """Consecutive batches, or a process's shares of them, with their frames packed.

    inputs: float32[frames, in]; targets: float32[frames, out] or int64[frames]
    mask: bool, shape of targets, False where a target is missing; None: none is missing
    sizes: per batch, the number of sequences at each time step
    last_frames: per batch, int64[sequences], the rows, within the batch, of the sequences' last frames
    num_sequences: per batch, in all processes
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor | None
    sizes: list[list[int]]
    last_frames: list[Tensor]
    num_sequences: list[int]

    @cached_property
    def num_frames(self) -> list[int]:
        """Per batch."""
        return [sum(sizes) for sizes in self.sizes]


class Block:
    """Padded sequences in memory or on a device: inputs [n, num_frames, in], targets and mask as in Sequences."""

    def __init__(self, inputs: Tensor, targets: Tensor, mask: Tensor | None, device: torch.device) -> None:
        self.n, self.num_frames = inputs.shape[:2]
        self.lengths = torch.full((self.n,), self.num_frames)
        if mask is not None:
            valid = mask if mask.dim() == 2 else mask.any(dim=-1)
            position = torch.arange(1, self.num_frames + 1, device=mask.device)
            self.lengths = (valid * position).amax(dim=1).clamp(min=1).cpu()
            if int(mask.sum()) == int(self.lengths.sum()) * mask[0, 0].numel():
                mask = None  # it only marks the padding
        self.inputs, self.targets = to_device(inputs.flatten(0, 1), device), to_device(targets.flatten(0, 1), device)
        self.mask = None if mask is None else to_device(mask.flatten(0, 1), device)

    def pack(self, rows: Tensor, batch_size: int, process_group: ProcessGroup = SINGLE_PROCESS) -> Chunk:
        """The sequences `rows`, int64[m], in batches of batch_size (the last one may be smaller), or shares of them."""
        num_batches = -(-len(rows) // batch_size)
        padding = num_batches * batch_size - len(rows)
        rows = torch.nn.functional.pad(rows, (0, padding))
        lengths = self.lengths[rows]
        lengths[len(rows) - padding :] = 0
        lengths, order = lengths.view(num_batches, batch_size).sort(dim=1, descending=True, stable=True)
        rows = rows.view(num_batches, batch_size).gather(1, order)
        steps = torch.arange(int(lengths.max()))[:, None]
        lengths, rows = (array[:, process_group.rank :: process_group.world_size] for array in (lengths, rows))
        valid = steps < lengths[:, None]  # [batches, time steps, sequences]
        frames = to_device((rows[:, None] * self.num_frames + steps)[valid], self.inputs.device)
        position = valid.flatten(1).cumsum(dim=1).view(valid.shape) - 1
        last_frames = position.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
        last_frames = to_device(last_frames, self.inputs.device)
        sizes = [[size for size in batch if size] for batch in valid.sum(dim=2).tolist()]
        return Chunk(
            self.inputs.index_select(0, frames),
            self.targets.index_select(0, frames),
            None if self.mask is None else self.mask.index_select(0, frames),
            sizes,
            [last[: batch[0] if batch else 0] for last, batch in zip(last_frames, sizes, strict=True)],
            [batch_size] * (num_batches - 1) + [batch_size - padding],
        )


class Source(Protocol):
    """What batches are read from: Sequences in memory, or a kelly.data.splits.SplitView of a file."""

    def __len__(self) -> int:
        """The number of sequences."""

    def take(self, rows: slice) -> Sequences:
        """The sequences of a slice."""


class Batches:
    """All batches of a split, in chunks on `device`.

    generator: permutes the sequences in each epoch; None: the order of the data, as for validation
    memory_bytes, block_bytes: larger data than the first is read in blocks of the second
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        memory_bytes: int = MEMORY_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.source, self.batch_size, self.generator, self.device = source, batch_size, generator, torch.device(device)
        first = source.take(slice(0, 1))
        arrays = (first.inputs, first.targets, first.mask)
        row_bytes = max(1, sum(array.nbytes for array in arrays if array is not None))
        block_rows = len(source)
        if len(source) * row_bytes > memory_bytes:
            # Complete batches, so that an epoch has as many steps as with a single block.
            block_rows = max(1, block_bytes // row_bytes // batch_size) * batch_size
        self.blocks = [slice(start, start + block_rows) for start in range(0, len(source), max(1, block_rows))]
        self.in_memory = self._read(self.blocks[0]) if len(self.blocks) == 1 else None
        self.chunk_rows = max(1, CHUNK_FRAMES // (batch_size * max(1, first.inputs.shape[1]))) * batch_size

    def __len__(self) -> int:
        return -(-len(self.source) // self.batch_size)

    def __iter__(self) -> Iterator[Chunk]:
        return self.chunks(SINGLE_PROCESS)

    def chunks(self, process_group: ProcessGroup) -> Iterator[Chunk]:
        """An epoch, or one process's shares of it; all processes need the same data and equal generators."""
        for block in self._ordered_blocks():
            for rows in torch.split(self._order(block.n), self.chunk_rows):
                yield block.pack(rows, self.batch_size, process_group)

    def _order(self, n: int) -> Tensor:
        return torch.arange(n) if self.generator is None else torch.randperm(n, generator=self.generator)

    def _ordered_blocks(self) -> Iterator[Block]:
        """The blocks in the order of this epoch; a thread reads the next one."""
        if self.in_memory is not None:
            yield self.in_memory
            return
        order = self._order(len(self.blocks)).tolist()
        with ThreadPoolExecutor(max_workers=1) as reader:
            pending = [reader.submit(self._read, self.blocks[order[0]])] if order else []
            for i in range(len(order)):
                block = pending.pop().result()
                pending += [reader.submit(self._read, self.blocks[j]) for j in order[i + 1 : i + 2]]
                yield block

    def _read(self, rows: slice) -> Block:
        sequences = self.source.take(rows)
        mask = None if sequences.mask is None else as_tensor(sequences.mask)
        return Block(as_tensor(sequences.inputs), as_tensor(sequences.targets), mask, self.device)


def as_tensor(array: NDArray[Any]) -> Tensor:
    """A tensor that shares the memory of an array, or a copy of a read-only one."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`; a copy to a GPU is asynchronous."""
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


# Batches, or any iterable of (inputs, targets) or (inputs, targets, mask), such as a DataLoader.
Loader = Iterable[Any]


def chunks(loader: Loader, device: torch.device | str, process_group: ProcessGroup = SINGLE_PROCESS) -> Iterator[Chunk]:
    """The chunks of a loader, or one process's shares; without Batches, each batch is a chunk."""
    if isinstance(loader, Batches):
        return loader.chunks(process_group)
    return (pack_batch(batch, device, process_group) for batch in loader)


def pack_batch(batch: Sequence[Any], device: torch.device | str, process_group: ProcessGroup = SINGLE_PROCESS) -> Chunk:
    """One batch (inputs, targets, mask or none), or one process's share, as a chunk on `device`.

    Rows without a time axis become sequences of one frame.
    """
    inputs, targets, mask = (*batch, None)[:3]
    if inputs.dim() == 2:
        inputs, targets, mask = inputs[:, None], targets[:, None], None if mask is None else mask[:, None]
    block = Block(inputs, targets, mask, torch.device(device))
    return block.pack(torch.arange(block.n), block.n, process_group)
