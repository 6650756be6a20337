"""The pyramid of 21 vectors: which cells each is the maximum of, and frames of any kind."""

from __future__ import annotations

import pytest
import torch

from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.settings import FrameSize

SETTINGS = BackboneSettings(stage=3)


def test_a_vector_is_the_maximum_over_its_region() -> None:
    pyramid = PyramidFeatures(SETTINGS, FrameSize(64, 96, 3))
    frames = torch.rand(2, 3, 64, 96)
    features = pyramid.backbone(frames)
    assert features.shape == (2, 40, 8, 12)
    found = pyramid(frames)
    assert found.shape == (2, 21, pyramid.channels)
    assert torch.allclose(found[:, 0], features.amax((2, 3)), atol=1e-5)
    index = 1
    for side in (2, 4):
        height, width = 8 // side, 12 // side
        for row in range(side):
            for column in range(side):
                region = features[
                    ..., row * height : (row + 1) * height, column * width : (column + 1) * width
                ]
                assert torch.allclose(found[:, index], region.amax((2, 3)), atol=1e-5)
                index += 1


def test_grey_frames_are_repeated() -> None:
    grey = torch.rand(1, 1, 64, 64)
    alone = PyramidFeatures(SETTINGS, FrameSize(64, 64, 1))(grey)
    assert torch.allclose(
        alone, PyramidFeatures(SETTINGS, FrameSize(64, 64, 3))(grey.expand(-1, 3, -1, -1)), atol=1e-5
    )


@pytest.mark.parametrize(("stage", "factor"), [(3, 1), (5, 2), (8, 4)])
def test_small_frames_are_enlarged_until_there_are_four_by_four_cells(stage: int, factor: int) -> None:
    pyramid = PyramidFeatures(BackboneSettings(stage=stage), FrameSize(32, 48, 1))
    assert pyramid.upscale == factor
    found = pyramid(torch.rand(2, 1, 32, 48))
    assert found.shape == (2, 21, pyramid.channels)
    # Cells of their own, none read twice.
    assert len({tuple(vector) for vector in found[0, 5:].tolist()}) == 16


def test_a_frame_does_not_depend_on_its_neighbours() -> None:
    pyramid = PyramidFeatures(SETTINGS, FrameSize(32, 48, 1))
    frames = torch.rand(5, 1, 32, 48)
    whole = pyramid(frames)
    for index in range(5):
        assert torch.equal(pyramid(frames[index : index + 1])[0], whole[index])


def test_its_key_names_all_that_features_depend_on() -> None:
    size = FrameSize(64, 96, 1)
    keys = {
        PyramidFeatures(settings, at).key
        for settings, at in (
            (SETTINGS, size),
            (BackboneSettings(stage=4), size),
            (BackboneSettings(stage=3, upscale=2), size),
            (SETTINGS, FrameSize(96, 64, 1)),
        )
    }
    assert len(keys) == 4
    assert "efficientnet_lite0-579344248a93-stage3-64x96x1-upscale1-max" in keys
