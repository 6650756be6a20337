"""What a method can be trained on here."""

from __future__ import annotations

import torch

__all__ = ["cuda_devices", "describe"]


def cuda_devices() -> int:
    """Number of CUDA devices that torch can use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def describe() -> str:
    """The device in words: `cpu, 2 threads`, or the names of the CUDA devices."""
    if count := cuda_devices():
        return ", ".join(f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(count))
    return f"cpu, {torch.get_num_threads()} threads"
