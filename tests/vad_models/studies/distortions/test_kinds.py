"""The two kinds of distortion: how they are registered, seeded, and applied in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vad_models.studies.distortions.test_distortions import footage
from vad_models.studies.distortions import DISTORTIONS, distort, kinds
from vad_models.studies.distortions.kinds import SEVERITIES, Moment, delivery, distortion, in_blocks


@pytest.fixture
def registered() -> Iterator[dict[str, kinds.Distortion]]:
    """The distortions, which are afterwards what they were before."""
    before = dict(DISTORTIONS)
    yield DISTORTIONS
    DISTORTIONS.clear()
    DISTORTIONS.update(before)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_the_same_video_and_seed_give_the_same_frames_in_any_blocks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = distort(footage(), name, 3, "a", seed=1)
    monkeypatch.setattr(kinds, "_BLOCK", 7)
    in_small_blocks = distort(footage(), name, 3, "a", seed=1)
    assert np.abs(once.astype(int) - in_small_blocks).max() <= 1  # rounding of the last bit


def test_a_function_is_registered_under_its_name_and_stays_what_it_is(registered: dict) -> None:
    def halved(frames: Tensor, severity: int, moment: Moment) -> Tensor:
        return frames / (1 + severity)

    assert distortion(halved) is halved
    video = np.full((2, 3, 4, 1), 90, np.uint8)
    assert set(registered["halved"].apply(video, 2, "a", 0, "cpu").ravel()) == {30}
    assert registered["halved"].code == (halved, in_blocks)


def test_a_delivery_says_which_frame_is_seen(registered: dict) -> None:
    def backwards(count: int, severity: int, moment: Moment) -> np.ndarray:
        assert (moment.video, moment.first, moment.seed) == ("a", 0, 7)
        return np.arange(count)[::-1]

    assert delivery(backwards) is backwards
    video = np.arange(4, dtype=np.uint8)[:, None, None, None]
    assert registered["backwards"].apply(video, 1, "a", 7, "cpu").ravel().tolist() == [3, 2, 1, 0]
    assert registered["backwards"].code == (backwards,)


def test_blocks_know_where_they_stand_and_what_leaves_0_to_1_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_BLOCK", 4)
    moments: list[tuple[int, int]] = []

    def brighter(frames: Tensor, moment: Moment) -> Tensor:
        moments.append((moment.first, len(frames)))
        assert frames.shape[1:] == (3, 2, 5) and frames.dtype == torch.float32
        return frames * 2 - 0.5

    video = np.zeros((10, 2, 5, 3), np.uint8)
    video[:, 0], video[:, 1] = 255, 100
    before = video.copy()
    out = in_blocks(video, brighter, "a", 0, "cpu")
    assert moments == [(0, 4), (4, 4), (8, 2)]
    assert set(out[:, 0].ravel()) == {255}
    assert set(out[:, 1].ravel()) == {round(200 - 127.5)}
    assert np.array_equal(video, before)


def test_random_numbers_follow_video_seed_and_purpose_and_not_the_block() -> None:
    def drawn(moment: Moment, *what: object) -> float:
        return float(torch.rand((), generator=moment.generator(*what)))

    one = drawn(Moment("a", 0, 1), "rain")
    assert drawn(Moment("a", 64, 1), "rain") == one
    others = {
        drawn(Moment("b", 0, 1), "rain"),
        drawn(Moment("a", 0, 2), "rain"),
        drawn(Moment("a", 0, 1), "snow"),
        drawn(Moment("a", 0, 1), "rain", 3),
    }
    assert len(others | {one}) == 5


def test_frames_are_numbered_in_their_video() -> None:
    assert Moment("a", 64, 0).times(torch.zeros(3, 1, 2, 2)).tolist() == [64.0, 65.0, 66.0]


def test_severities_are_mild_to_severe() -> None:
    assert SEVERITIES == (1, 2, 3, 4, 5)
