"""What a method can be trained on here."""

from __future__ import annotations

import os

import torch

__all__ = ["cuda_devices", "describe"]


def cuda_devices() -> list[str]:
    """The CUDA devices that torch can use, as `CUDA_VISIBLE_DEVICES` names them; asking does not start CUDA."""
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(index) for index in range(count)]


def describe() -> str:
    """The device in words: `cpu, 2 threads`, or the names of the CUDA devices."""
    if count := len(cuda_devices()):
        return ", ".join(f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(count))
    return f"cpu, {torch.get_num_threads()} threads"
