"""How fast a trained method scores a camera as its frames arrive, and whether it says what batch scoring says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vad_models.contract import Method
from vad_models.errors import DataError
from vad_models.scoring import score_video
from vad_models.streaming import Stream

__all__ = ["StreamingSpeed", "measure_streaming"]

_WARM_UP = 30
"""Frames pushed before the clock starts, beyond the first window."""


@dataclass(frozen=True)
class StreamingSpeed:
    """Speed of the headline signal, one frame at a time.

    Attributes:
        frames: frames that were timed; warm-up is not.
        frames_per_second: of all of them together.
        p50_ms, p95_ms, p99_ms: milliseconds from a frame to its score.
        largest_difference: largest absolute difference from the scores of batch scoring.
        largest_score: largest absolute score, for the difference to be compared with.
    """

    frames: int
    frames_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    largest_difference: float
    largest_score: float


def measure_streaming(method: Method, videos: Sequence[np.ndarray]) -> StreamingSpeed:
    """Push every frame of `videos`, uint8 (T, H, W, C), from where they are (the frame store), one at a time.

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


def _push_all(stream: Stream, video: np.ndarray) -> tuple[list[float], list[float]]:
    """Scores of a video's frames, and the seconds that each push took."""
    scores, seconds = [], []
    for frame in video:
        started = time.perf_counter()
        score = stream.push(frame)
        seconds.append(time.perf_counter() - started)
        if score is not None:
            scores.append(score.signals[stream.signals[0]])
    return scores, seconds
