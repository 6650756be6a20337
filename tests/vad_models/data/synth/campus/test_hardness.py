"""The campus must be hard enough to mean something."""

from __future__ import annotations

import pytest

from vad_models.data.synth.campus.hardness import measure_hardness


@pytest.mark.slow
def test_frame_differencing_and_perfect_appearance_both_fall_short_on_the_demo() -> None:
    hardness = measure_hardness(cameras=3, seed=7, workers=2)
    assert 0.3 < hardness.abnormal < 0.6
    assert hardness.differencing < 0.80
    assert hardness.differencing_per_video < 0.80
    assert 0.6 < hardness.appearance < 0.92
