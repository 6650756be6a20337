"""Speed on this machine: scoring frames one at a time, and training several models on shared cores."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.devices import Resources
from vad_models.errors import DataError
from vad_models.methods import build_method
from vad_models.scoring import score_video
from vad_models.settings import FrameSize
from vad_models.streaming import Stream
from vad_models.training import TrainingRequest, train

__all__ = ["SharingSpeed", "StreamingSpeed", "measure_sharing", "measure_streaming"]

_WARM_UP = 30
"""Frames pushed before the clock starts, beyond the first window."""


@dataclass(frozen=True)
class StreamingSpeed:
    """Speed of scoring the headline signal one frame at a time.

    Attributes:
        frames: number of frames that were timed, without warm-up.
        frames_per_second: frames per second over all timed frames.
        p50_ms, p95_ms, p99_ms: percentiles of the milliseconds from a frame to its score.
        largest_difference: largest absolute difference from the scores of batch scoring.
        largest_score: largest absolute score, to compare the difference with.
    """

    frames: int
    frames_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    largest_difference: float
    largest_score: float


def measure_streaming(method: Method, videos: Sequence[np.ndarray]) -> StreamingSpeed:
    """Time the scoring of every frame of several videos, one at a time, and compare the scores with batch scoring.

    Args:
        method: a trained method.
        videos: uint8 (T, H, W, C) each; memory-mapped arrays are read as they are scored.

    Raises:
        DataError: no video is long enough to be scored.
    """
    long_enough = [video for video in videos if len(video) >= method.clip.frames]
    if not long_enough:
        raise DataError(
            f"no video has the {method.clip.frames} frames that {method.name} needs: choose a longer one."
        )
    _push_all(Stream(method, [method.headline]), long_enough[0][: method.clip.frames + _WARM_UP])
    seconds: list[float] = []
    differences: list[float] = []
    largest = 0.0
    for video in long_enough:
        scores, taken = _push_all(Stream(method, [method.headline]), video)
        seconds += taken
        batch = score_video(method, video, [method.headline]).signals[method.headline]
        differences.append(float(np.abs(np.array(scores) - batch).max()))
        largest = max(largest, float(np.abs(batch).max()))
    p50, p95, p99 = np.percentile(seconds, [50, 95, 99]) * 1000
    return StreamingSpeed(
        frames=len(seconds),
        frames_per_second=len(seconds) / sum(seconds),
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        largest_difference=max(differences),
        largest_score=largest,
    )


@dataclass(frozen=True)
class SharingSpeed:
    """Time that several trainings take at once, and one after the other.

    Attributes:
        trainings: number of trainings.
        in_sequence_seconds: seconds one after the other, each with all threads.
        at_once_seconds: seconds all at once, with the threads divided among them.
    """

    trainings: int
    in_sequence_seconds: float
    at_once_seconds: float


def measure_sharing(
    method: str,
    settings: Mapping[str, Any],
    size: FrameSize,
    training: Sequence[Excerpt],
    trainings: int,
    threads: int,
) -> SharingSpeed:
    """Train a method several times in sequence and at once; starting the processes is not timed.

    Args:
        method: name of the method's module.
        settings: its hyper-parameters; every phase is cut to one epoch.
        size: size of the frames.
        training: normal video.
        trainings: number of trainings.
        threads: number of threads in all.
    """
    short = {
        key: {**value, "epochs": min(1, value["epochs"])}
        if isinstance(value, dict) and "epochs" in value
        else value
        for key, value in settings.items()
    }
    seconds = partial(_train_once, method, short, size, training)
    with ProcessPoolExecutor(trainings, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_import_all, range(4 * trainings)))
        in_sequence = sum(pool.submit(seconds, threads).result() for _ in range(trainings))
        started = time.perf_counter()
        list(pool.map(seconds, [max(1, threads // trainings)] * trainings))
        return SharingSpeed(trainings, in_sequence, time.perf_counter() - started)


def _import_all(_: int) -> None:
    """Keep a process busy for a moment, so that every process of the pool starts and imports this module."""
    time.sleep(0.5)


def _train_once(
    method: str, settings: Mapping[str, Any], size: FrameSize, training: Sequence[Excerpt], threads: int
) -> float:
    """Train once and return the seconds it took."""
    torch.set_num_threads(threads)
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        request = TrainingRequest(training, [], Path(folder), seed=0)
        train(build_method(method, settings, size), request, Resources(device="cpu"))
    return time.perf_counter() - started


def _push_all(stream: Stream, video: np.ndarray) -> tuple[list[float], list[float]]:
    """Score a video frame by frame and return its scores and the seconds that each frame took."""
    scores, seconds = [], []
    for frame in video:
        started = time.perf_counter()
        score = stream.push(frame)
        seconds.append(time.perf_counter() - started)
        if score is not None:
            scores.append(score.signals[stream.signals[0]])
    return scores, seconds
