"""The five networks in PyTorch, built from the layers of kelly.tasks, which RTNeural supports."""

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor, nn

from kelly.tasks import LSTM, TASKS, Task

ACTIVATION: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, dim=-1),
    "elu": nn.functional.elu,
}
State = list[tuple[Tensor, Tensor] | None]  # of each layer: h and c of an LSTM, None of a dense layer


class Network(nn.Module):
    """A chain of dense and LSTM layers, applied frame by frame.

    Initial weights have PyTorch's default distribution, uniform in ±1/√fan_in (±1/√size for an LSTM). They come from a
    generator seeded with `seed`; the global one is left unchanged.
    """

    def __init__(self, task: Task, seed: int = 0) -> None:
        super().__init__()
        self.task = task
        self.layers = nn.ModuleList()
        generator = torch.Generator().manual_seed(seed)
        num_inputs = task.num_inputs
        for layer in task.layers:
            module: nn.Module
            with torch.random.fork_rng(devices=[]):  # PyTorch's own initial weights are replaced below
                if isinstance(layer, LSTM):
                    module = nn.LSTM(num_inputs, layer.size, batch_first=True)
                else:
                    module = nn.Linear(num_inputs, layer.size)
            self.layers.append(module)
            bound = 1.0 / sqrt(layer.size if isinstance(layer, LSTM) else num_inputs)
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            num_inputs = layer.size

    def run(self, x: Tensor, state: State | None = None, *, logits: bool = False) -> tuple[Tensor, State]:
        """Outputs float[batch, frames, out] and the state after the last frame, from x: float[batch, frames, in].

        state: from an earlier call; None: all LSTMs start at zero. logits: leave out the last activation.
        """
        new_state: State = []
        for i, (layer, module) in enumerate(zip(self.task.layers, self.layers, strict=True)):
            if isinstance(layer, LSTM):
                x, lstm_state = module(x, state[i] if state else None)
                new_state.append(lstm_state)
                continue
            x = module(x)
            new_state.append(None)
            if layer.activation and not (logits and i == len(self.layers) - 1):
                x = ACTIVATION[layer.activation](x)
        return x, new_state

    def forward(self, x: Tensor) -> Tensor:
        """Outputs float[batch, frames, out] from float[batch, frames, in], all LSTMs starting at zero."""
        return self.run(x)[0]

    def logits(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The input of the loss, and the state: for a cross entropy the output before its sigmoid or softmax, which is
        numerically stable; for a squared error the output itself.
        """
        return self.run(x, state, logits=self.task.loss != "mse")


class EmotionRecognizer(Network):
    """Audio frame (128) → emotion embedding (64)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(TASKS["emotionrecognizer"], seed)


class MelodyTransformer(Network):
    """Emotion embedding (64) → probability of each MIDI pitch (128)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(TASKS["melodytransformer"], seed)


class HarmonyPredictor(Network):
    """Emotion embedding (64) and chords so far (64) → probability of each next chord (64)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(TASKS["harmonypredictor"], seed)


class DynamicsEngine(Network):
    """Valence block of the emotion embedding (32) → 16 expression parameters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(TASKS["dynamicsengine"], seed)


class GroovePredictor(Network):
    """Emotion embedding (64) → timing (16) and accent (16) of the sixteenths of a bar."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(TASKS["groovepredictor"], seed)
