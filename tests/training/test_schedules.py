"""Learning rates, weight decay and clipping: those of PyTorch, step by step."""

import pytest
import torch
from torch import nn

from kelly.runtime.errors import KellyError
from kelly.training.adam import Adam
from kelly.training.schedules import Schedule, over_epochs


def test_a_cosine_is_pytorchs() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    ours = Schedule("cosine", 10, 50)
    for step in range(10, 50):
        assert ours(step) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_a_warm_up_rises_in_equal_parts_to_the_full_rate(kind: str) -> None:
    schedule = Schedule(kind, 4, 10)  # type: ignore[arg-type]
    assert [schedule(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_without_a_schedule_the_rate_stays() -> None:
    assert {over_epochs("constant", 0, 5, iter(()))(step) for step in (0, 3, 10**6)} == {1.0}


def test_a_schedule_needs_to_know_how_many_steps_there_are() -> None:
    assert over_epochs("cosine", 1, 5, [0] * 7) == Schedule("cosine", 7, 35)
    with pytest.raises(KellyError, match="list_iterator does not say how many batches it has"):
        over_epochs("cosine", 0, 5, iter([]))
    with pytest.raises(KellyError, match="warmup_epochs is 5, expected fewer than epochs, 5"):
        over_epochs("constant", 5, 5, [0])


def test_weight_decay_and_clipping_are_pytorchs_bit_by_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(1000, generator=generator)
    mine, theirs, gradient = values.clone(), nn.Parameter(values.clone()), torch.empty(1000)
    ours = Adam(mine, gradient, 0.01, weight_decay=0.1, max_gradient_norm=3.0)
    pytorchs = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1, fused=True)
    for size in (0.01, 1.0, 100.0) * 5:  # the first is short enough as it is
        gradient.normal_(generator=generator).mul_(size)
        theirs.grad = gradient.clone()
        nn.utils.clip_grad_norm_([theirs], 3.0)
        pytorchs.step()
        ours.step()
        assert torch.equal(mine, theirs)
