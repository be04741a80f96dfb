"""The passes written out give what autograd gives, and an epoch what an ordinary loop gives."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from support.small_runs import drawn
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kelly.data.dataset import Sequences
from kelly.networks import ACTIVATION, Network
from kelly.tasks import ACTIVATIONS, LSTM, TASKS, Dense, Task
from kelly.training import train
from kelly.training.adam import Adam
from kelly.training.backprop import Backprop
from kelly.training.batches import Batches, packed
from kelly.training.loop import inherited, run_epoch, shares
from kelly.training.objectives import LOSSES

LOSS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "bce": nn.functional.binary_cross_entropy_with_logits,
    "cross_entropy": nn.functional.cross_entropy,
}


def autograd_gradients(network: Network, inputs: Tensor, targets: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    logits = network.logits(inputs)[0]
    cost, number = LOSSES[network.task.loss].sums(logits, targets, mask)
    torch.autograd.backward(cost / number)
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def gradients(network: Network, inputs: Tensor, targets: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    passes, loss = Backprop(network), LOSSES[network.task.loss]
    chunk = packed((inputs, targets, mask), "cpu")
    with torch.no_grad():
        logits = torch.empty(len(chunk.inputs), network.task.num_outputs)
        passes.forward(chunk.inputs, chunk.sizes[0], logits)
        gradient = loss.gradient(logits, chunk.targets, torch.empty_like(logits))
        passes.backward(gradient.mul_(shares(chunk, loss)[2]))
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def check_gradients(task: Task, part: Sequences) -> None:
    tensors = [None if array is None else torch.tensor(array) for array in (part.inputs, part.targets, part.mask)]
    assert tensors[0] is not None
    assert tensors[1] is not None
    expected = autograd_gradients(Network(task, 3), tensors[0], tensors[1], tensors[2])
    ours = gradients(Network(task, 3), tensors[0], tensors[1], tensors[2])
    assert expected.keys() == ours.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-7 + 1e-5 * float(gradient.abs().max()))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_gradients_are_those_of_autograd(name: str, ragged: bool, gaps: bool) -> None:
    check_gradients(TASKS[name], drawn(TASKS[name], ragged=ragged, gaps=gaps))


@pytest.mark.parametrize("loss", LOSS)
@pytest.mark.parametrize("last", ACTIVATIONS)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_every_activation_has_its_derivative(hidden: str, last: str, loss: str) -> None:
    layers = (Dense(8, hidden), LSTM(6), LSTM(5), Dense(7, last))
    task = replace(TASKS["groovepredictor"], num_inputs=4, layers=layers, loss=loss)  # type: ignore[arg-type]
    check_gradients(task, drawn(task))
    assert set(ACTIVATION) | {""} == set(ACTIVATIONS)


def ordinary_epochs(network: Network, part: Sequences, batch_size: int, seed: int, epochs: int) -> Iterator[float]:
    """The mean loss of each epoch of a loop as it is usually written: autograd, torch.nn.LSTM, torch.optim.Adam."""
    task = network.task
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    generator = torch.Generator().manual_seed(seed)
    x, y, there = torch.tensor(part.inputs), torch.tensor(part.targets), torch.tensor(part.mask)
    lengths = (there if there.dim() == 2 else there.any(-1)).sum(1)
    for _ in range(epochs):
        total, number, before, state = 0.0, 0, 0, None
        for rows in torch.split(torch.randperm(len(x), generator=generator), batch_size):
            rows = rows[lengths[rows].sort(descending=True, stable=True).indices]
            logits, state = padded_logits(network, x[rows], lengths[rows], inherited(state, before, len(rows)))
            before = len(rows)
            live = there[rows] if there.dim() == 2 else there[rows].any(-1)
            cost = LOSS[task.loss](logits[live], y[rows][live])
            optimizer.zero_grad()
            torch.autograd.backward(cost)
            optimizer.step()
            count = int(live.sum()) * (1 if task.loss == "cross_entropy" else task.num_outputs)
            total, number = total + cost.item() * count, number + count
        yield total / number


State = list[tuple[Tensor, Tensor]] | None


def padded_logits(network: Network, x: Tensor, lengths: Tensor, start: State) -> tuple[Tensor, State]:
    """Logits of padded sequences and the state after each one's end, by PyTorch's own layers."""
    task = network.task
    ended: list[tuple[Tensor, Tensor]] = []
    for i, (layer, module) in enumerate(zip(task.layers, network.layers, strict=True)):
        if isinstance(layer, LSTM):
            before = None if start is None else tuple(part[None] for part in start[len(ended)])
            out, (hidden, cell) = module(pack_padded_sequence(x, lengths, batch_first=True), before)
            x = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0]
            ended.append((hidden[0].detach(), cell[0].detach()))
        else:
            x = module(x)
            if layer.activation and (i < len(task.layers) - 1 or task.loss == "mse"):
                x = ACTIVATION[layer.activation](x)
    return x, ended or None


@pytest.mark.parametrize("name", TASKS)
def test_training_equals_an_ordinary_loop(name: str) -> None:
    part = drawn(TASKS[name], n=75)
    ours = train(
        Network(TASKS[name], 5), Batches(part, 16, torch.Generator().manual_seed(9)), epochs=4, learning_rate=0.003
    ).columns["train_loss"]
    assert ours == pytest.approx(list(ordinary_epochs(Network(TASKS[name], 5), part, 16, 9, 4)), rel=1e-5)


def test_a_step_of_adam_is_pytorchs_bit_by_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(1000, generator=generator)
    mine, theirs, gradient = values.clone(), nn.Parameter(values.clone()), torch.empty(1000)
    ours, pytorchs = Adam(mine, gradient, 0.01), torch.optim.Adam([theirs], lr=0.01, fused=True)
    theirs.grad = gradient
    for step in range(20):
        gradient.normal_(generator=generator)
        ours.step()
        pytorchs.step()
        if step == 10:  # and what was saved goes on alike
            saved = {name: value.clone() for name, value in ours.state_dict().items() if isinstance(value, Tensor)}
            ours = Adam(mine, gradient, 0.01)
            ours.load_state_dict(saved)
    assert torch.equal(mine, theirs)
    state = pytorchs.state[theirs]
    assert torch.equal(ours.num_steps, state["step"])
    assert torch.equal(ours.exp_avg, state["exp_avg"])
    assert torch.equal(ours.exp_avg_sq, state["exp_avg_sq"])


def test_a_network_shares_its_memory_with_its_passes() -> None:
    network = Network(TASKS["emotionrecognizer"], 1)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    passes = Backprop(network)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    passes.parameters.add_(1)
    assert all(torch.equal(weight, before[name] + 1) for name, weight in network.state_dict().items())


@pytest.mark.parametrize("name", TASKS)
def test_nothing_is_read_back_from_the_device_during_a_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A tensor on the device called meta has a shape and nothing to read: who asks for its value gets an error.
    task = TASKS[name]
    passes, part = Backprop(Network(task).to("meta")), drawn(task, n=200, gaps=True)
    steps: list[None] = []
    monkeypatch.setattr(Adam, "step", lambda self: steps.append(None))  # PyTorch's has no meta device
    loader = Batches(part, 4, torch.Generator().manual_seed(1), device="meta")
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):  # the losses, when all is done
        run_epoch(passes, task, loader, "epoch", Adam(passes.parameters, passes.gradient, 0.001))
    assert len(steps) == len(loader) == 50
