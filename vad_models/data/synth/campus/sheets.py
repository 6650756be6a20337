"""Contact sheets of all cameras and all kinds of anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vad_models.data.files import atomic_path
from vad_models.data.synth.campus.anomalies import KINDS
from vad_models.data.synth.campus.cameras import CAMERAS
from vad_models.data.synth.campus.render import render
from vad_models.data.synth.campus.script import Video, videos_of

__all__ = ["contact_sheets"]

_COLUMNS = 3
_MOMENT = 72  # the frame that stands for a camera
_RED = (226, 38, 38)


def contact_sheets(out: Path, seed: int = 7) -> None:
    """Write `campus_cameras.jpg`, a frame of each camera, and `campus_anomalies.jpg`, one of each kind, below `out`."""
    cameras = []
    for number, camera in enumerate(CAMERAS, start=1):
        picture = next(islice(render(Video(seed, number, "train", 1)), _MOMENT, None))
        cameras.append(_titled(picture.frame, f"{number:02d}  {camera.name}"))
    _save(out / "campus_cameras.jpg", cameras)

    tiles = []
    for number, (kind, (nature, _)) in enumerate(KINDS.items()):
        pair = ((2 * number + 2) % 12 + 1, (2 * number + 2) % 12 + 2)
        tiles.append(_titled(_portrait(kind, seed, pair), f"{kind.replace('_', ' ')}  ({nature})"))
    _save(out / "campus_anomalies.jpg", tiles)


def _portrait(kind: str, seed: int, cameras: tuple[int, int]) -> NDArray[np.uint8]:
    """Find the frame of two cameras that shows a kind best, and draw a red box around the anomaly."""
    video = next(video for camera in cameras for video in videos_of(seed, camera) if kind in video.anomalies)
    seen = [picture for picture in render(video) if kind in picture.sightings]
    # Late in the act, so that a fall has ended on the ground; not cut by the edge of the picture; near.
    late = seen[len(seen) * 2 // 5 :]
    best = max(late, key=lambda p: (not _at_edge(p.sightings[kind]), int(p.sightings[kind].sum())))
    rows, columns = np.nonzero(best.sightings[kind])
    corner = int(columns.min()) - 4, int(rows.min()) - 4
    opposite = int(columns.max()) + 4, int(rows.max()) + 4
    frame = best.frame.copy()
    cv2.rectangle(frame, corner, opposite, _RED, 1)
    return frame


def _at_edge(mask: NDArray[np.bool_]) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _titled(frame: NDArray[np.uint8], title: str) -> NDArray[np.uint8]:
    strip = np.full((20, frame.shape[1], 3), 24, np.uint8)
    cv2.putText(strip, title, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (236, 236, 236), 1, cv2.LINE_AA)
    return np.pad(np.vstack([strip, frame]), ((0, 4), (0, 4), (0, 0)), constant_values=24)


def _save(path: Path, tiles: Sequence[NDArray[np.uint8]]) -> None:
    blank = np.full_like(tiles[0], 24)
    padded = [*tiles, *[blank] * (-len(tiles) % _COLUMNS)]
    rows = [np.hstack(padded[i : i + _COLUMNS]) for i in range(0, len(padded), _COLUMNS)]
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 84])
