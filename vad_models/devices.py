"""The devices of this machine that a method can be trained on."""

from __future__ import annotations

import os

import torch

__all__ = ["cuda_devices", "describe"]


def cuda_devices() -> list[str]:
    """List the CUDA devices that torch can use, with the names of `CUDA_VISIBLE_DEVICES`, without starting CUDA."""
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(index) for index in range(count)]


def describe() -> str:
    """Describe the device in words: `cpu, 2 threads`, or the names of the CUDA devices."""
    if count := len(cuda_devices()):
        return ", ".join(f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(count))
    return f"cpu, {torch.get_num_threads()} threads"
