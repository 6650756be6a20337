"""Scoring of stored video: one number per frame and signal, with the frame that it belongs to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.data.files import atomic_path
from vad_models.errors import DataError
from vad_models.streaming import Stream

__all__ = [
    "VideoScores",
    "frames_per_second",
    "gflop_per_frame",
    "read_scores",
    "score_excerpts",
    "score_video",
    "write_scores",
]

_BLOCK = 32
"""Frames per block."""


@dataclass(frozen=True)
class VideoScores:
    """Scores of a video.

    Attributes:
        first: index of the first scored frame; the frames before it (and the method's lookahead at the end) have none.
        signals: signal -> float32 (n,), for frames first .. first + n - 1.
        maps: float32 (n, h, w) error maps of the headline signal, or None.
    """

    first: int
    signals: dict[str, np.ndarray]
    maps: np.ndarray | None = None


def score_video(
    method: Method, frames: np.ndarray, signals: Sequence[str] | None = None, maps: bool = False
) -> VideoScores:
    """Score consecutive frames, uint8 (T, H, W, C).

    Raises:
        DataError: the video is shorter than the method's window, or its frames have another size.
    """
    if len(frames) < method.clip.frames:
        raise DataError(
            f"the video has {len(frames)} frames, but {method.name} needs {method.clip.frames} to score one: "
            "give it a longer video."
        )
    stream = Stream(method, signals)
    blocks = [
        stream.push_block(frames[first : first + _BLOCK], maps) for first in range(0, len(frames), _BLOCK)
    ]
    scored = [block for block in blocks if block[1][stream.signals[0]].numel()]
    return VideoScores(
        first=scored[0][0],
        signals={
            signal: torch.cat([scores[signal] for _, scores, _ in scored]).numpy()
            for signal in stream.signals
        },
        maps=torch.cat([part for _, _, part in scored if part is not None]).numpy() if maps else None,
    )


def score_excerpts(method: Method, excerpts: Iterable[Excerpt], split: str) -> pd.DataFrame:
    """Score stored video: columns camera, split, video, frame, label (missing if unlabelled), and one per signal.

    Frames are numbered in their video, also where the excerpt begins later. Excerpts too short for one window are
    left out.
    """
    tables = []
    for excerpt in excerpts:
        if excerpt.frames < method.clip.frames:
            continue
        scores = score_video(method, excerpt.array())
        count = len(next(iter(scores.signals.values())))
        frames = excerpt.first + scores.first + np.arange(count)
        labels = excerpt.video.labels
        tables.append(
            pd.DataFrame(
                {
                    "camera": excerpt.video.camera,
                    "split": split,
                    "video": excerpt.video.name,
                    "frame": frames,
                    "label": pd.array([pd.NA] * count if labels is None else labels[frames], dtype="boolean"),
                    **scores.signals,
                }
            )
        )
    if tables:
        return pd.concat(tables, ignore_index=True)
    return pd.DataFrame(columns=["camera", "split", "video", "frame", "label", *method.signals])


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Write a score table as parquet, atomically."""
    with atomic_path(path) as temporary:
        scores.to_parquet(temporary, index=False)


def read_scores(path: Path) -> pd.DataFrame:
    """Read a score table."""
    return pd.read_parquet(path)


def gflop_per_frame(method: Method) -> float:
    """Count the floating-point operations, in 1e9, of one more frame in service: headline signal, with all reuse."""
    stream = Stream(method, [method.headline])
    blank = np.zeros((method.clip.frames, *method.clip.size), np.uint8)
    stream.push_block(blank)
    with FlopCounterMode(display=False) as counter:
        stream.push(blank[0])
    return counter.get_total_flops() / 1e9


def frames_per_second(method: Method, frames: np.ndarray, block: int = _BLOCK, at_most: int = 320) -> float:
    """Measure frames of uint8 (T, H, W, C) scored per second for the headline signal, `block` frames at a time.

    The first window is a warm-up and is not counted; frames are read from where they are (the frame store).
    """
    stream = Stream(method, [method.headline])
    warm = min(len(frames), max(method.clip.frames, block))
    stream.push_block(frames[:warm])
    counted, started = 0, time.perf_counter()
    while counted < at_most:
        for first in range(0, len(frames), block):
            cut = frames[first : first + block]
            stream.push_block(cut)
            counted += len(cut)
    return counted / (time.perf_counter() - started)
