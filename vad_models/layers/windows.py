"""Windows of consecutive frames."""

from __future__ import annotations

from torch import Tensor

__all__ = ["stack_windows", "windows"]


def windows(values: Tensor, length: int) -> Tensor:
    """View every window of `length` consecutive entries of the time axis, without copying.

    Args:
        values: (..., n, C, H, W), any dtype.
        length: entries of a window, at most n.

    Returns:
        A view (..., n - length + 1, length, C, H, W).
    """
    return values.unfold(-4, length, 1).movedim(-1, -4)


def stack_windows(values: Tensor, length: int) -> Tensor:
    """Stack the frames of every window in channels: (..., n, C, H, W) -> (..., n - length + 1, length * C, H, W)."""
    return windows(values, length).flatten(-4, -3)
