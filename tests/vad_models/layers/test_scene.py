"""Background, foreground, and frames that are held steady."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vad_models.layers.scene import Scene, grey
from vad_models.layers.shift import ShiftEstimator
from vad_models.settings import FrameSize

SIZE = FrameSize(96, 128, 1)


def ground() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(30, 220, (12, 16), dtype=np.uint8)
    return cv2.resize(coarse, (128, 96), interpolation=cv2.INTER_CUBIC)


def with_somebody(left: int) -> np.ndarray:
    frame = ground()
    frame[40:60, left : left + 8] = 250
    return frame


def moved(image: np.ndarray, down: float, right: float) -> np.ndarray:
    step = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(image, step, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture(scope="module")
def scene() -> Scene:
    fitted = Scene(SIZE)
    fitted.fit([np.stack([with_somebody(8 * step) for step in range(14)])[..., None]])
    return fitted


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -2), (-4.5, 1.5), (0, 6)])
def test_a_shift_is_found_to_less_than_a_pixel(down: float, right: float) -> None:
    found = ShiftEstimator(96, 128)(moved(with_somebody(50), down, right), ground().astype(np.float32))
    np.testing.assert_allclose(found, (down, right), atol=0.6)


def test_the_background_is_what_stands_behind_everybody(scene: Scene) -> None:
    expected = cv2.GaussianBlur(ground(), (5, 5), 0)
    assert np.abs(scene.background.numpy() - expected).max() <= 1


def test_the_foreground_is_who_stands_there(scene: Scene) -> None:
    foreground = scene.foreground(scene.steadied(with_somebody(60)))
    truth = np.zeros((96, 128), bool)
    truth[40:60, 60:68] = True
    found = foreground > 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.6


def test_a_frame_of_a_quiet_camera_is_left_as_it_is(scene: Scene) -> None:
    frame = with_somebody(60)
    assert np.array_equal(scene.steadied(frame), frame)


@pytest.mark.parametrize(("contrast", "brightness"), [(0.5, 0), (1.0, 30), (0.7, -10)])
def test_light_is_taken_off(scene: Scene, contrast: float, brightness: float) -> None:
    frame = with_somebody(60)
    dimmed = np.clip(contrast * frame + brightness, 0, 255).astype(np.uint8)
    assert np.abs(scene.steadied(dimmed).astype(float) - frame)[:30].mean() < 4
    assert np.abs(dimmed.astype(float) - frame)[:30].mean() > 15


def test_grey_is_luma() -> None:
    colour = torch.tensor([1.0, 0.5, 0.0])[None, :, None, None].expand(1, 3, 2, 2)
    assert grey(colour)[0, 0, 0] == round(255 * (0.299 + 0.587 / 2))
    assert grey(torch.full((1, 1, 2, 2), 0.5))[0, 0, 0] == 128
