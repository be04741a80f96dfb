"""Batches cut from tensors in memory: no row-wise data set, one permutation an epoch from a generator of its own."""

from collections.abc import Iterator

import torch
from torch import Tensor

from kelly.datasets.sequences import Sequences


class Batches:
    """Iterable of (inputs, targets, mask or None) batches of one side of the data, on `device`.

    generator: draws the order of each epoch; None: the order of the data, as for validation.
    """

    def __init__(
        self,
        sequences: Sequences,
        batch_size: int,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        def tensor(array: object) -> Tensor:
            return torch.tensor(array).to(device)  # a copy: memory-mapped arrays are read-only

        self.inputs = tensor(sequences.inputs)
        self.targets = tensor(sequences.targets)
        self.mask = None if sequences.mask is None else tensor(sequences.mask)
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        order = None
        if self.generator is not None:
            order = torch.randperm(len(self.inputs), generator=self.generator).to(self.inputs.device)
        for start in range(0, len(self.inputs), self.batch_size):
            rows = slice(start, start + self.batch_size) if order is None else order[start : start + self.batch_size]
            yield self.inputs[rows], self.targets[rows], None if self.mask is None else self.mask[rows]
