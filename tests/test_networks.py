"""The five networks have the layers that the plugin expects, and leave the global generator unchanged."""

from collections.abc import Callable

import pytest
import torch

from kelly.networks import Network
from kelly.tasks import LSTM, TASKS, Dense, Layer
from kelly.training import DynamicsEngine, EmotionRecognizer, GroovePredictor, HarmonyPredictor, MelodyTransformer

EXPECTED: dict[Callable[[], Network], tuple[int, tuple[Layer, ...], int, int]] = {
    EmotionRecognizer: (128, (Dense(512, "tanh"), Dense(256, "tanh"), LSTM(128), Dense(64, "tanh")), 403_264, 402_752),
    MelodyTransformer: (
        64,
        (Dense(256, "relu"), LSTM(256), Dense(256, "relu"), Dense(128, "sigmoid")),
        641_664,
        640_640,
    ),
    HarmonyPredictor: (128, (Dense(256, "tanh"), Dense(128, "tanh"), Dense(64, "softmax")), 74_176, 74_176),
    DynamicsEngine: (32, (Dense(128, "relu"), Dense(64, "relu"), Dense(16, "sigmoid")), 13_520, 13_520),
    GroovePredictor: (64, (Dense(128, "tanh"), Dense(64, "tanh"), Dense(32, "tanh")), 18_656, 18_656),
}


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: str(kind.__name__))
def test_a_network_has_the_layers_and_parameters_of_the_plugin(kind: Callable[[], Network]) -> None:
    num_inputs, layers, in_torch, exported = EXPECTED[kind]
    network = kind()
    assert (network.task.num_inputs, network.task.layers) == (num_inputs, layers)
    assert sum(parameter.numel() for parameter in network.parameters()) == in_torch
    assert network.task.num_parameters == exported


def test_the_five_have_1_149_744_exported_parameters() -> None:
    assert sum(task.num_parameters for task in TASKS.values()) == 1_149_744


@pytest.mark.parametrize("name", TASKS)
def test_outputs_are_frame_wise_and_in_range(name: str) -> None:
    task = TASKS[name]
    outputs = Network(task)(torch.randn(3, 5, task.num_inputs, generator=torch.Generator().manual_seed(1)))
    assert outputs.shape == (3, 5, task.num_outputs)
    low = -1.0 if task.layers[-1] == Dense(task.num_outputs, "tanh") else 0.0
    assert outputs.min() >= low
    assert outputs.max() <= 1.0


@pytest.mark.parametrize("name", TASKS)
def test_state_carries_over_from_call_to_call(name: str) -> None:
    network = Network(TASKS[name], seed=3)
    x = torch.randn(2, 6, network.task.num_inputs, generator=torch.Generator().manual_seed(1))
    expected = network(x)
    first, state = network.run(x[:, :4])
    second, _ = network.run(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), expected)


def test_logits_omit_the_last_activation_only_for_a_cross_entropy() -> None:
    last_activation: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "emotionrecognizer": lambda x: x,
        "melodytransformer": torch.sigmoid,
        "harmonypredictor": lambda x: torch.softmax(x, dim=-1),
        "dynamicsengine": lambda x: x,  # a squared error compares the outputs of the sigmoid
        "groovepredictor": lambda x: x,
    }
    for name, activation in last_activation.items():
        network = Network(TASKS[name])
        x = torch.randn(2, 3, network.task.num_inputs, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(activation(network.logits(x)[0]), network(x))


def test_a_seed_determines_the_weights_and_the_global_generator_is_unchanged() -> None:
    before = torch.random.get_rng_state()
    first, same_seed, other = (EmotionRecognizer(seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], same_seed[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
