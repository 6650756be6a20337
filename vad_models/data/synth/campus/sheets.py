"""Contact sheets: every camera, and every kind of anomaly, at a glance."""

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
from vad_models.data.synth.campus.render import Picture, render
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

    best: dict[str, tuple[int, Picture]] = {}
    for number in range(1, len(CAMERAS) + 1):
        for video in videos_of(seed, number):
            if wanted := set(video.anomalies) - set(best):
                found = list(render(video))
                for kind in wanted:
                    alone = [picture for picture in found if picture.kinds == {kind}] or found
                    picture = max(alone, key=lambda p: int(p.mask.sum()))
                    best[kind] = (number, picture)
    tiles = [
        _titled(_outlined(best[kind][1]), f"{kind.replace('_', ' ')}  ({nature})")
        for kind, (nature, _) in KINDS.items()
    ]
    _save(out / "campus_anomalies.jpg", tiles)


def _outlined(picture: Picture) -> NDArray[np.uint8]:
    """The frame with a red box round its anomalous pixels."""
    frame = picture.frame.copy()
    rows, columns = np.nonzero(picture.mask)
    if rows.size:
        corner, opposite = (
            (int(columns.min()) - 4, int(rows.min()) - 4),
            (int(columns.max()) + 4, int(rows.max()) + 4),
        )
        cv2.rectangle(frame, corner, opposite, _RED, 1)
    return frame


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
