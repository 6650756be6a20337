"""The convolutional LSTM against a step-by-step loop over its published equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vad_models.layers.conv_lstm import ConvLSTM, ConvLSTMAutoencoder, Convolution


def by_the_equations(layer: ConvLSTM, inputs: Tensor, peephole: bool) -> Tensor:
    """Nayak et al. 2020, eq. 2-7, gate by gate, with the convolution over the concatenated maps as it is printed."""
    hidden = layer.from_hidden.in_channels
    input_parts = layer.from_input.weight.chunk(4)
    hidden_parts = layer.from_hidden.weight.chunk(4)
    biases = layer.bias.chunk(4)
    cell_parts = [torch.zeros_like(part) for part in hidden_parts]
    if peephole:
        assert layer.from_cell is not None
        cell_parts[:2] = layer.from_cell.weight.chunk(2)
    weights = [torch.cat(parts, dim=1) for parts in zip(input_parts, hidden_parts, cell_parts, strict=True)]
    padding = layer.from_input.kernel_size[0] // 2
    h = c = torch.zeros(len(inputs), hidden, *inputs.shape[-2:])
    outputs = []
    for step in range(inputs.shape[1]):
        seen = torch.cat([inputs[:, step], h, c], dim=1)
        i, f, o, g = (F.conv2d(seen, w, b, padding=padding) for w, b in zip(weights, biases, strict=True))
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_equals_the_equations_step_by_step(kernel: int, peephole: bool) -> None:
    torch.manual_seed(0)
    layer = ConvLSTM(3, 5, kernel, peephole)
    torch.nn.init.normal_(layer.bias)
    inputs = torch.randn(2, 7, 3, 6, 8)
    with torch.no_grad():
        assert torch.allclose(layer(inputs), by_the_equations(layer, inputs, peephole), atol=1e-6)


@pytest.mark.parametrize("peephole", [False, True])
def test_gradients_agree_with_finite_differences(peephole: bool) -> None:
    torch.manual_seed(0)
    layer = ConvLSTM(1, 2, peephole=peephole).double()
    inputs = torch.randn(1, 3, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, inputs)


def test_an_output_depends_on_the_past_and_not_on_the_future() -> None:
    torch.manual_seed(0)
    layer, inputs = ConvLSTM(2, 3), torch.randn(1, 5, 2, 4, 4)
    changed = inputs.clone()
    changed[:, 2] += 1
    difference = (layer(changed) - layer(inputs)).abs().amax((0, 2, 3, 4))
    assert (difference[:2] == 0).all()
    assert (difference[2:] > 0).all()


def test_begins_with_xavier_weights_and_an_open_forget_gate() -> None:
    layer = ConvLSTM(4, 8, peephole=True)
    assert layer.bias.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    for convolution in (layer.from_input, layer.from_hidden, layer.from_cell):
        assert convolution is not None
        fan_in, fan_out = convolution.in_channels * 9, convolution.out_channels * 9
        assert convolution.weight.abs().max() <= (6 / (fan_in + fan_out)) ** 0.5


@pytest.mark.parametrize("residual", [False, True])
def test_the_autoencoder_gives_frames_or_the_change_since_the_frame_before(residual: bool) -> None:
    torch.manual_seed(0)
    spatial = [Convolution(channels=4, kernel=7, stride=4), Convolution(channels=3, kernel=3)]
    net = ConvLSTMAutoencoder(2, spatial, [5, 6], peephole=False, normalise=True, residual=residual).eval()
    clips = torch.rand(2, 4, 2, 8, 12)
    with torch.no_grad():
        codes = torch.stack([net.encoder(clips[:, step]) for step in range(4)], dim=1)
        assert codes.shape == (2, 4, 3, 2, 3)
        given = torch.stack([net.decoder(state) for state in net.memory(codes).unbind(1)], dim=1)
        before = torch.stack([clips[:, max(0, step - 1)] for step in range(4)], dim=1)
        assert torch.allclose(net(clips), given + before if residual else given, atol=1e-6)
