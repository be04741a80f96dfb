"""Batches in pieces of many, gathered at once: no row-wise data set, one permutation an epoch from a generator.

Frames lie packed, as kelly.training.backprop wants them: what is past a sequence's end is left out. Data of up
to MEMORY_BYTES is kept in memory and permuted freely. Of more, BLOCK_BYTES at a time are read in order while training
goes on; each epoch takes the blocks in another order, and the rows of each in another.

Of several processes each gathers its share of every batch: of N processes number r has, after the sort by length, the
sequences r, r + N, r + 2N …, so that all have long and short ones. A share may be empty.
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
CHUNK_FRAMES = 8_192  # gathered at once: enough to hide what a call costs, few enough for the cache


@dataclass(frozen=True)
class Chunk:
    """Some batches, one after another, or a process's shares of them, their frames packed.

    inputs: float32[frames, in]; targets: float32[frames, out] or int64[frames]
    mask: bool, shape of targets, False where a target is missing; None: all are there
    sizes: of each batch, how many sequences go on at each time step
    last_frames: of each batch, int64[sequences], the rows of its sequences' last frames, counted in the batch
    num_sequences: of each batch, in all processes
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor | None
    sizes: list[list[int]]
    last_frames: list[Tensor]
    num_sequences: list[int]

    @cached_property
    def num_frames(self) -> list[int]:
        """Of each batch."""
        return [sum(sizes) for sizes in self.sizes]


class Block:
    """Whole sequences in memory or on a device: inputs [n, num_frames, in], targets and mask as in Sequences."""

    def __init__(self, inputs: Tensor, targets: Tensor, mask: Tensor | None, device: torch.device) -> None:
        self.n, self.num_frames = inputs.shape[:2]
        self.lengths = torch.full((self.n,), self.num_frames)
        if mask is not None:
            there = mask if mask.dim() == 2 else mask.any(dim=-1)
            count = torch.arange(1, self.num_frames + 1, device=mask.device)
            self.lengths = (there * count).amax(dim=1).clamp(min=1).cpu()
            if int(mask.sum()) == int(self.lengths.sum()) * mask[0, 0].numel():
                mask = None  # it said no more than where sequences end
        self.inputs, self.targets = moved(inputs.flatten(0, 1), device), moved(targets.flatten(0, 1), device)
        self.mask = None if mask is None else moved(mask.flatten(0, 1), device)

    def packed(self, rows: Tensor, batch_size: int, process_group: ProcessGroup = SINGLE_PROCESS) -> Chunk:
        """The sequences at rows: int64[m] in batches of batch_size, the last one of what is left; shares of them."""
        number = -(-len(rows) // batch_size)
        padding = number * batch_size - len(rows)
        rows = torch.nn.functional.pad(rows, (0, padding))
        lengths = self.lengths[rows]
        lengths[len(rows) - padding :] = 0
        lengths, order = lengths.view(number, batch_size).sort(dim=1, descending=True, stable=True)
        rows = rows.view(number, batch_size).gather(1, order)
        steps = torch.arange(int(lengths.max()))[:, None]
        lengths, rows = (part[:, process_group.rank :: process_group.size] for part in (lengths, rows))
        goes_on = steps < lengths[:, None]  # [batches, time steps, sequences]
        frames = moved((rows[:, None] * self.num_frames + steps)[goes_on], self.inputs.device)
        position = goes_on.flatten(1).cumsum(dim=1).view(goes_on.shape) - 1
        last = moved(position.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0], self.inputs.device)
        sizes = [[size for size in batch if size] for batch in goes_on.sum(dim=2).tolist()]
        return Chunk(
            self.inputs.index_select(0, frames),
            self.targets.index_select(0, frames),
            None if self.mask is None else self.mask.index_select(0, frames),
            sizes,
            [rows_of[: batch[0] if batch else 0] for rows_of, batch in zip(last, sizes, strict=True)],
            [batch_size] * (number - 1) + [batch_size - padding],
        )


