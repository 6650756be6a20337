"""Small synthetic footage for tests: people-like blobs on a textured ground, straight into a frame store."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from vad_models.data.frame_store import FrameStore
from vad_models.data.manifest import COLUMNS, write_manifest
from vad_models.settings import FrameSize

__all__ = ["SIZE", "blobs", "make_store"]

SIZE = FrameSize(32, 48, 1)


def blobs(frames: int, seed: int, speed: float = 1.0, size: FrameSize = SIZE, block: int = 4) -> np.ndarray:
    """uint8 (frames, H, W, C): a few bright blocks of `block` pixels walk sideways at `speed` pixels per frame."""
    rng = np.random.default_rng(seed)
    ground = np.random.default_rng(0).integers(60, 90, (size.height, size.width, size.channels))
    video = np.repeat(ground[None], frames, axis=0)
    for _ in range(3):
        y = int(rng.integers(0, size.height - block))
        x = rng.uniform(0, size.width)
        for frame in range(frames):
            left = int(x + speed * frame) % size.width
            video[frame, y : y + block, left : left + block] = 200
    return video.astype(np.uint8)


def make_store(root: Path, cameras: int = 1, frames: int = 40, fps: float = 25.0) -> FrameStore:
    """A frame store with, per camera, three normal training videos and two test videos.

    The second half of each test video is abnormal: its blocks are larger and three times as fast.
    """
    root = root / str(SIZE)
    rows = []
    for camera in range(1, cameras + 1):
        for split, names in (("train", ("a", "b", "c")), ("test", ("d", "e"))):
            for number, name in enumerate(names):
                seed = 100 * camera + 10 * (split == "test") + number
                video = blobs(frames, seed)
                abnormal: list[list[int]] = []
                if split == "test":
                    video[frames // 2 :] = blobs(frames, seed, speed=3.0, block=9)[frames // 2 :]
                    abnormal = [[frames // 2, frames]]
                path = f"{camera:02d}/{split}/{name}.npy"
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                np.save(root / path, video)
                rows.append(
                    {
                        "dataset": "blobs",
                        "camera": f"{camera:02d}",
                        "split": split,
                        "video": name,
                        "frames": frames,
                        "fps": fps,
                        "height": SIZE.height,
                        "width": SIZE.width,
                        "unreadable": "",
                        "labelled": split == "test",
                        "label_frames": frames if split == "test" else -1,
                        "abnormal": abnormal,
                        "abnormal_frames": frames // 2 if split == "test" else 0,
                        "label_set": "made" if split == "test" else "none",
                        "sha256": hashlib.sha256(video.tobytes()).hexdigest(),
                        "path": path,
                    }
                )
    write_manifest(pd.DataFrame(rows, columns=[*COLUMNS, "path"]), root / "manifest.parquet")
    return FrameStore(root)
