"""What happens on the campus."""

from __future__ import annotations

from collections import Counter

import pytest

from vad_models.data.synth.campus.anomalies import KINDS
from vad_models.data.synth.campus.cameras import CAMERAS
from vad_models.data.synth.campus.script import Video, script, videos_of


def test_there_are_thirteen_cameras_and_each_has_a_one_way_walk() -> None:
    assert len(CAMERAS) == 13
    assert len({camera.name for camera in CAMERAS}) == 13
    assert all(any(way.one_way for way in camera.walkways) for camera in CAMERAS)


def test_kinds_are_of_each_nature() -> None:
    assert len(KINDS) >= 8
    assert Counter(nature for nature, _ in KINDS.values()) == {"appearance": 4, "motion": 6, "both": 2}


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("first", [1, 3, 11])
def test_a_pair_of_cameras_shows_every_kind(seed: int, first: int) -> None:
    shown = [
        kind for camera in (first, first + 1) for video in videos_of(seed, camera) for kind in video.anomalies
    ]
    assert sorted(shown) == sorted(KINDS)


def test_training_is_normal_and_one_test_video_of_a_camera_too() -> None:
    for video in videos_of(7, 1):
        abnormal = any(actor.kind for actor in script(video).actors)
        assert abnormal == (video.split == "test" and video.number != 3)


def test_lengths_are_as_documented() -> None:
    videos = [video for camera in range(1, 14) for video in videos_of(7, camera)]
    assert all(150 <= video.frames <= 180 for video in videos if video.split == "train")
    assert all(108 <= video.frames <= 129 for video in videos if video.split == "test")
    assert len({video.name for video in videos}) == len(videos) == 13 * 11


def test_names_are_shanghaitechs() -> None:
    assert Video(7, 3, "train", 2).name == "03_002"
    assert Video(7, 12, "test", 5).name == "12_0005"