class Source(Protocol):
    """What batches are taken from: Sequences, or a kelly.data.splits.SplitView, which reads from the disk."""

    def __len__(self) -> int:
        """The number of sequences."""

    def take(self, rows: slice) -> Sequences:
        """The sequences of a slice."""


class Batches:
    """All batches of one side of the data, chunk by chunk, on `device`.

    generator: draws the order of each epoch; None: the order of the data, as for validation.
    memory_bytes, block_bytes: how much is kept, and how much read at once where it is more
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
        per_block = len(source)
        if len(source) * row_bytes > memory_bytes:
            # Whole batches, so that an epoch has as many steps as it would have in one block.
            per_block = max(1, block_bytes // row_bytes // batch_size) * batch_size
        self.blocks = [slice(start, start + per_block) for start in range(0, len(source), max(1, per_block))]
        self.kept = self._read(self.blocks[0]) if len(self.blocks) == 1 else None
        self.per_chunk = max(1, CHUNK_FRAMES // (batch_size * max(1, first.inputs.shape[1]))) * batch_size

    def __len__(self) -> int:
        return -(-len(self.source) // self.batch_size)

    def __iter__(self) -> Iterator[Chunk]:
        return self.shared(SINGLE_PROCESS)

    def shared(self, process_group: ProcessGroup) -> Iterator[Chunk]:
        """The shares of one of several processes, which all have the same data and the same generator."""
        for block in self._in_order():
            for rows in torch.split(self._order(block.n), self.per_chunk):
                yield block.packed(rows, self.batch_size, process_group)

    def _order(self, number: int) -> Tensor:
        return torch.arange(number) if self.generator is None else torch.randperm(number, generator=self.generator)

    def _in_order(self) -> Iterator[Block]:
        """The blocks in the order of this epoch; the next one is read while the last is worked on."""
        if self.kept is not None:
            yield self.kept
            return
        order = self._order(len(self.blocks)).tolist()
        with ThreadPoolExecutor(max_workers=1) as reader:
            coming = [reader.submit(self._read, self.blocks[order[0]])] if order else []
            for i in range(len(order)):
                block = coming.pop().result()
                coming += [reader.submit(self._read, self.blocks[at]) for at in order[i + 1 : i + 2]]
                yield block

    def _read(self, rows: slice) -> Block:
        part = self.source.take(rows)
        inputs, targets = as_tensor(part.inputs), as_tensor(part.targets)
        return Block(inputs, targets, None if part.mask is None else as_tensor(part.mask), self.device)


def as_tensor(array: NDArray[Any]) -> Tensor:
    """A tensor that shares the memory of an array, or has a copy where that is a file that is only read."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """On `device`; a copy to a GPU does not hold up what comes next."""
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


# Batches, or anything that yields (inputs, targets) or (inputs, targets, mask).
Loader = Iterable[Any]


def chunks(loader: Loader, device: torch.device | str, process_group: ProcessGroup = SINGLE_PROCESS) -> Iterator[Chunk]:
    """The chunks of a loader, or a process's shares of them; of one that is not of Batches, each batch is a chunk.

    Rows without a time axis become sequences of one frame.
    """
    if isinstance(loader, Batches):
        yield from loader.shared(process_group)
        return
    for batch in loader:
        yield packed(batch, device, process_group)


def packed(batch: Sequence[Any], device: torch.device | str, process_group: ProcessGroup = SINGLE_PROCESS) -> Chunk:
    """One batch (inputs, targets, mask or None), or a process's share of it, as a chunk on `device`."""
    inputs, targets = batch[:2]
    mask = batch[2] if len(batch) > 2 else None
    if inputs.dim() == 2:
        inputs, targets, mask = inputs[:, None], targets[:, None], None if mask is None else mask[:, None]
    return Block(inputs, targets, mask, torch.device(device)).packed(
        torch.arange(len(inputs)), len(inputs), process_group
    )
