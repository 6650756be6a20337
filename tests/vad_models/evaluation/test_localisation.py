"""Localisation against a brute-force statement of its definitions, and on cases whose answer is plain."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from vad_models.evaluation.localisation import (
    LocatedVideo,
    _thresholds,
    boxes_of,
    localisation,
    overlaps,
    pixel_auc,
    tracks_of,
)

SIZE = (12, 16)


def square(frames: int, places: dict[int, list[tuple[int, int]]], side: int = 4) -> np.ndarray:
    """Masks with squares whose upper left corners are at `places[frame]`, as (row, column)."""
    masks = np.zeros((frames, *SIZE), bool)
    for frame, corners in places.items():
        for row, column in corners:
            masks[frame, row : row + side, column : column + side] = True
    return masks


@pytest.fixture
def moving() -> np.ndarray:
    """Six frames; a square walks through the last four, another stands in the last two."""
    return square(6, {2: [(1, 1)], 3: [(1, 2)], 4: [(1, 3), (7, 11)], 5: [(1, 4), (7, 11)]})


def test_the_truth_itself_localises_perfectly(moving: np.ndarray) -> None:
    found = localisation([LocatedVideo(moving.astype(np.float32), moving)])
    assert (found.pixel_auc, found.rbdc, found.tbdc) == (1.0, 1.0, 1.0)
    assert (found.regions, found.tracks) == (6, 2)


def test_the_right_frame_and_the_wrong_place_localise_nothing(moving: np.ndarray) -> None:
    elsewhere = np.zeros(moving.shape, np.float32)
    elsewhere[2:, 9:11, 1:3] = 1
    found = localisation([LocatedVideo(elsewhere, moving)])
    assert found.pixel_auc == pytest.approx(
        0.5
    )  # 40 % of the abnormal pixels only where all pixels are above
    assert found.rbdc == found.tbdc == 0


def test_one_part_in_ten_of_a_track_is_enough(moving: np.ndarray) -> None:
    late = moving.astype(np.float32)
    late[2:5] = 0
    found = localisation([LocatedVideo(late, moving)])
    assert found.tbdc == 1
    assert found.rbdc == pytest.approx(2 / 6)


def test_a_false_region_per_frame_is_where_the_curve_ends() -> None:
    masks = square(2, {0: [(0, 0)], 1: [(0, 0)]})
    maps = masks.astype(np.float32) * 0.5
    maps[:, 8:10, 8:10] = 1.0  # a false positive in each frame before the truth is reached
    assert localisation([LocatedVideo(maps, masks)]).rbdc == 0
    maps[1, 8:10, 8:10] = 0
    assert localisation([LocatedVideo(maps, masks)]).rbdc == pytest.approx(0.5)


def test_maps_are_resized_to_the_masks(moving: np.ndarray) -> None:
    coarse = moving.astype(np.float32).reshape(6, SIZE[0] // 2, 2, SIZE[1] // 2, 2).mean(axis=(2, 4))
    found = localisation([LocatedVideo(coarse, moving)])
    assert found.rbdc > 0.9
    with pytest.raises(ValueError, match="5 maps cannot belong to 6 masks"):
        LocatedVideo(coarse[:5], moving)


def test_without_an_anomaly_there_is_nothing_to_measure() -> None:
    nothing = np.zeros((3, *SIZE), bool)
    found = localisation([LocatedVideo(np.random.default_rng(0).random((3, *SIZE)), nothing)])
    assert math.isnan(found.rbdc)
    assert math.isnan(pixel_auc(np.ones((3, *SIZE)), ~nothing))


def test_boxes_and_overlaps() -> None:
    mask = square(1, {0: [(1, 2)]})[0]
    mask[5, 6] = True  # touches a corner: one component
    mask[10, 15] = True
    assert boxes_of(mask).tolist() == [[2, 1, 7, 6], [15, 10, 16, 11]]
    assert overlaps(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [2, 0, 4, 2]])).tolist() == [[1 / 3, 0]]


def test_a_track_splits_once_and_ends_when_nothing_overlaps() -> None:
    one, left, right, far = [0, 0, 8, 4], [0, 0, 3, 4], [4, 0, 8, 4], [12, 8, 14, 10]
    frames = [np.array(boxes).reshape(-1, 4) for boxes in ([one], [left, right], [], [far], [far])]
    numbers = [found.tolist() for found in tracks_of(frames)]
    assert numbers == [[0], [1, 0], [], [2], [2]]


@pytest.mark.parametrize("seed", range(4))
def test_brute_force_says_the_same(seed: int, moving: np.ndarray) -> None:
    """Every definition by loops over pixels, frames and regions."""
    random = np.random.default_rng(seed)
    maps = (0.6 * random.random(moving.shape) + 0.5 * moving * random.random((6, 1, 1))).astype(np.float32)
    found = localisation([LocatedVideo(maps, moving)])

    truth = [components(mask) for mask in moving]
    points = []
    for threshold in _thresholds(maps):
        hits: dict[tuple[int, int], bool] = {}
        false = 0
        for frame, one in enumerate(maps):
            regions = components(one > threshold)
            for index, true in enumerate(truth[frame]):
                hits[frame, index] = any(iou(true, region) >= 0.1 for region in regions)
            false += sum(all(iou(true, region) < 0.1 for true in truth[frame]) for region in regions)
        tracks = {"walks": [(2, 0), (3, 0), (4, 0), (5, 0)], "stands": [(4, 1), (5, 1)]}
        tracked = [sum(hits[region] for region in track) / len(track) >= 0.1 for track in tracks.values()]
        points.append((false / 6, sum(hits.values()) / 6, sum(tracked) / 2))
    for column, value in ((1, found.rbdc), (2, found.tbdc)):
        rates = sorted({0.0, 1.0, *(point[0] for point in points if point[0] <= 1)})
        area = sum(
            (high - low) * max((point[column] for point in points if point[0] <= low), default=0)
            for low, high in itertools.pairwise(rates)
        )
        assert value == pytest.approx(area)

    levels = np.unique(maps)
    rates = []
    for level in [*levels[::-1], -1]:
        abnormal = [(maps[frame][moving[frame]] >= level).mean() >= 0.4 for frame in range(2, 6)]
        normal = [(maps[frame] >= level).any() for frame in range(2)]
        rates.append((np.mean(normal), np.mean(abnormal)))
    false_rate, true_rate = np.array([(0, 0), *rates]).T
    assert found.pixel_auc == pytest.approx(np.trapezoid(true_rate, false_rate))


def components(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Boxes of the 8-connected components by flood fill, in the order in which they are met."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)}
    boxes = []
    while left:
        region, todo = set(), [min(left)]
        while todo:
            pixel = todo.pop()
            if pixel in left:
                left.remove(pixel)
                region.add(pixel)
                todo += [(pixel[0] + down, pixel[1] + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        rows, columns = zip(*region, strict=True)
        boxes.append((min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return boxes


def iou(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    pixels = [
        {(row, column) for row in range(box[1], box[3]) for column in range(box[0], box[2])}
        for box in (one, other)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])
