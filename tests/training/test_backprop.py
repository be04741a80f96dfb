"""The hand-written gradients equal autograd's, and an epoch that of a standard PyTorch loop."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from support.small_runs import random_sequences
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kelly.data.dataset import Sequences
from kelly.networks import ACTIVATION, Network
from kelly.tasks import ACTIVATIONS, LSTM, TASKS, Dense, Task
from kelly.training import OptimizationConfig, train
from kelly.training.adam import Adam
from kelly.training.backprop import Backprop
from kelly.training.batches import Batches, pack_batch
from kelly.training.loop import carried_state, loss_weights, run_epoch
from kelly.training.objectives import LOSSES

LOSS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "bce": nn.functional.binary_cross_entropy_with_logits,
    "cross_entropy": nn.functional.cross_entropy,
}


def autograd_gradients(network: Network, inputs: Tensor, targets: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    logits = network.logits(inputs)[0]
    total, count = LOSSES[network.task.loss].sums(logits, targets, mask)
    torch.autograd.backward(total / count)
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def gradients(network: Network, inputs: Tensor, targets: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
    backprop, loss = Backprop(network), LOSSES[network.task.loss]
    chunk = pack_batch((inputs, targets, mask), "cpu")
    with torch.no_grad():
        logits = torch.empty(len(chunk.inputs), network.task.num_outputs)
        backprop.forward(chunk.inputs, chunk.sizes[0], logits)
        gradient = loss.gradient(logits, chunk.targets, torch.empty_like(logits))
        backprop.backward(gradient.mul_(loss_weights(chunk, loss)[2]))
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def check_gradients(task: Task, data: Sequences) -> None:
    mask = None if data.mask is None else torch.tensor(data.mask)
    batch = torch.tensor(data.inputs), torch.tensor(data.targets), mask
    expected = autograd_gradients(Network(task, 3), *batch)
    actual = gradients(Network(task, 3), *batch)
    assert expected.keys() == actual.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-4, atol=1e-7 + 1e-5 * float(gradient.abs().max()))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_gradients_equal_autograds(name: str, ragged: bool, gaps: bool) -> None:
    check_gradients(TASKS[name], random_sequences(TASKS[name], ragged=ragged, gaps=gaps))


@pytest.mark.parametrize("loss", LOSS)
@pytest.mark.parametrize("last", ACTIVATIONS)
@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_every_activation_has_its_derivative(hidden: str, last: str, loss: str) -> None:
    layers = (Dense(8, hidden), LSTM(6), LSTM(5), Dense(7, last))
    task = replace(TASKS["groovepredictor"], num_inputs=4, layers=layers, loss=loss)  # type: ignore[arg-type]
    check_gradients(task, random_sequences(task))
    assert set(ACTIVATION) | {""} == set(ACTIVATIONS)


def standard_loop(network: Network, data: Sequences, batch_size: int, seed: int, epochs: int) -> Iterator[float]:
    """The mean loss of each epoch of a loop with autograd, torch.nn.LSTM and torch.optim.Adam."""
    task = network.task
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    generator = torch.Generator().manual_seed(seed)
    x, y, mask = torch.tensor(data.inputs), torch.tensor(data.targets), torch.tensor(data.mask)
    frame_mask = mask if mask.dim() == 2 else mask.any(-1)
    lengths = frame_mask.sum(1)
    for _ in range(epochs):
        total, count, previous_size, state = 0.0, 0, 0, None
        for rows in torch.split(torch.randperm(len(x), generator=generator), batch_size):
            rows = rows[lengths[rows].sort(descending=True, stable=True).indices]
            initial_state = carried_state(state, previous_size, len(rows))
            logits, state = padded_logits(network, x[rows], lengths[rows], initial_state)
            previous_size, valid = len(rows), frame_mask[rows]
            loss = LOSS[task.loss](logits[valid], y[rows][valid])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            terms = int(valid.sum()) * (1 if task.loss == "cross_entropy" else task.num_outputs)
            total, count = total + loss.item() * terms, count + terms
        yield total / count


State = list[tuple[Tensor, Tensor]] | None


def padded_logits(network: Network, x: Tensor, lengths: Tensor, initial_state: State) -> tuple[Tensor, State]:
    """Logits of padded sequences and their final states, computed by PyTorch's layers."""
    task = network.task
    final_state: list[tuple[Tensor, Tensor]] = []
    for i, (layer, module) in enumerate(zip(task.layers, network.layers, strict=True)):
        if isinstance(layer, LSTM):
            h0_c0 = None if initial_state is None else tuple(s[None] for s in initial_state[len(final_state)])
            out, (h, c) = module(pack_padded_sequence(x, lengths, batch_first=True), h0_c0)
            x = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0]
            final_state.append((h[0].detach(), c[0].detach()))
        else:
            x = module(x)
            if layer.activation and (i < len(task.layers) - 1 or task.loss == "mse"):
                x = ACTIVATION[layer.activation](x)
    return x, final_state or None


@pytest.mark.parametrize("name", TASKS)
def test_training_equals_a_standard_loop(name: str) -> None:
    data = random_sequences(TASKS[name], n=75)
    batches, config = Batches(data, 16, torch.Generator().manual_seed(9)), OptimizationConfig(4, learning_rate=0.003)
    losses = train(Network(TASKS[name], 5), batches, config=config).columns["train_loss"]
    assert losses == pytest.approx(list(standard_loop(Network(TASKS[name], 5), data, 16, 9, 4)), rel=1e-5)


def test_a_network_shares_its_memory_with_its_backprop() -> None:
    network = Network(TASKS["emotionrecognizer"], 1)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    backprop = Backprop(network)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    backprop.parameters.add_(1)
    assert all(torch.equal(weight, before[name] + 1) for name, weight in network.state_dict().items())


@pytest.mark.parametrize("name", TASKS)
def test_nothing_is_read_back_from_the_device_during_an_epoch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Reading the value of a tensor on the meta device is an error.
    task = TASKS[name]
    backprop, data = Backprop(Network(task).to("meta")), random_sequences(task, n=200, gaps=True)
    steps: list[None] = []
    monkeypatch.setattr(Adam, "step", lambda self: steps.append(None))  # has no meta kernel
    loader = Batches(data, 4, torch.Generator().manual_seed(1), device="meta")
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):  # the losses, at the end
        run_epoch(backprop, task, loader, "epoch", Adam(backprop.parameters, backprop.gradient, 0.001))
    assert len(steps) == len(loader) == 50
