"""The layers of the networks as plain data, limited to those that RTNeural can play."""

from dataclasses import dataclass, field

# RTNeural's parser crashes on any other activation of a dense layer (docs/export-format.md).
ACTIVATIONS = ("", "tanh", "relu", "sigmoid", "softmax", "elu")


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with `size` outputs and an activation from ACTIVATIONS ('' for none)."""

    size: int
    activation: str = ""

    def num_parameters(self, num_inputs: int) -> int:
        """Number of weights and biases, as RTNeural stores them."""
        return num_inputs * self.size + self.size


@dataclass(frozen=True)
class LSTM:
    """A long short-term memory layer with `size` units; its state is carried from frame to frame."""

    size: int
    activation: str = field(default="", init=False)  # the activations inside the cell are fixed

    def num_parameters(self, num_inputs: int) -> int:
        """Number of weights and biases, as RTNeural stores them: one bias per gate, where PyTorch adds two."""
        return 4 * self.size * (num_inputs + self.size + 1)


Layer = Dense | LSTM
