"""Features that no training changes (those of a fixed backbone), computed once a video and kept on disk.

    <root>/<key of the features>/<sha256 of the video's frames>/<tensor>.npy       float16, time first, memory-mapped

The key names the network, the digest names the frames: neither can be mistaken for another version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vad_models.contract import Features, Method, as_frames
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import Video

__all__ = ["FrozenFeatures"]

_BLOCK = 64
"""Frames that are encoded at once."""


class FrozenFeatures:
    """Features of whole videos, for a phase that leaves them as they are.

    Args:
        method: whose `encode` computes them; set to evaluation mode when it has to.
        phase: name of the phase.
        root: folder to keep them in; used only where the method names its features (`Method.frozen_key`).
    """

    def __init__(self, method: Method, phase: str, root: Path | None) -> None:
        self._method = method
        self._phase = phase
        key = method.frozen_key(phase)
        self._folder = root / key if root is not None and key is not None else None

    def of(self, excerpts: Sequence[Excerpt]) -> list[Features]:
        """Features of each excerpt: named tensors (frames, ...); float16 where they come from disk, else float32."""
        return [
            {key: values[excerpt.first : excerpt.last] for key, values in self._whole(excerpt.video).items()}
            for excerpt in excerpts
        ]

    def _whole(self, video: Video) -> Features:
        if self._folder is None:
            return self._computed(video)
        with video.path.open("rb") as file:
            folder = self._folder / hashlib.file_digest(file, "sha256").hexdigest()
        if not folder.exists():
            _write(self._computed(video), folder)
        return {path.stem: torch.from_numpy(np.load(path, mmap_mode="c")) for path in folder.glob("*.npy")}

    @torch.no_grad()
    def _computed(self, video: Video) -> Features:
        self._method.eval()
        frames = video.array()
        blocks = [
            self._method.encode(as_frames(frames[first : first + _BLOCK]), self._phase)
            for first in range(0, len(frames), _BLOCK)
        ]
        return {key: torch.cat([block[key] for block in blocks]) for key in blocks[0]}


def _write(features: Features, folder: Path) -> None:
    """Write all tensors or none: two trainings may compute the same video at once, and one may be killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for key, values in features.items():
        np.save(temporary / f"{key}.npy", values.to(torch.float16).numpy())
    try:
        temporary.rename(folder)
    except OSError:
        # The other training was first; its features are the same.
        shutil.rmtree(temporary)
        if not folder.exists():
            raise
