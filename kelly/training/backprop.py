"""The forward and the backward pass through a chain of dense and LSTM layers, written out.

Networks as small as these keep autograd busier with its own records than with their sums. Here each product of matrices
is one call that writes into memory which is there already, and all parameters, all gradients lie in one piece each, so
that Adam is one call as well. The formulas are those of autograd, and a test holds both side by side.

Frames are packed as PyTorch packs sequences: first the first frames of all sequences, longest sequence first, then all
second frames, and so on. `sizes` says how many sequences go on at each time step; frames past an end take no part.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kelly.networks import Network

Carried = tuple[Tensor, Tensor]  # hidden and cell state of an LSTM, [sequences, size] each
State = list[Carried] | None  # of each LSTM of a network; None: all at zero


def _of_tanh(gradient: Tensor, output: Tensor) -> None:
    gradient.addcmul_(gradient, output.square(), value=-1)


def _of_relu(gradient: Tensor, output: Tensor) -> None:
    gradient.mul_(output.sign())


def _of_sigmoid(gradient: Tensor, output: Tensor) -> None:
    gradient.mul_(torch.addcmul(output, output, output, value=-1))


def _of_elu(gradient: Tensor, output: Tensor) -> None:
    gradient.addcmul_(gradient, output.clamp(max=0))


def _of_softmax(gradient: Tensor, output: Tensor) -> None:
    gradient.sub_((gradient * output).sum(dim=-1, keepdim=True)).mul_(output)


def _of_nothing(gradient: Tensor, output: Tensor) -> None:
    pass


# From the gradient of an activation's output to that of its input, in place, by what came out.
DERIVATIVE: dict[str, Callable[[Tensor, Tensor], None]] = {
    "": _of_nothing,
    "tanh": _of_tanh,
    "relu": _of_relu,
    "sigmoid": _of_sigmoid,
    "softmax": _of_softmax,
    "elu": _of_elu,
}
IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    "tanh": torch.tanh_,
    "relu": torch.relu_,
    "sigmoid": torch.sigmoid_,
    "softmax": lambda x: torch.softmax(x, dim=-1, out=x),
    "elu": nn.functional.elu_,
}


class BufferPool:
    """Named float32[frames, width] tensors that are made once and made again only where more frames come."""

    def __init__(self, device: torch.device | str) -> None:
        self.device = device
        self.held: dict[str, Tensor] = {}
        self.given: dict[str, Tensor] = {}

    def __call__(self, name: str, frames: int, width: int) -> Tensor:
        """The first `frames` rows of `name`; what they hold is left from the last use."""
        given = self.given.get(name)
        if given is not None and given.shape[0] == frames:
            return given
        held = self.held.get(name)
        if held is None or held.shape[0] < frames:
            held = self.held[name] = torch.empty(frames, width, device=self.device)
        given = self.given[name] = held[:frames]
        return given


def gradient_of(parameter: Tensor) -> Tensor:
    """Where the gradient of a parameter stands."""
    assert parameter.grad is not None
    return parameter.grad


class DenseBackprop:
    """A fully connected layer and its activation."""

    def __init__(self, module: nn.Linear, activation: str, device: torch.device | str) -> None:
        self.weight, self.bias = module.weight.detach(), module.bias.detach()
        self.weight_gradient, self.bias_gradient = gradient_of(module.weight), gradient_of(module.bias)
        self.activation, self.derivative = IN_PLACE[activation], DERIVATIVE[activation]
        self.size, self.num_inputs = self.weight.shape
        self.to_outputs = self.weight.t()
        self.room = BufferPool(device)

    def forward(self, x: Tensor, _sizes: list[int], out: Tensor | None) -> Tensor:
        """Outputs float[frames, size]; written to `out` where it is given."""
        self.x = x
        self.output = self.room("output", x.shape[0], self.size) if out is None else out
        torch.addmm(self.bias, x, self.to_outputs, out=self.output)
        return self.activation(self.output)

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the gradients of the parameters from that of the outputs; return that of the sums before activation."""
        self.derivative(gradient, self.output)
        torch.mm(gradient.t(), self.x, out=self.weight_gradient)
        torch.sum(gradient, 0, out=self.bias_gradient)
        return gradient

    def input_grad(self, of_sums: Tensor) -> Tensor:
        """The gradient of the inputs."""
        return torch.mm(of_sums, self.weight, out=self.room("input_grad", of_sums.shape[0], self.num_inputs))


