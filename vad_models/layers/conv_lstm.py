"""Convolutional long short-term memory (Shi et al. 2015), and an autoencoder of clips that is built around it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vad_models.settings import Frozen

__all__ = ["ConvLSTM", "ConvLSTMAutoencoder", "Convolution"]


class ConvLSTM(nn.Module):
    """An LSTM layer whose states are feature maps, which start at zero. An output depends on the steps up to its own.

    With * for convolution and . for the elementwise product (Nayak et al. 2020, eq. 2 to 7, where x_(t-1) in eq. 4 and
    the signs in eq. 5 and 6 are misprints):

        i_t = sigmoid(W_i * [x_t, h_(t-1), c_(t-1)] + b_i)        f_t = sigmoid(W_f * [x_t, h_(t-1), c_(t-1)] + b_f)
        g_t = tanh(W_g * [x_t, h_(t-1)] + b_g)                    o_t = sigmoid(W_o * [x_t, h_(t-1)] + b_o)
        c_t = f_t . c_(t-1) + i_t . g_t                           h_t = o_t . tanh(c_t)

    The terms in x are one convolution over all steps at once; only the terms in h and c are computed step by step.

    Args:
        inputs: channels of x.
        hidden: channels of h and c.
        kernel: side of the convolutions, odd; borders are padded with zeros.
        peephole: whether c_(t-1) enters i_t and f_t, which takes about 1.2 times as long.

    Shape:
        float32 (n, T, inputs, H, W) -> float32 (n, T, hidden, H, W) in (-1, 1).
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = 3, peephole: bool = False) -> None:
        super().__init__()
        self.from_input = nn.Conv2d(inputs, 4 * hidden, kernel, padding=kernel // 2)
        self.from_hidden = nn.Conv2d(hidden, 4 * hidden, kernel, padding=kernel // 2, bias=False)
        self.from_cell = (
            nn.Conv2d(hidden, 2 * hidden, kernel, padding=kernel // 2, bias=False) if peephole else None
        )
        for convolution in (self.from_input, self.from_hidden, self.from_cell):
            if convolution is not None:
                nn.init.xavier_uniform_(convolution.weight)
        nn.init.zeros_(self.bias)
        # Forget gates that start open let gradients reach the first steps.
        nn.init.ones_(self.bias[hidden : 2 * hidden])

    @property
    def bias(self) -> Tensor:
        """Biases of the gates, (4 * hidden,), in the order i, f, o, g."""
        assert self.from_input.bias is not None
        return self.from_input.bias

    def forward(self, inputs: Tensor) -> Tensor:
        first, *later = self.from_input(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2]).unbind(1)
        hidden, cell = self._step(first, None)
        outputs = [hidden]
        for gates in later:
            gates = gates + self.from_hidden(hidden)
            if self.from_cell is not None:
                seen = self.from_cell(cell)
                gates = gates + F.pad(seen, (0, 0, 0, 0, 0, seen.shape[1]))
            hidden, cell = self._step(gates, cell)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1)

    @staticmethod
    def _step(gates: Tensor, cell: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute h_t and c_t from the gates before their activations, (n, 4 * hidden, H, W), and c_(t-1).

        None stands for a c_(t-1) of zero.
        """
        sigmoids, new = gates.tensor_split([-(gates.shape[1] // 4)], dim=1)
        allow, keep, show = sigmoids.sigmoid().chunk(3, dim=1)
        cell_now = allow * new.tanh()
        if cell is not None:
            cell_now = cell_now + keep * cell
        return show * cell_now.tanh(), cell_now


class Convolution(Frozen):
    """Settings of one layer of a spatial encoder; the decoder has the transposed layer."""

    channels: int = Field(ge=1)
    """Output channels."""
    kernel: Literal[1, 3, 5, 7, 9, 11]
    """Side of the kernel; borders are padded with zeros."""
    stride: Literal[1, 2, 4] = 1
    """Factor that height and width are divided by."""


class ConvLSTMAutoencoder(nn.Module):
    """Reconstructs clips: frames are encoded one by one, and ConvLSTM layers connect their codes.

    An output frame depends on the input frames up to its own, because the ConvLSTMs run forwards only. Weights are
    initialised as in Glorot and Bengio 2010.

    Args:
        inputs: channels of a frame.
        spatial: the encoder's convolutions; the decoder mirrors them, and ends without an activation.
        temporal: channels of each ConvLSTM layer; their kernels are 3x3.
        peephole: whether the gates of the ConvLSTM layers see the cell state.
        normalise: whether batch normalisation and LeakyReLU follow a convolution; otherwise tanh does.
        residual: whether the network outputs the change from the previous frame (the first frame of a clip is its own
            predecessor); otherwise it outputs the frame.

    Shape:
        float32 (n, T, C, H, W) -> float32 (n, T, C, H, W). H and W must be multiples of the product of the strides.
    """

    def __init__(
        self,
        inputs: int,
        spatial: Sequence[Convolution],
        temporal: Sequence[int],
        peephole: bool,
        normalise: bool,
        residual: bool,
    ) -> None:
        super().__init__()
        self.residual = residual
        widths = [inputs, *(layer.channels for layer in spatial)]
        encoder: list[nn.Module] = []
        for layer, (i, o) in zip(spatial, pairwise(widths), strict=True):
            encoder += [_convolution(i, o, layer), *_activation(o, normalise)]
        self.encoder = nn.Sequential(*encoder)
        self.memory = nn.Sequential(
            *[ConvLSTM(i, o, peephole=peephole) for i, o in pairwise((widths[-1], *temporal))]
        )
        decoder: list[nn.Module] = []
        back = (temporal[-1], *widths[-2:0:-1])
        for layer, (i, o) in zip(spatial[:0:-1], pairwise(back), strict=True):
            decoder += [_transposed(i, o, layer), *_activation(o, normalise)]
        self.decoder = nn.Sequential(*decoder, _transposed(back[-1], inputs, spatial[0]))
        for module in (*self.encoder, *self.decoder):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, clips: Tensor) -> Tensor:
        """Reconstruct clips: (n, T, C, H, W) -> (n, T, C, H, W)."""
        codes = self.encoder(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        return self.rebuild(codes, clips)

    def rebuild(self, codes: Tensor, clips: Tensor) -> Tensor:
        """Reconstruct clips from the codes of their frames.

        Args:
            codes: codes of the frames, as `encoder` computes them, (n, T, D, h, w).
            clips: the clips, (n, T, C, H, W); only used for the previous frames, where the network outputs changes.

        Returns:
            float32 (n, T, C, H, W).
        """
        frames: Tensor = self.decoder(self.memory(codes).flatten(0, 1)).unflatten(0, codes.shape[:2])
        if self.residual:
            frames = frames + torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
        return frames


def _convolution(inputs: int, outputs: int, layer: Convolution) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, layer.kernel, layer.stride, layer.kernel // 2)


def _transposed(inputs: int, outputs: int, layer: Convolution) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(
        inputs, outputs, layer.kernel, layer.stride, layer.kernel // 2, layer.stride - 1
    )


def _activation(channels: int, normalise: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.LeakyReLU(0.1, inplace=True)] if normalise else [nn.Tanh()]
