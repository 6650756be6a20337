"""The background is the mean of all frames, however long their videos are."""

from __future__ import annotations

import numpy as np

from tests.footage import blobs
from vad_models.layers.background import mean_frame


def test_every_frame_counts_the_same() -> None:
    videos = [blobs(10, 0), blobs(5, 1)]
    found = mean_frame(iter(videos))
    assert found.shape == (1, 32, 48)
    assert np.allclose(found.movedim(0, -1).numpy(), np.concatenate(videos).mean(0) / 255, atol=1e-6)