class LSTMBackprop:
    """A long short-term memory layer as PyTorch's (torch.nn.LSTM has the formulas), gates i, f, g, o in turn."""

    def __init__(self, module: nn.LSTM, device: torch.device | str) -> None:
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        parameters: list[nn.Parameter] = [getattr(module, name) for name in names]
        self.of_input, self.of_hidden, *self.biases = (p.detach() for p in parameters)
        self.gradients = [gradient_of(p) for p in parameters]
        self.size, self.num_inputs = module.hidden_size, module.input_size
        self.room = BufferPool(device)
        self.before: Carried | None = None

    def forward(self, x: Tensor, sizes: list[int], _out: Tensor | None) -> Tensor:
        """Hidden states float[frames, size], from `before`, zeros where it is None."""
        size, frames, first = self.size, x.shape[0], sizes[0]
        self.x, self.sizes = x, sizes
        self.gates = self.room("gates", frames, 4 * size)
        torch.addmm(self.biases[0] + self.biases[1], x, self.of_input.t(), out=self.gates)
        # States have the rows of the start before those of the frames.
        self.hidden, self.cell = (self.room(name, first + frames, size) for name in ("hidden", "cell"))
        if self.before is None:
            self.hidden[:first], self.cell[:first] = 0.0, 0.0
        else:
            self.hidden[:first], self.cell[:first] = self.before
        self.new, self.squashed = (self.room(name, frames, size) for name in ("new", "squashed"))
        let_in, keep, _, let_out = torch.split(self.gates, size, dim=1)
        whole = (self.gates, self.gates[:, 2 * size : 3 * size], let_in, keep, let_out, self.new, self.squashed)
        parts = zip(*(torch.split(part, sizes) for part in whole), strict=True)
        (hidden, *next_hidden), (cell, *next_cell) = (
            torch.split(states, [first, *sizes]) for states in (self.hidden, self.cell)
        )
        of_hidden = self.room("of_hidden", size, 4 * size).copy_(self.of_hidden.t())
        for i, (gates, of_new, let_in, keep, let_out, new, squashed) in enumerate(parts):
            number = sizes[i]
            if number < hidden.shape[0]:
                hidden, cell = hidden[:number], cell[:number]
            gates.addmm_(hidden, of_hidden)
            torch.tanh(of_new, out=new)
            gates.sigmoid_()  # all four, which is faster than three of them
            torch.mul(keep, cell, out=next_cell[i]).addcmul_(let_in, new)
            hidden, cell = next_hidden[i], next_cell[i]
            torch.mul(let_out, torch.tanh(cell, out=squashed), out=hidden)
        return self.hidden[first:]

    def ends(self, last_frames: Tensor) -> Carried:
        """Hidden and cell state after the last frame of each sequence; last_frames: int64[sequences], their rows."""
        return self.hidden[self.sizes[0] :][last_frames], self.cell[self.sizes[0] :][last_frames]

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the gradients of the parameters from that of the hidden states; return that of the gates' sums."""
        size, frames, sizes, new, squashed = self.size, gradient.shape[0], self.sizes, self.new, self.squashed
        hidden_before, cell_before = (self.room(name, frames, size) for name in ("hidden_before", "cell_before"))
        for states, before in ((self.hidden, hidden_before), (self.cell, cell_before)):
            earlier = torch.split(states[: -sizes[-1]], [sizes[0], *sizes[:-1]])
            torch.cat([part[:number] for part, number in zip(earlier, sizes, strict=True)], out=before)
        let_in, keep, _, let_out = torch.split(self.gates, size, dim=1)
        # All that does not depend on later time steps, for all of them at once: first the derivatives of the cell's
        # terms, d cell/d (what is let in, kept, new), then d hidden/d (what is let out, cell).
        factors = self.room("factors", frames, 4 * size)
        of_in, of_keep, of_new, of_out = torch.split(factors, size, dim=1)
        torch.mul(new, torch.addcmul(let_in, let_in, let_in, value=-1), out=of_in)
        torch.mul(cell_before, torch.addcmul(keep, keep, keep, value=-1), out=of_keep)
        torch.addcmul(let_in, let_in, new.square_(), value=-1, out=of_new)
        torch.mul(squashed, torch.addcmul(let_out, let_out, let_out, value=-1), out=of_out)
        to_cell = torch.addcmul(let_out, let_out, squashed.square_(), value=-1, out=squashed)
        through_cell = self.room("through_cell", sizes[0], size).zero_()
        whole = (gradient, factors, factors[:, : 3 * size].view(frames, 3, size), of_out, to_cell, keep)
        parts = list(zip(*(torch.split(part, sizes) for part in whole), strict=True))
        later: Tensor | None = None
        for of_hidden, of_gates, of_terms, of_output, cell_factor, kept in reversed(parts):
            if later is not None:
                of_hidden[: later.shape[0]].addmm_(later, self.of_hidden)
            of_cell = through_cell[: of_hidden.shape[0]].addcmul_(of_hidden, cell_factor)
            of_terms.mul_(of_cell[:, None])
            of_output.mul_(of_hidden)
            of_cell.mul_(kept)
            later = of_gates
        torch.mm(factors.t(), self.x, out=self.gradients[0])
        torch.mm(factors.t(), hidden_before, out=self.gradients[1])
        torch.sum(factors, 0, out=self.gradients[2])
        self.gradients[3].copy_(self.gradients[2])
        return factors

    def input_grad(self, of_sums: Tensor) -> Tensor:
        """The gradient of the inputs."""
        return torch.mm(of_sums, self.of_input, out=self.room("input_grad", of_sums.shape[0], self.num_inputs))


