from __future__ import annotations

import numpy as np
import pytest

from tests.vad_models.evaluation.pasting.streets import busy_street
from vad_models.evaluation.pasting import Scene, scene


@pytest.fixture(scope="session", params=[1, 3], ids=["grey", "colour"])
def channels(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="session")
def video(channels: int) -> np.ndarray:
    """Held out."""
    return busy_street(99, channels=channels)


@pytest.fixture(scope="session")
def seen(channels: int) -> Scene:
    """What the other videos of the same camera show."""
    return scene([busy_street(seed, channels=channels) for seed in range(6)])
