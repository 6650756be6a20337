"""Reading of a single video, completely and at the size that a method sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vad_models.data.decode import FrameSource, ImageSequence, VideoFile
from vad_models.data.frame_store import resized
from vad_models.errors import DataError
from vad_models.settings import FrameSize

__all__ = ["read_video"]


def read_video(path: Path, size: FrameSize) -> NDArray[np.uint8]:
    """Read the frames of a video, uint8 (T, H, W, C).

    Args:
        path: a video file or a folder of images, which are resized as in the frame store; or an .npy file of uint8
            (T, H, W, C), which is memory-mapped and used as it is.
        size: size of the frames that are returned.

    Raises:
        DataError: there is no such file, or it cannot be read as a video.
    """
    if not path.exists():
        raise DataError(
            f"{path} does not exist: give a video file, a folder of images, or an .npy file of frames."
        )
    if path.suffix == ".npy":
        return _read_array(path)
    source: FrameSource = ImageSequence.of(path) if path.is_dir() else VideoFile(path)
    frames = [resized(frame, size) for frame in source.frames()]
    if not frames:
        raise DataError(
            f"{path} holds no frames: give a video file, a folder of images, or an .npy file of frames."
        )
    return np.stack(frames)


def _read_array(path: Path) -> NDArray[np.uint8]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as broken:
        raise DataError(f"{path} is not an array of frames ({broken}): save it with numpy.save.") from None
    if array.ndim != 4 or array.dtype != np.uint8:
        raise DataError(f"{path} holds {array.dtype} {array.shape}: frames are uint8 (T, H, W, C).")
    return np.asarray(array)
