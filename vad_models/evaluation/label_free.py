"""A yardstick without labels: how well a method tells held-out normal video from the same video, tampered with.

Two anomalies are made: the middle of the video is played at double speed (motion), and a block of texture from
elsewhere in the scene crosses it, faster than people walk (appearance and motion). They are crude, and the number is
no forecast of an AUC on real anomalies; it ranks methods where nobody has labelled anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from vad_models.contract import Method
from vad_models.scoring import score_video

__all__ = ["crossing_block", "double_speed", "label_free_auc"]

_BLOCK_SHARE = 0.16
"""Side of the crossing block, as a share of the frame's height."""
_CROSSING_FRAMES = 80
"""Frames that the block takes from one side of the frame to the other."""


def double_speed(video: np.ndarray) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Normal video, uint8 (T, H, W, C), with every second frame of its middle half left out; and where that is."""
    first, last = len(video) // 4, 3 * len(video) // 4
    kept = np.concatenate([np.arange(first), np.arange(first, last, 2), np.arange(last, len(video))])
    return video[kept], (kept >= first) & (kept < last)


def crossing_block(video: np.ndarray, seed: int) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Normal video, uint8 (T, H, W, C), which a block of the scene crosses from mid-video on; and where it does."""
    rng = np.random.default_rng(seed)
    frames, height, width, _ = video.shape
    side = max(4, round(_BLOCK_SHARE * height))
    top = int(rng.integers(height // 4, height - side))
    source = video[0, (top + height // 2) % (height - side) :, : 2 * side][:side]
    tampered, abnormal = np.array(video), np.zeros(frames, bool)
    leftwards = rng.random() < 0.5
    for step in range(frames - frames // 2):
        left = round((width + 2 * side) * step / _CROSSING_FRAMES) - 2 * side
        left = width - 2 * side - left if leftwards else left
        visible = slice(max(0, left), min(width, left + 2 * side))
        if visible.start >= visible.stop:
            continue
        frame = frames // 2 + step
        tampered[frame, top : top + side, visible] = source[:, visible.start - left : visible.stop - left]
        abnormal[frame] = True
    return tampered, abnormal


def label_free_auc(method: Method, videos: Sequence[np.ndarray]) -> float | None:
    """Mean AUC, over held-out normal videos and both anomalies, of the headline signal on tampered frames.

    Args:
        method: a trained method.
        videos: normal video that was not trained on, uint8 (T, H, W, C) each.

    Returns:
        AUC in [0, 1]; None if no video is long enough to have scored frames of both kinds.
    """
    aucs = []
    for seed, video in enumerate(videos):
        for frames, abnormal in (double_speed(video), crossing_block(video, seed)):
            if len(frames) < method.clip.frames:
                continue
            scores = score_video(method, frames, [method.headline])
            values = scores.signals[method.headline]
            truth = abnormal[scores.first : scores.first + len(values)]
            if truth.any() and not truth.all():
                aucs.append(roc_auc_score(truth, values))
    return float(np.mean(aucs)) if aucs else None
