"""Convolutional long short-term memory (Shi et al. 2015), and the autoencoder of clips that is built around it."""

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
    """An LSTM layer whose states are feature maps; they begin at zero, and each output sees the steps up to its own.

    With * a convolution and . the product of elements (Nayak et al. 2020, eq. 2-7; their x_(t-1) in eq. 4 and their
    signs in eq. 5 and 6 are misprints of these):

        i_t = sigmoid(W_i * [x_t, h_(t-1), c_(t-1)] + b_i)        f_t = sigmoid(W_f * [x_t, h_(t-1), c_(t-1)] + b_f)
        g_t = tanh(W_g * [x_t, h_(t-1)] + b_g)                    o_t = sigmoid(W_o * [x_t, h_(t-1)] + b_o)
        c_t = f_t . c_(t-1) + i_t . g_t                           h_t = o_t . tanh(c_t)

    What concerns x is one convolution over all steps at once; only what concerns h and c runs step by step.

    Args:
        inputs: channels of x.
        hidden: channels of h and c.
        kernel: side of the convolutions, odd; borders are padded with zeros.
        peephole: whether c_(t-1) enters i_t and f_t; some 1.2 times as slow.

    Shape: (n, T, inputs, H, W) -> (n, T, hidden, H, W) in (-1, 1).
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
        # A memory that is kept to begin with is what lets gradients reach the first steps.
        nn.init.ones_(self.bias[hidden : 2 * hidden])

    @property
    def bias(self) -> Tensor:
        """Of the gates, in the order i, f, o, g."""
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
        """Gates before their activations (n, 4 * hidden, H, W) and c_(t-1), none for zero -> h_t, c_t."""
        sigmoids, new = gates.tensor_split([-(gates.shape[1] // 4)], dim=1)
        allow, keep, show = sigmoids.sigmoid().chunk(3, dim=1)
        cell_now = allow * new.tanh()
        if cell is not None:
            cell_now = cell_now + keep * cell
        return show * cell_now.tanh(), cell_now


class Convolution(Frozen):
    """One layer of a spatial encoder; its transpose is the layer of the decoder that undoes it."""

    channels: int = Field(ge=1)
    """Channels out."""
    kernel: Literal[1, 3, 5, 7, 9, 11]
    """Side of the kernel; borders are padded with zeros."""
    stride: Literal[1, 2, 4] = 1
    """Factor that height and width shrink by."""


class ConvLSTMAutoencoder(nn.Module):
    """Clips in, the same clips out: each frame is encoded by itself, what links the frames are ConvLSTM layers.

    Each output frame depends on the input frames up to its own, for the ConvLSTMs run forwards only. Weights begin as
    Xavier's (Glorot and Bengio 2010).

    Args:
        inputs: channels of a frame.
        spatial: the encoder's convolutions; the decoder is their mirror image, without activation at the end.
        temporal: channels of the ConvLSTM layers, 3x3 each.
        peephole: of the ConvLSTM layers.
        normalise: batch normalisation and LeakyReLU after a convolution; false: tanh.
        residual: the network gives the change since the frame before (the first frame of a clip counts as its own);
            false: the frame itself.
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
        """Clips (n, T, C, H, W) -> their reconstructions, of the same shape."""
        codes = self.encoder(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        return self.rebuild(codes, clips)

    def rebuild(self, codes: Tensor, clips: Tensor) -> Tensor:
        """Clips from the codes of their frames.

        Args:
            codes: what `encoder` makes of the frames, (n, T, D, h, w).
            clips: (n, T, C, H, W); looked at only for the frames before, where the network gives changes.

        Returns:
            (n, T, C, H, W).
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
