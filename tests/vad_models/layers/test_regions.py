"""Regions and the height of a person."""

from __future__ import annotations

import numpy as np
import pytest

from vad_models.layers.regions import Regions, blobs, person_heights
from vad_models.settings import FrameSize

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [FrameSize(32, 48, 1), FrameSize(240, 360, 1), FrameSize(96, 168, 3)])
def test_every_pixel_is_in_a_region_and_boxes_are_inside_the_frame(size: FrameSize) -> None:
    regions = Regions(size)
    regions.fit(np.linspace(0.1, 0.3, size.height).astype(np.float32) * size.height)
    covered = np.zeros((size.height, size.width), bool)
    for region in range(len(regions)):
        top, left, bottom, right = regions.box(region)
        assert 0 <= top < bottom <= size.height
        assert 0 <= left < right <= size.width
        covered[top:bottom, left:right] = True
    assert covered.all()
    first, last = regions.box(0), regions.box(len(regions) - 1)
    assert last[2] - last[0] > first[2] - first[0]


def test_sums_of_regions_are_sums_of_their_tiles() -> None:
    regions = Regions(FrameSize(96, 128, 1))
    tiles = RNG.random((regions.tiles[0] * regions.tiles[1], 3), np.float32)
    top, left, bottom, right = regions.boxes[5]
    expected = tiles.reshape(*regions.tiles, 3)[top:bottom, left:right].sum((0, 1))
    np.testing.assert_allclose(regions.sums(tiles)[5], expected, rtol=1e-5)


def test_a_person_is_measured_although_some_are_seen_in_part() -> None:
    middles = RNG.uniform(60, 200, 300)
    heights = 10 + 0.2 * middles + RNG.normal(0, 1, 300)
    heights[:40] *= 0.3
    found = person_heights(list(zip(middles, heights, strict=True)), 240)
    np.testing.assert_allclose(found[[80, 130, 180]], [26, 36, 46], atol=2)
    assert found[0] == found[40]  # nobody was seen up there


def test_a_camera_that_saw_few_people_takes_the_usual_height() -> None:
    assert (person_heights([(50.0, 20.0)] * 5, 240) == 40).all()


def test_upright_blobs_are_found_and_groups_are_not() -> None:
    foreground = np.zeros((100, 200), np.float32)
    foreground[30:60, 20:32] = 1
    foreground[30:60, 80:160] = 1
    assert list(blobs(foreground)) == [(45.0, 30.0)]
