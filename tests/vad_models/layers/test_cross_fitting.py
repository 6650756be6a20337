"""Folds, and that a fold's scores do not know the fold."""

from __future__ import annotations

import numpy as np

from vad_models.layers.cross_fitting import CrossFit, VideoWindows, folds_of

NEAR = np.eye(4, dtype=bool)
FIT = CrossFit(NEAR, radius=0.25, limit=1000, cost=0.1, prior=10.0, highest=2)


def video(seed: int, mean: float = 0.0) -> VideoWindows:
    rng = np.random.default_rng(seed)
    time, region = (part.ravel() for part in np.indices((30, 4)))
    vectors = (mean + rng.normal(1, 0.2, (120, 3))).astype(np.float32)
    return VideoWindows(time, region, vectors, rng.random((30, 4), np.float32))


def test_whole_videos_share_a_fold_and_a_few_are_cut() -> None:
    many = folds_of([10] * 8, 4, 3, np.random.default_rng(0))
    assert all(len(set(fold)) == 1 and fold[0] >= 0 for fold in many)
    assert sorted(fold[0] for fold in many) == [0, 0, 1, 1, 2, 2, 3, 3]
    (alone,) = folds_of([40], 4, 3, np.random.default_rng(0))
    assert set(alone) == {-1, 0, 1, 2, 3}
    assert [int((alone == fold).sum()) for fold in range(-1, 4)].count(7) == 3
    assert (alone == -1).sum() == 9


def test_a_fold_is_scored_by_what_the_others_made() -> None:
    odd = 4
    videos = [video(seed, 2.0 if seed == odd else 0.0) for seed in range(6)]
    rng = np.random.default_rng(0)
    folds = folds_of([30] * 6, 6, 3, rng)
    fitted = FIT(videos, folds, rng)
    number = np.repeat(np.arange(6), 120)
    others = [np.median(fitted.distances[number == one]) for one in range(6) if one != odd]
    assert np.median(fitted.distances[number == odd]) > 3 * max(others)
    assert len(fitted.motion) == len(fitted.change) == 180
    fold = int(folds[odd][0])
    scores = fitted.motion.reshape(6, 30)
    assert scores[fold].min() > np.delete(scores, fold, axis=0).max()


def test_every_window_is_within_the_radius_of_an_exemplar_of_its_place() -> None:
    videos = [video(seed) for seed in range(3)]
    rng = np.random.default_rng(0)
    fitted = FIT(videos, folds_of([30] * 3, 3, 3, rng), rng)
    vectors = np.concatenate([one.vectors for one in videos]) / fitted.scale
    region = np.concatenate([one.region for one in videos])
    for place in range(4):
        own = fitted.exemplars[region[fitted.exemplars] == place]
        apart = np.linalg.norm(vectors[region == place][:, None] - vectors[own][None], axis=-1)
        assert apart.min(1).max() <= 0.25 + 1e-5
    assert fitted.everywhere.any()
    assert not fitted.everywhere.all()
