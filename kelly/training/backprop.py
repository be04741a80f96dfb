"""Forward and backward passes through a chain of dense and LSTM layers, with hand-written gradients.

For networks this small, autograd's bookkeeping costs more than the arithmetic. Here each matrix product is one call
that writes into an existing buffer. All parameters, and all gradients, are one contiguous tensor each, so that an Adam
step is a single call. Tests compare the gradients with autograd's.

Frames are packed as in torch.nn.utils.rnn.PackedSequence: time step by time step, longest sequence first. `sizes` is
its batch_sizes, the number of sequences at each time step.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kelly.networks import Network

LSTMState = tuple[Tensor, Tensor]  # h and c of one LSTM layer: float[sequences, size] each
LSTMStates = list[LSTMState] | None  # of all LSTM layers of a network; None: zeros


# In place: x → activation(x), and the gradient of an activation's output → that of its input, given the output y.
ACTIVATION: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "": (lambda x: x, lambda gradient, y: gradient),
    "tanh": (torch.tanh_, lambda gradient, y: gradient.addcmul_(gradient, y.square(), value=-1)),
    "relu": (torch.relu_, lambda gradient, y: gradient.mul_(y.sign())),
    "sigmoid": (torch.sigmoid_, lambda gradient, y: gradient.mul_(torch.addcmul(y, y, y, value=-1))),
    "softmax": (
        lambda x: torch.softmax(x, dim=-1, out=x),
        lambda gradient, y: gradient.sub_((gradient * y).sum(dim=-1, keepdim=True)).mul_(y),
    ),
    "elu": (nn.functional.elu_, lambda gradient, y: gradient.addcmul_(gradient, y.clamp(max=0))),
}


class BufferPool:
    """Named float[rows, columns] tensors, reallocated only when more rows are needed."""

    def __init__(self, device: torch.device | str) -> None:
        self.device = device
        self.buffers: dict[str, Tensor] = {}
        self.views: dict[str, Tensor] = {}  # of the last call, which mostly had as many rows

    def __call__(self, name: str, rows: int, columns: int) -> Tensor:
        """The first `rows` rows of a buffer, not initialised."""
        if name not in self.views or self.views[name].shape[0] != rows:
            if name not in self.buffers or self.buffers[name].shape[0] < rows:
                self.buffers[name] = torch.empty(rows, columns, device=self.device)
            self.views[name] = self.buffers[name][:rows]
        return self.views[name]


class DenseBackprop:
    """A fully connected layer and its activation."""

    def __init__(self, module: nn.Linear, activation: str) -> None:
        self.weight, self.bias = module.weight.detach(), module.bias.detach()
        self.weight_grad, self.bias_grad = module.weight.grad, module.bias.grad
        self.activation, self.activation_backward = ACTIVATION[activation]
        self.weight_t = self.weight.t()
        self.buffers = BufferPool(self.weight.device)

    def forward(self, x: Tensor, _sizes: list[int], out: Tensor | None) -> Tensor:
        """Outputs float[frames, size], written to `out` if it is not None."""
        self.x = x
        self.output = self.buffers("output", x.shape[0], len(self.weight)) if out is None else out
        torch.addmm(self.bias, x, self.weight_t, out=self.output)
        return self.activation(self.output)

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the parameter gradients from the output gradient; return the gradient before the activation."""
        gradient = self.activation_backward(gradient, self.output)
        torch.mm(gradient.t(), self.x, out=self.weight_grad)
        torch.sum(gradient, 0, out=self.bias_grad)
        return gradient


