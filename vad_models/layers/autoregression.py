"""Autoregressive density of latent codes (Abati et al. 2019): the distribution of each element given earlier ones.

A code is a sequence of T steps of D elements in [0, 1]. Elements are ordered by step, then by index: element d of step
t is conditioned on all elements of earlier steps and on the elements 0 .. d - 1 of its own step.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AutoregressiveEstimator", "MaskedStackedConvolution"]


class MaskedStackedConvolution(nn.Module):
    """A masked convolution in which an element sees earlier steps and the earlier elements of its own step.

    Source: Abati et al. 2019, eq. 6. The paper has D convolutions, one per element, over 3 steps x D elements with the
    future masked; here they are computed as one. For a single step (T = 1) this is the paper's masked fully connected
    layer.

    Args:
        length: elements of a step (D).
        inputs: input channels of each element.
        outputs: output channels of each element.
        strict: whether an element is hidden from itself (the paper's mask A, for the first layer; otherwise mask B).
        past: number of earlier steps that an element sees; 1 in the paper.
        kernel: side, in cells, of the neighbourhood that is seen in earlier steps; odd, 1 in the paper.

    Shape:
        float32 (n, T, D * inputs, h, w) -> float32 (n, T, D * outputs, h, w), the channels of an element contiguous.
    """

    mask: Tensor

    def __init__(
        self, length: int, inputs: int, outputs: int, strict: bool, past: int = 1, kernel: int = 1
    ) -> None:
        super().__init__()
        self.now = nn.Conv2d(length * inputs, length * outputs, 1)
        self.before = nn.Conv3d(
            length * inputs,
            length * outputs,
            (past, kernel, kernel),
            padding=(0, kernel // 2, kernel // 2),
            bias=False,
        )
        seen = torch.ones(length, length).tril(-1 if strict else 0)
        mask = seen.repeat_interleave(outputs, 0).repeat_interleave(inputs, 1)
        self.register_buffer("mask", mask[..., None, None], persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        past = self.before.kernel_size[0]
        now = F.conv2d(codes.flatten(0, 1), self.now.weight * self.mask, self.now.bias)
        # Step t of the padded sequence is step t - past: what ends just before step t.
        before = self.before(F.pad(codes, (0, 0, 0, 0, 0, 0, past, 0))[:, :-1].transpose(1, 2))
        return now.unflatten(0, codes.shape[:2]) + before.transpose(1, 2)


class AutoregressiveEstimator(nn.Module):
    """Distribution of each element over `bins` equal bins of [0, 1], given the elements before it (section 3.2).

    Args:
        length: elements of a step (D).
        channels: channels per element in each hidden layer (4, 4, 4, 4 in the authors' code for UCSD Ped2).
        bins: number of bins, at least 2 (B = 100 in the paper).
        past: number of earlier steps that each layer sees, as in `MaskedStackedConvolution`.
        kernel: neighbourhood that the hidden layers see, as in `MaskedStackedConvolution`; 1 treats each cell of a map
            on its own.

    Shape:
        float32 (n, T, D, h, w) in [0, 1] -> float32 (n, T, D, bins, h, w), logarithms of probabilities.
    """

    def __init__(
        self,
        length: int,
        channels: tuple[int, ...] = (4, 4, 4, 4),
        bins: int = 100,
        past: int = 1,
        kernel: int = 1,
    ) -> None:
        super().__init__()
        self.bins = bins
        self.past = past
        widths = (1, *channels)
        self.layers = nn.ModuleList(
            [
                MaskedStackedConvolution(length, i, o, strict=index == 0, past=past, kernel=kernel)
                for index, (i, o) in enumerate(pairwise(widths))
            ]
        )
        self.head = MaskedStackedConvolution(length, widths[-1], bins, strict=not channels, past=past)

    def forward(self, codes: Tensor, steps: int | None = None) -> Tensor:
        """Compute the logarithm of each bin's probability.

        Args:
            codes: float32 (n, T, D, h, w) in [0, 1]. The cells of a map are independent given the earlier steps.
            steps: number of steps, counted from the end, to compute; None means all.

        Returns:
            float32 (n, steps or T, D, bins, h, w), each value <= 0.
        """
        steps = steps or codes.shape[1]
        hidden = codes
        for above, layer in zip(range(len(self.layers), 0, -1), self.layers, strict=True):
            # What the layers above will see of the past of the last `steps` steps, and no more.
            hidden = hidden[:, -(steps + (above + 1) * self.past) :]
            hidden = F.leaky_relu(layer(hidden), 0.01)[:, -(steps + above * self.past) :]
        logits = self.head(hidden)[:, -steps:]
        return logits.unflatten(2, (codes.shape[2], self.bins)).log_softmax(3)

    def surprise(self, codes: Tensor, steps: int | None = None) -> Tensor:
        """Negative log-likelihood of each element, in nats: (n, T, D, h, w) -> (n, steps or T, D, h, w).

        The sum over the elements is the negative log-likelihood of the code (eq. 2). Gradients reach `codes` only
        through what the distributions are conditioned on.
        """
        return self.surprise_of(self(codes, steps), codes)

    def surprise_of(self, distributions: Tensor, codes: Tensor) -> Tensor:
        """Negative log-likelihood of each element under distributions that were computed before.

        At the centre of a bin the probability is that of the bin, as in the paper. Between two centres it is
        interpolated linearly, so that rounding cannot change a score abruptly. A density of `bins` times this
        probability has the integral 1 over [0, 1].

        Args:
            distributions: what `forward` returned for the last steps of `codes`, (n, t, D, bins, h, w).
            codes: (n, T, D, h, w) in [0, 1], T >= t.

        Returns:
            float32 (n, t, D, h, w), in nats.
        """
        actual = codes.detach()[:, -distributions.shape[1] :]
        position = (actual * self.bins - 0.5).clamp(0, self.bins - 1)
        lower = position.floor().clamp_max(self.bins - 2)
        share = (position - lower).clamp(1e-6, 1 - 1e-6)
        below, above = (
            distributions.gather(3, index.long().unsqueeze(3)).squeeze(3) for index in (lower, lower + 1)
        )
        return -torch.logaddexp(below + (1 - share).log(), above + share.log())

    def expected(self, distributions: Tensor) -> Tensor:
        """Mean of each element's distribution: (n, T, D, bins, h, w) -> (n, T, D, h, w) in (0, 1)."""
        centres = (torch.arange(self.bins, device=distributions.device) + 0.5) / self.bins
        return torch.einsum("ntdbhw,b->ntdhw", distributions.exp(), centres)
