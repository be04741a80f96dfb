"""The layers that RTNeural plays and this project uses, as plain data that needs neither torch nor RTNeural."""

from dataclasses import dataclass, field

# RTNeural's parser crashes on any other activation of a dense layer (docs/export-format.md).
ACTIVATIONS = ("", "tanh", "relu", "sigmoid", "softmax", "elu")


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `size` outputs with its activation, one of ACTIVATIONS ('' for none)."""

    size: int
    activation: str = ""

    def num_parameters(self, num_inputs: int) -> int:
        """Weights and biases, as RTNeural stores them."""
        return num_inputs * self.size + self.size


@dataclass(frozen=True)
class LSTM:
    """A long short-term memory layer of `size` units; its state goes on from frame to frame."""

    size: int
    activation: str = field(default="", init=False)  # its own are fixed, and none follows

    def num_parameters(self, num_inputs: int) -> int:
        """Weights and biases, as RTNeural stores them: one bias a gate, where PyTorch keeps two and adds them."""
        return 4 * self.size * (num_inputs + self.size + 1)


Layer = Dense | LSTM
