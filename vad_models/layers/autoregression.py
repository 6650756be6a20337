"""Autoregressive density of latent codes (Abati et al. 2019): each element given those before it, in quantised bins.

A code is a sequence of T steps of D elements in [0, 1]. Its order is by step, then by element: element d of step t is
conditioned on all elements of the steps before and on the elements 0 .. d - 1 of its own step.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AutoregressiveEstimator", "MaskedStackedConvolution"]


class MaskedStackedConvolution(nn.Module):
    """Every element sees steps before its own, and of its own step only the elements before it (eq. 6 of the paper).

    The paper's D convolutions, one an element, over (3 steps x D elements) with the future masked, computed as one. Of
    a single step (T = 1) it is the paper's masked fully connected layer.

    Args:
        length: D.
        inputs: channels in, of each element.
        outputs: channels out, of each element.
        strict: whether an element is hidden from itself (the paper's mask A, for the first layer; else mask B).
        past: steps before its own that an element sees, 1 in the paper.
        kernel: side, in cells, of the neighbourhood that is seen of the steps before; odd, 1 in the paper.

    Shape: (n, T, D * inputs, h, w) -> (n, T, D * outputs, h, w), channels of an element side by side.
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
        channels: of an element, in the hidden layers (4, 4, 4, 4 in the authors' code for UCSD Ped2).
        bins: of the distributions, at least 2 (B = 100 in the paper).
        past: as in `MaskedStackedConvolution`; each layer looks so far back.
        kernel: as in `MaskedStackedConvolution`, of the hidden layers; 1 treats each cell of a map by itself.
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
        """Logarithms of the bins' probabilities.

        Args:
            codes: (n, T, D, h, w) in [0, 1]; the cells of a map are independent given the steps before.
            steps: only of the last `steps` steps; none: of all.

        Returns:
            (n, steps or T, D, bins, h, w).
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

        Their sum is that of the code (eq. 2). Gradients reach `codes` as conditions only.
        """
        return self.surprise_of(self(codes, steps), codes)

    def surprise_of(self, distributions: Tensor, codes: Tensor) -> Tensor:
        """`surprise`, of distributions that were computed before for the last steps of `codes`.

        At the centre of a bin it is that of the bin, as in the paper; between two centres the probability is linear,
        so that rounding cannot turn a score over. With a density of `bins` times that, the integral over [0, 1] is 1.
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
        """Mean of each element's distribution, (n, T, D, bins, h, w) -> (n, T, D, h, w) in (0, 1)."""
        centres = (torch.arange(self.bins, device=distributions.device) + 0.5) / self.bins
        return torch.einsum("ntdbhw,b->ntdhw", distributions.exp(), centres)
