"""Adam, weight decay, gradient clipping and learning rate schedules equal PyTorch's."""

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


@pytest.mark.parametrize(("weight_decay", "max_norm"), [(0.0, 0.0), (0.1, 3.0)])
def test_adam_equals_pytorchs_bit_by_bit(weight_decay: float, max_norm: float) -> None:
    generator = torch.Generator().manual_seed(1)
    parameters = torch.rand(1000, generator=generator)
    expected, gradient = nn.Parameter(parameters.clone()), torch.empty(1000)
    adam = Adam(parameters, gradient, 0.01, weight_decay, max_norm)
    kind = torch.optim.AdamW if weight_decay else torch.optim.Adam
    pytorch_adam = kind([expected], lr=0.01, weight_decay=weight_decay, fused=True)
    for scale in (0.01, 1.0, 100.0) * 5:  # the first is short enough not to be clipped
        gradient.normal_(generator=generator).mul_(scale)
        expected.grad = gradient.clone()
        if max_norm:
            nn.utils.clip_grad_norm_([expected], max_norm)
        pytorch_adam.step()
        adam.step()
        saved = {name: value.clone() for name, value in adam.state_dict().items() if isinstance(value, torch.Tensor)}
        adam = Adam(parameters, gradient, 0.01, weight_decay, max_norm)
        adam.load_state_dict(saved)
        assert torch.equal(parameters, expected)
    state = pytorch_adam.state[expected]
    assert torch.equal(adam.num_steps, state["step"])
    assert torch.equal(adam.exp_avg, state["exp_avg"])
    assert torch.equal(adam.exp_avg_sq, state["exp_avg_sq"])
