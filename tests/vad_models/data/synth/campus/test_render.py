"""The pictures of the campus."""

from __future__ import annotations

import hashlib
from itertools import islice, pairwise

import numpy as np
import pytest

from vad_models.data.synth.campus.anomalies import KINDS
from vad_models.data.synth.campus.render import Picture, render
from vad_models.data.synth.campus.script import Video, videos_of
from vad_models.data.synth.campus.view import HEIGHT, WIDTH, View
from vad_models.data.synth.campus.writer import encode_jpeg

# SHA-256 of frames of camera 1, seed 7. After an intended change to the drawing, change this, `_VERSION` in writer.py,
# and data.dvc.
PINNED = "5e54717ff5daaf1aa2ca34bb0c503336c4f6df6d2fd1c3ef7eadf187a9537334"


@pytest.fixture(scope="module")
def first_pictures() -> list[Picture]:
    return list(islice(render(Video(7, 1, "train", 1)), 4))


def test_pictures_are_pinned_to_the_byte(first_pictures: list[Picture]) -> None:
    digest = hashlib.sha256()
    for picture in first_pictures:
        digest.update(picture.frame.tobytes())
        digest.update(encode_jpeg(picture.frame))
    assert digest.hexdigest() == PINNED


def test_pictures_have_texture_noise_and_no_anomaly_in_training(first_pictures: list[Picture]) -> None:
    for picture, following in pairwise(first_pictures):
        assert (picture.frame.shape, picture.frame.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        assert picture.frame.std() > 20
        assert 0.5 < np.abs(picture.frame.astype(int) - following.frame).mean() < 6
        assert not picture.sightings
        assert not picture.mask.any()


@pytest.mark.slow
def test_every_kind_comes_into_sight_for_at_least_half_a_second() -> None:
    seen = dict.fromkeys(KINDS, 0)
    for video in (video for camera in (1, 2) for video in videos_of(7, camera)):
        if video.anomalies:
            for picture in render(video):
                assert set(picture.sightings) <= set(video.anomalies)
                for kind, mask in picture.sightings.items():
                    assert mask.sum() >= 12
                    seen[kind] += 1
    assert min(seen.values()) >= 12, seen


def test_people_shrink_with_distance_and_stand_above_their_feet() -> None:
    view = View(mast=5.0, tilt=0.33, focal=400)
    heights = []
    for away in (10.0, 20.0, 40.0):
        column, foot, _ = view.project((0.0, away, 0.0))
        _, head, _ = view.project((0.0, away, 1.7))
        assert column == WIDTH / 2
        heights.append(foot - head)
    assert heights[0] > 1.6 * heights[1] > 2.6 * heights[2] > 0


def test_rays_undo_the_projection() -> None:
    view = View(mast=5.0, tilt=0.33, focal=400)
    x, y, z = (axis[200, 100] for axis in view.rays(1))
    away = -view.mast / z
    column, row, depth = view.project((x * away, y * away, 0.0))
    assert (column, row, depth) == pytest.approx((100, 200, away), abs=1e-6)
