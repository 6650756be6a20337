"""Exemplars: where an example comes from, what a verdict changes, what camera shake and light do not."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
import torch

from vad_models.contract import Explains, Learns, as_frames
from vad_models.methods.exemplars import Exemplars, ExemplarsSettings
from vad_models.scoring import score_video
from vad_models.settings import FrameSize

SIZE = FrameSize(64, 96, 1)


def walkers(frames: int, seed: int, speed: float = 1.0) -> np.ndarray:
    """People-sized blocks on a smooth ground that walk sideways and turn around at the edges."""
    rng = np.random.default_rng(seed)
    ground = np.random.default_rng(0).integers(40, 110, (16, 24), dtype=np.uint8)
    video = cv2.resize(ground, (SIZE.width, SIZE.height), interpolation=cv2.INTER_CUBIC)[None].repeat(
        frames, 0
    )
    texture = rng.integers(150, 250, (10, 6), dtype=np.uint8)
    for _ in range(2):
        top, start = int(rng.integers(4, SIZE.height - 14)), rng.uniform(0, SIZE.width)
        for frame in range(frames):
            turn = SIZE.width - 6
            left = round(turn - abs((start + speed * frame) % (2 * turn) - turn))
            video[frame, top : top + 10, left : left + 6] = texture
    return video[..., None]


@cache
def trained(seed: int = 0) -> Exemplars:
    torch.manual_seed(seed)
    method = Exemplars(ExemplarsSettings(person=0.2), SIZE)
    method.fit_statistics([walkers(50, number) for number in range(4)])
    return method.eval()


def retrained() -> Exemplars:
    """One that a test may change."""
    method = Exemplars(ExemplarsSettings(person=0.2), SIZE)
    method.load_state_dict(trained().state_dict())
    return method.eval()


def test_what_moves_fast_surprises_in_both_experts_and_where_it_is() -> None:
    usual, fast = (score_video(trained(), walkers(40, 11, speed), maps=True) for speed in (1.0, 4.0))
    for signal in ("surprise", "motion", "change"):
        assert np.median(fast.signals[signal]) > np.quantile(usual.signals[signal], 0.9)
    assert fast.maps is not None
    brightest = np.unravel_index(int(fast.maps[0].argmax()), fast.maps[0].shape)
    frame = walkers(40, 11, 4.0)[fast.first, ..., 0]
    tile = trained().front.regions.tile
    top, left = (int(at) * tile for at in brightest)
    around = frame[max(0, top - 16) : top + 16, max(0, left - 16) : left + 16]
    assert around.max() > 150


def test_each_exemplar_is_what_its_origin_shows() -> None:
    method = trained()
    videos = [walkers(50, number) for number in range(4)]
    assert len(method.bank) > 10
    assert set(method.bank.origin[:, 0].tolist()) == {0, 1, 2, 3}
    for index in range(0, len(method.bank), 7):
        video, frame = method.bank.origin[index].tolist()
        top, left, bottom, right = method.front.regions.box(int(method.bank.region[index]))
        shown = videos[video][frame, top:bottom, left:right, 0]
        crop = method.bank.crop(index)
        assert np.array_equal(crop, cv2.resize(shown, crop.shape, interpolation=cv2.INTER_AREA))


def test_an_exemplar_scored_again_is_its_own_nearest_example() -> None:
    method = trained()
    assert isinstance(method, Explains)
    window = walkers(50, 2)[20:27]
    explained = method.explain(method.features(as_frames(window)))
    (one,) = explained
    assert one.distance <= method.settings.radius
    assert one.normal is not None
    assert one.normal.shape == one.now.shape == (24, 24)
    assert one.video is not None


def test_a_verdict_makes_the_frame_normal_and_taking_it_back_restores_every_score() -> None:
    method = retrained()
    assert isinstance(method, Learns)
    video = walkers(40, 11, 4.0)
    before = score_video(method, video).signals
    normal = np.quantile(score_video(method, walkers(40, 11)).signals["surprise"], 0.9)
    frame = 20
    assert before["surprise"][frame - 6] > normal
    assert method.learn(method.features(as_frames(video[: frame + 1]))) == method.version() == 1
    after = score_video(method, video).signals
    assert after["surprise"][frame - 6] < normal
    assert after["motion"][frame - 6] <= 0
    assert after["change"][frame - 6] <= 0
    assert method.learn(method.features(as_frames(video[: frame + 9]))) == 2
    method.unlearn(1)
    assert method.version() == 0
    for signal, values in score_video(method, video).signals.items():
        assert np.array_equal(values, before[signal])


def test_a_verdict_on_a_part_leaves_the_rest() -> None:
    method = retrained()
    features = method.features(as_frames(walkers(40, 11, 4.0)[:21]))
    before = len(method.bank)
    box = method.explain(features)[-1].box
    method.learn(features, box)
    added = method.bank.region[before:].tolist()
    assert added
    for region in added:
        top, left, bottom, right = method.front.regions.box(region)
        assert box[0] <= (top + bottom) / 2 < box[2]
        assert box[1] <= (left + right) / 2 < box[3]


def test_what_was_learned_is_saved() -> None:
    method = retrained()
    video = walkers(40, 11, 4.0)
    method.learn(method.features(as_frames(video[:21])))
    again = Exemplars(method.settings, SIZE)
    again.load_state_dict(method.state_dict())
    for signal, values in score_video(method, video).signals.items():
        assert np.array_equal(values, score_video(again.eval(), video).signals[signal])


@pytest.mark.parametrize("change", ["shake", "light"])
def test_shake_and_light_are_taken_off(change: str) -> None:
    method, video = trained(), walkers(40, 12)
    changed = []
    for number, frame in enumerate(video[..., 0]):
        if change == "shake":
            moved = np.array([[1, 0, 2 * (-1) ** number], [0, 1, 0]], np.float32)
            changed.append(cv2.warpAffine(frame, moved, frame.shape[::-1], borderMode=cv2.BORDER_REPLICATE))
        else:
            changed.append((0.6 * frame + 5 * (number % 3)).astype(np.uint8))
    clean = score_video(method, video).signals["surprise"]
    found = score_video(method, np.stack(changed)[..., None]).signals["surprise"]
    fast = score_video(method, walkers(40, 12, 4.0)).signals["surprise"]
    assert np.median(found) < (np.median(clean) + np.median(fast)) / 2


def test_a_camera_that_saw_nothing_move_scores_without_exemplars() -> None:
    still = np.random.default_rng(0).integers(0, 255, (1, *SIZE), dtype=np.uint8).repeat(30, 0)
    method = Exemplars(ExemplarsSettings(), SIZE)
    method.fit_statistics([still])
    assert len(method.bank) == 0
    scores = score_video(method.eval(), walkers(20, 0)).signals
    assert all(np.isfinite(values).all() for values in scores.values())
    assert scores["surprise"].max() > score_video(method, still).signals["surprise"].max()
