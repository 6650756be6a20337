"""The benchmarks count what they claim to count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.footage import SIZE, blobs
from tests.vad_models.methods.test_contract import excerpt, short_settings
from vad_models.errors import DataError
from vad_models.methods import build_method
from vad_models.speed import measure_sharing, measure_streaming


def test_every_frame_is_timed_and_compared_with_batch_scoring() -> None:
    method = build_method("conv_ae", short_settings("conv_ae"), SIZE)
    speed = measure_streaming(method, [blobs(30, 0), blobs(25, 1)])
    assert speed.frames == 55
    assert 0 < speed.p50_ms <= speed.p95_ms <= speed.p99_ms
    assert speed.largest_difference <= 1e-5 * max(1.0, speed.largest_score)


def test_too_short_video_is_refused() -> None:
    method = build_method("conv_ae", short_settings("conv_ae"), SIZE)
    with pytest.raises(DataError, match="no video has the 10 frames that conv_ae needs"):
        measure_streaming(method, [blobs(5, 0)])


@pytest.mark.slow
def test_trainings_in_sequence_and_at_once_are_timed(tmp_path: Path) -> None:
    videos = [excerpt(tmp_path, "v", blobs(40, 0))]
    speed = measure_sharing("conv_ae", short_settings("conv_ae", 5), SIZE, videos, trainings=2, threads=2)
    assert speed.trainings == 2
    assert 0 < speed.at_once_seconds < 60 and 0 < speed.in_sequence_seconds < 60
