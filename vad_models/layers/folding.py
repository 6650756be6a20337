"""Batch normalisation folded into the convolution before it, for faster scoring."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["folded"]

_M = TypeVar("_M", bound=nn.Module)


def folded(network: _M) -> _M:
    """Copy `network`, in evaluation mode, with fewer operations and the same outputs up to rounding.

    In every `nn.Sequential`, a convolution absorbs the scale and shift of the batch normalisation that follows it.
    Shapes and dtypes of inputs and outputs are those of `network`.
    """
    network = deepcopy(network).eval()
    for sequence in network.modules():
        if isinstance(sequence, nn.Sequential):
            for (name, first), (next_name, second) in pairwise(list(sequence.named_children())):
                if isinstance(first, nn.Conv2d | nn.Conv3d) and isinstance(
                    second, nn.BatchNorm2d | nn.BatchNorm3d
                ):
                    setattr(sequence, name, fuse_conv_bn_eval(first, second))
                    setattr(sequence, next_name, nn.Identity())
    return network
