"""The devices of this machine that a method can be trained on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["ALL_OF_IT", "Resources", "cuda_devices", "describe"]


@dataclass(frozen=True)
class Resources:
    """Resources of this machine that a job may use. Numbers do not depend on them, up to rounding.

    Attributes:
        threads: of torch, in the job's process; None means one per core.
        device: Lightning's accelerator: `auto`, `cpu`, `gpu`, ...
        devices: how many of these, on this host. Each takes its share of every batch, in a process of its own; see
            `vad_models.ddp`.
        features: folder that features of fixed networks are kept in, for all trainings; None means that they are not
            kept.
    """

    threads: int | None = None
    device: str = "auto"
    devices: int = 1
    features: Path | None = None


ALL_OF_IT = Resources()
"""All cores, and one accelerator where there is one."""


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
