"""Localisation: does a detector point at the anomaly, not only at the frame?

- **Pixel-level AUC** (Mahadevan et al. 2010): an abnormal frame counts as detected where at least 40 % of its abnormal
  pixels are above the threshold, a normal frame as a false positive where any pixel is.
- **RBDC and TBDC** (Ramachandra and Jones, Street Scene, 2020, section 4): regions are the bounding boxes of the
  8-connected components of a mask, or of a map above a threshold. A true region is detected where its intersection over
  union with some found region is at least 0.1, a track where at least 10 % of its regions are. A found region that fits
  no true one is a false positive. The criterion is the area under the share of detected regions (tracks) against false
  positives per frame, from 0 to 1 false positive per frame.

Masks name no tracks, so tracks are read from them: a component goes on with the track of the component in the frame
before that its box overlaps most, each track at most once; what is left begins a track.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

__all__ = ["Localisation", "LocatedVideo", "boxes_of", "localisation", "overlaps", "pixel_auc", "tracks_of"]

PIXELS = 0.4
"""Share of a frame's abnormal pixels that must be found."""

REGION_OVERLAP = 0.1
"""Intersection over union from which a region counts as detected (beta in the paper)."""

TRACK_SHARE = 0.1
"""Share of its regions from which a track counts as detected (alpha in the paper)."""

_THRESHOLDS = 100
"""Points of the curves."""


