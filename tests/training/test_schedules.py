"""Learning rate schedules, weight decay and gradient clipping equal PyTorch's."""

import pytest
import torch
from torch import nn

from kelly.runtime.errors import KellyError
from kelly.training.adam import Adam
from kelly.training.schedules import Schedule, over_epochs


def test_the_cosine_equals_pytorchs() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    expected = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    schedule = Schedule("cosine", 10, 50)
    for step in range(10, 50):
        assert schedule(step) == pytest.approx(expected.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        expected.step()


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_the_warm_up_is_linear(kind: str) -> None:
    schedule = Schedule(kind, 4, 10)  # type: ignore[arg-type]
    assert [schedule(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_the_default_rate_is_constant() -> None:
    assert {over_epochs("constant", 0, 5, iter(()))(step) for step in (0, 3, 10**6)} == {1.0}


def test_a_schedule_needs_the_number_of_steps() -> None:
    assert over_epochs("cosine", 1, 5, [0] * 7) == Schedule("cosine", 7, 35)
    with pytest.raises(KellyError, match="list_iterator has no length"):
        over_epochs("cosine", 0, 5, iter([]))
    with pytest.raises(KellyError, match="warmup_epochs is 5, expected fewer"):
        over_epochs("constant", 5, 5, [0])


def test_weight_decay_and_clipping_equal_pytorchs_bit_by_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    parameters = torch.rand(1000, generator=generator)
    expected, gradient = nn.Parameter(parameters.clone()), torch.empty(1000)
    adam = Adam(parameters, gradient, 0.01, weight_decay=0.1, max_gradient_norm=3.0)
    pytorch_adam = torch.optim.AdamW([expected], lr=0.01, weight_decay=0.1, fused=True)
    for scale in (0.01, 1.0, 100.0) * 5:  # the first is short enough not to be clipped
        gradient.normal_(generator=generator).mul_(scale)
        expected.grad = gradient.clone()
        nn.utils.clip_grad_norm_([expected], 3.0)
        pytorch_adam.step()
        adam.step()
        assert torch.equal(parameters, expected)
