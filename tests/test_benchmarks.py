"""The streaming benchmark counts what it says it counts."""

from __future__ import annotations

import pytest

from tests.footage import SIZE, blobs
from tests.methods.test_contract import short_settings
from vad_models.benchmarks import measure_streaming
from vad_models.errors import DataError
from vad_models.methods import build_method


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