@dataclass(frozen=True)
class LocatedVideo:
    """The error maps of a video's scored frames, and the truth.

    Attributes:
        maps: (T, h, w) float, higher = more abnormal; resized to the masks.
        masks: (T, H, W) bool, True = abnormal.
    """

    maps: np.ndarray
    masks: np.ndarray

    def __post_init__(self) -> None:
        if len(self.maps) != len(self.masks):
            raise ValueError(
                f"{len(self.maps)} maps cannot belong to {len(self.masks)} masks: give one per frame"
            )

    def resized_maps(self) -> np.ndarray:
        """The maps at the size of the masks, float32 (T, H, W), by bilinear interpolation."""
        height, width = self.masks.shape[1:]
        if self.maps.shape[1:] == (height, width):
            return self.maps.astype(np.float32, copy=False)
        return np.stack(
            [
                cv2.resize(np.asarray(one, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
                for one in self.maps
            ]
        )


@dataclass(frozen=True)
class Localisation:
    """Localisation metrics of a signal. NaN if there is nothing to find or, for `pixel_auc`, no normal frame.

    Attributes:
        pixel_auc: pixel-level AUC, in [0, 1].
        rbdc: region-based detection criterion, in [0, 1].
        tbdc: track-based detection criterion, in [0, 1].
        regions, tracks: true ones.
    """

    pixel_auc: float
    rbdc: float
    tbdc: float
    regions: int
    tracks: int


def localisation(videos: Iterable[LocatedVideo]) -> Localisation:
    """Measure all videos together, under one threshold for all."""
    located = [(video.resized_maps(), video.masks) for video in videos]
    truth, tracks = _true_regions([masks for _, masks in located])
    if not tracks:
        return Localisation(float("nan"), float("nan"), float("nan"), 0, 0)
    maps = np.concatenate([maps for maps, _ in located])
    masks = np.concatenate([masks for _, masks in located])
    detected, tracked, false = _curves(maps, truth, tracks)
    return Localisation(
        pixel_auc(maps, masks),
        _area(false, detected),
        _area(false, tracked),
        sum(map(len, truth)),
        len(tracks),
    )


def pixel_auc(maps: np.ndarray, masks: np.ndarray) -> float:
    """Pixel-level AUC of maps (T, H, W) against masks (T, H, W); NaN unless there are frames of both kinds.

    A frame is above a threshold exactly as long as one number of it is: its largest pixel where it is normal; where it
    is abnormal, the value that 40 % of its abnormal pixels reach.
    """
    abnormal = masks.any(axis=(1, 2))
    if abnormal.all() or not abnormal.any():
        return float("nan")
    reached = [
        _reached(one[mask]) if mask.any() else one.max() for one, mask in zip(maps, masks, strict=True)
    ]
    return float(roc_auc_score(abnormal, reached))


def _reached(values: np.ndarray) -> float:
    """The largest value that at least 40 % of `values` reach."""
    wanted = int(np.ceil(PIXELS * len(values)))
    return float(np.partition(values, len(values) - wanted)[len(values) - wanted])


def boxes_of(mask: np.ndarray) -> np.ndarray:
    """Bounding boxes of the 8-connected components of a mask, bool (H, W).

    Returns:
        int (n, 4): left, top, right and bottom, the last two exclusive.
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    left, top, width, height = stats[1:count, :4].T
    return np.stack([left, top, left + width, top + height], axis=1)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of every box (n, 4) with every other (m, 4): float (n, m) in [0, 1]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(one[:, 2:] - one[:, :2]).prod(axis=1) for one in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / union)


def tracks_of(regions: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Number the regions of one video by the track that each belongs to.

    Args:
        regions: boxes of each frame, (n, 4).

    Returns:
        For each frame int (n,), counted from 0 in the order in which tracks begin.
    """
    numbers: list[np.ndarray] = []
    begun = 0
    before, before_numbers = np.empty((0, 4), int), np.empty(0, int)
    for boxes in regions:
        own = np.full(len(boxes), -1)
        shared = overlaps(boxes, before)
        for place in np.argsort(-shared, axis=None, kind="stable"):
            here, there = np.unravel_index(place, shared.shape)
            if shared[here, there] <= 0:
                break
            if own[here] < 0 and before_numbers[there] not in own:
                own[here] = before_numbers[there]
        new = own < 0
        own[new] = begun + np.arange(new.sum())
        begun += int(new.sum())
        numbers.append(own)
        before, before_numbers = boxes, own
    return numbers


def _true_regions(masks: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[list[tuple[int, int]]]]:
    """Boxes per frame of all videos in a row, and for each track its regions as (frame, index in the frame)."""
    truth: list[np.ndarray] = []
    tracks: list[list[tuple[int, int]]] = []
    for of_video in masks:
        regions = [boxes_of(mask) for mask in of_video]
        found: dict[int, list[tuple[int, int]]] = {}
        for frame, numbers in enumerate(tracks_of(regions), start=len(truth)):
            for index, number in enumerate(numbers):
                found.setdefault(int(number), []).append((frame, index))
        tracks += found.values()
        truth += regions
    return truth, tracks


def _curves(
    maps: np.ndarray, truth: Sequence[np.ndarray], tracks: Sequence[Sequence[tuple[int, int]]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of detected regions and tracks, and false positives per frame, at falling thresholds; (n,) each."""
    regions = sum(map(len, truth))
    points = []
    for threshold in _thresholds(maps):
        hits: list[np.ndarray] = []
        false = 0
        for one, boxes in zip(maps, truth, strict=True):
            found = boxes_of(one > threshold)
            fits = np.greater_equal(overlaps(boxes, found), REGION_OVERLAP)
            hits.append(fits.any(axis=1))
            false += int((~fits.any(axis=0)).sum())
        tracked = [np.mean([hits[frame][index] for frame, index in track]) >= TRACK_SHARE for track in tracks]
        points.append((sum(int(hit.sum()) for hit in hits) / regions, np.mean(tracked), false / len(maps)))
    detected, tracked_share, false_rate = np.array(points).T
    return detected, tracked_share, false_rate


def _thresholds(maps: np.ndarray) -> np.ndarray:
    """Falling thresholds: half of them where frames first show something, half among all pixels."""
    shares = np.linspace(1, 0, _THRESHOLDS // 2)
    levels = [np.quantile(maps.max(axis=(1, 2)), shares), np.quantile(maps[:, ::4, ::4], shares)]
    return np.unique(np.concatenate(levels))[::-1]


def _area(false: np.ndarray, detected: np.ndarray) -> float:
    """Area under the best share that can be had with at most so many false positives per frame, from 0 to 1.

    Regions merge as the threshold falls, so false positives do not only rise; an operator takes the best point. Between
    points the curve keeps the share of the point before, so that it promises nothing that was not measured.
    """
    order = np.lexsort((-detected, false))
    rate, best = false[order], np.maximum.accumulate(detected[order])
    within = rate <= 1
    edges = np.append(rate[within], 1.0)
    return float((np.diff(edges) * best[within]).sum())
