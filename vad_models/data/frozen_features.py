"""Features that no training changes (those of a fixed backbone), computed once per video and stored on disk.

    <root>/<key of the features>/<sha256 of the video's frames>/<tensor>.npy       float16, time first, memory-mapped

The key identifies the network and the digest identifies the frames, so that other versions have other folders.
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
"""Number of frames that are encoded at once."""


class FrozenFeatures:
    """Features of whole videos, for a phase that leaves them as they are.

    Args:
        method: method whose `encode` computes the features; it is set to evaluation mode for this.
        phase: name of the phase.
        root: folder to store them in, if the method names its features (`Method.frozen_key`); None stores nothing.
    """

    def __init__(self, method: Method, phase: str, root: Path | None) -> None:
        self._method = method
        self._phase = phase
        key = method.frozen_key(phase)
        self._folder = root / key if root is not None and key is not None else None

    def of(self, excerpts: Sequence[Excerpt]) -> list[Features]:
        """Load or compute the features of each excerpt.

        Returns:
            Named tensors (frames, ...) per excerpt; float16 if they come from disk, otherwise float32.
        """
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
    """Write all tensors or none, because two trainings may compute the same video at once, and one may be killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for key, values in features.items():
        np.save(temporary / f"{key}.npy", values.to(torch.float16).numpy())
    try:
        temporary.rename(folder)
    except OSError:
        # Another training was first; its features are the same.
        shutil.rmtree(temporary)
        if not folder.exists():
            raise