class LSTMBackprop:
    """An LSTM layer with the formulas and the gate order (i, f, g, o) of torch.nn.LSTM."""

    def __init__(self, module: nn.LSTM) -> None:
        parameters = [getattr(module, name) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")]
        self.weight, self.weight_hh, self.bias_ih, self.bias_hh = (p.detach() for p in parameters)
        self.weight_grad, self.weight_hh_grad, self.bias_ih_grad, self.bias_hh_grad = (p.grad for p in parameters)
        self.size = module.hidden_size
        self.buffers = BufferPool(self.weight.device)
        self.initial_state: LSTMState | None = None

    def forward(self, x: Tensor, sizes: list[int], _out: Tensor | None) -> Tensor:
        """Hidden states float[frames, size], starting from `initial_state`."""
        size, num_frames, first = self.size, x.shape[0], sizes[0]
        self.x, self.sizes = x, sizes
        self.gates = self.buffers("gates", num_frames, 4 * size)
        torch.addmm(self.bias_ih + self.bias_hh, x, self.weight.t(), out=self.gates)
        # h and c: the initial states, then those of each frame.
        self.h, self.c = (self.buffers(name, first + num_frames, size) for name in ("h", "c"))
        if self.initial_state is None:
            self.h[:first], self.c[:first] = 0.0, 0.0
        else:
            self.h[:first], self.c[:first] = self.initial_state
        self.g, self.tanh_c = (self.buffers(name, num_frames, size) for name in ("g", "tanh_c"))
        i, f, g_input, o = torch.split(self.gates, size, dim=1)
        tensors = (self.gates, i, f, g_input, o, self.g, self.tanh_c)
        steps = zip(*(torch.split(tensor, sizes) for tensor in tensors), strict=True)
        (h, *next_h), (c, *next_c) = (torch.split(states, [first, *sizes]) for states in (self.h, self.c))
        weight_hh_t = self.buffers("weight_hh_t", size, 4 * size).copy_(self.weight_hh.t())
        for t, (gates, i, f, g_input, o, g, tanh_c) in enumerate(steps):
            if sizes[t] < h.shape[0]:
                h, c = h[: sizes[t]], c[: sizes[t]]
            gates.addmm_(h, weight_hh_t)
            torch.tanh(g_input, out=g)
            gates.sigmoid_()  # of all four gates, which is faster than of three slices
            torch.mul(f, c, out=next_c[t]).addcmul_(i, g)
            h, c = next_h[t], next_c[t]
            torch.mul(o, torch.tanh(c, out=tanh_c), out=h)
        return self.h[first:]

    def final_state(self, last_frames: Tensor) -> LSTMState:
        """h and c after the last frame of each sequence; last_frames: int64[sequences], the rows of those frames."""
        return self.h[self.sizes[0] :][last_frames], self.c[self.sizes[0] :][last_frames]

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the parameter gradients from that of the hidden states; return the gradient before the activations."""
        size, num_frames, sizes, g, tanh_c = self.size, gradient.shape[0], self.sizes, self.g, self.tanh_c
        h_prev, c_prev = (self.buffers(name, num_frames, size) for name in ("h_prev", "c_prev"))
        for states, previous in ((self.h, h_prev), (self.c, c_prev)):
            steps_before = torch.split(states[: -sizes[-1]], [sizes[0], *sizes[:-1]])
            torch.cat([step[:n] for step, n in zip(steps_before, sizes, strict=True)], out=previous)
        i, f, _, o = torch.split(self.gates, size, dim=1)
        # For all time steps at once, the factors that need no later step: the derivatives of c by the inputs of i, f
        # and g, and those of h by the input of o and by c.
        gates_grad = self.buffers("gates_grad", num_frames, 4 * size)
        i_grad, f_grad, g_grad, o_grad = torch.split(gates_grad, size, dim=1)
        torch.mul(g, torch.addcmul(i, i, i, value=-1), out=i_grad)
        torch.mul(c_prev, torch.addcmul(f, f, f, value=-1), out=f_grad)
        torch.addcmul(i, i, g.square_(), value=-1, out=g_grad)
        torch.mul(tanh_c, torch.addcmul(o, o, o, value=-1), out=o_grad)
        dh_dc = torch.addcmul(o, o, tanh_c.square_(), value=-1, out=tanh_c)
        c_grads = self.buffers("c_grads", sizes[0], size).zero_()
        ifg_grad = gates_grad[:, : 3 * size].view(num_frames, 3, size)
        tensors = (gradient, gates_grad, ifg_grad, o_grad, dh_dc, f)
        steps = list(zip(*(torch.split(tensor, sizes) for tensor in tensors), strict=True))
        next_gates_grad: Tensor | None = None
        for h_grad, gates_grad_t, ifg_grad_t, o_grad_t, dh_dc_t, f_t in reversed(steps):
            if next_gates_grad is not None:
                h_grad[: next_gates_grad.shape[0]].addmm_(next_gates_grad, self.weight_hh)
            c_grad = c_grads[: h_grad.shape[0]].addcmul_(h_grad, dh_dc_t)
            ifg_grad_t.mul_(c_grad[:, None])
            o_grad_t.mul_(h_grad)
            c_grad.mul_(f_t)
            next_gates_grad = gates_grad_t
        torch.mm(gates_grad.t(), self.x, out=self.weight_grad)
        torch.mm(gates_grad.t(), h_prev, out=self.weight_hh_grad)
        torch.sum(gates_grad, 0, out=self.bias_ih_grad)
        self.bias_hh_grad.copy_(self.bias_ih_grad)
        return gates_grad


class Backprop:
    """Forward and backward pass of a network. Moves the network's parameters into one contiguous tensor.

    parameters, gradient: float[num_parameters], in the network's order: what an optimizer works on
    """

    def __init__(self, network: Network) -> None:
        module_parameters = list(network.parameters())
        self.device = module_parameters[0].device
        self.parameters = torch.cat([p.detach().flatten() for p in module_parameters])
        self.gradient = torch.zeros_like(self.parameters)
        sizes = [p.numel() for p in module_parameters]
        views = zip(torch.split(self.parameters, sizes), torch.split(self.gradient, sizes), strict=True)
        for p, (values, gradient) in zip(module_parameters, views, strict=True):
            p.data, p.grad = values.view_as(p), gradient.view_as(p)
        last = len(network.layers) - 1
        self.layers: list[DenseBackprop | LSTMBackprop] = []
        for i, (layer, module) in enumerate(zip(network.task.layers, network.layers, strict=True)):
            if isinstance(module, nn.LSTM):
                self.layers.append(LSTMBackprop(module))
            elif isinstance(module, nn.Linear):
                activation = layer.activation if i < last or network.task.loss == "mse" else ""
                self.layers.append(DenseBackprop(module, activation))
        self.lstm_layers = [layer for layer in self.layers if isinstance(layer, LSTMBackprop)]

    def set_initial_state(self, states: LSTMStates) -> None:
        """Set the state in which the next sequences start."""
        for i, layer in enumerate(self.lstm_layers):
            layer.initial_state = None if states is None else states[i]

    def final_state(self, last_frames: Tensor) -> LSTMStates:
        """The state after the last frame of each sequence; last_frames: int64[sequences], the rows of those frames."""
        return [layer.final_state(last_frames) for layer in self.lstm_layers] or None

    def forward(self, inputs: Tensor, sizes: list[int], out: Tensor) -> None:
        """Write what Network.logits returns for packed frames to `out`, float[frames, num_outputs]."""
        x = inputs
        for layer in self.layers[:-1]:
            x = layer.forward(x, sizes, None)
        self.layers[-1].forward(x, sizes, out)

    def backward(self, gradient: Tensor) -> None:
        """Set all parameter gradients from that of the outputs, float[frames, num_outputs], which is overwritten."""
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)
            if layer is not self.layers[0]:
                buffer = layer.buffers("input_grad", gradient.shape[0], layer.weight.shape[1])
                gradient = torch.mm(gradient, layer.weight, out=buffer)