class Backprop:
    """Forward and backward pass of a whole network, whose parameters it lays into one piece of memory.

    parameters, gradient: those of the whole network, in its order, one tensor each: what an optimizer is given
    """

    def __init__(self, network: Network) -> None:
        own = list(network.parameters())
        self.device = device = own[0].device
        self.parameters = torch.cat([p.detach().flatten() for p in own])
        self.gradient = torch.zeros_like(self.parameters)
        sizes = [p.numel() for p in own]
        pieces = zip(own, torch.split(self.parameters, sizes), torch.split(self.gradient, sizes), strict=True)
        for p, values, gradient in pieces:
            p.data, p.grad = values.view_as(p), gradient.view_as(p)
        last = len(network.layers) - 1
        self.layers: list[DenseBackprop | LSTMBackprop] = []
        for i, (layer, module) in enumerate(zip(network.task.layers, network.layers, strict=True)):
            if isinstance(module, nn.LSTM):
                self.layers.append(LSTMBackprop(module, device))
            elif isinstance(module, nn.Linear):
                hidden = i < last or network.task.loss == "mse"
                self.layers.append(DenseBackprop(module, layer.activation if hidden else "", device))
        self.recurrent = [layer for layer in self.layers if isinstance(layer, LSTMBackprop)]

    def start(self, state: State) -> None:
        """Set the state that the next sequences start in."""
        for i, layer in enumerate(self.recurrent):
            layer.before = None if state is None else state[i]

    def ends(self, last_frames: Tensor) -> State:
        """The state after the last frame of each sequence; last_frames: int64[sequences], their rows."""
        return [layer.ends(last_frames) for layer in self.recurrent] or None

    def forward(self, inputs: Tensor, sizes: list[int], out: Tensor) -> None:
        """What Network.logits gives for packed frames, written to out: float[frames, out]."""
        x = inputs
        for layer in self.layers[:-1]:
            x = layer.forward(x, sizes, None)
        self.layers[-1].forward(x, sizes, out)

    def backward(self, gradient: Tensor) -> None:
        """Set the gradients of all parameters from that of the outputs, float[frames, out], which is used up."""
        for layer in reversed(self.layers):
            of_sums = layer.backward(gradient)
            if layer is not self.layers[0]:
                gradient = layer.input_grad(of_sums)
