"""Exemplars and what is usual, from normal video; judged on normal video that made neither.

Normal video is parted into folds. A fold's windows are compared with the exemplars of the other folds, scaled by what
is usual there when the fold is left out as well: so scored, training video scores as new normal video would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vad_models.layers.exemplars import cover, nearest
from vad_models.layers.places import usual

__all__ = ["CrossFit", "Fitted", "VideoWindows", "folds_of", "highest_mean"]

_LOOSER = 1.25
"""Factor of the radius where there would be too many exemplars."""
_COARSER = 1.5
"""Times the radius: of the cover of exemplars that count everywhere."""
_DRAWN = 4000
"""Exemplars of a fold, drawn at random, that this cover is chosen from."""
_PAIRS = 2000
"""Pairs of windows that the usual distance between two is the median of."""
LEAST = -1.0
"""Deviation of a region where nothing happens, in spreads; none is taken for less."""


@dataclass(frozen=True)
class VideoWindows:
    """What training keeps of the windows of one video.

    Attributes:
        time, region: int64 (m,), of the active ones; the time is the window's index in the video.
        vectors: float32 (m, channels), of these.
        change: float32 (windows, regions), of all.
    """

    time: NDArray[np.int64]
    region: NDArray[np.int64]
    vectors: NDArray[np.float32]
    change: NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """What came of normal video.

    Attributes:
        scale: usual distance between two windows.
        exemplars: int64 (E,), rows of the concatenated active windows that were chosen.
        everywhere: bool (E,), which of them count in other places too.
        distances: float32 (n,), of each active window to the exemplars of other folds, in units of `scale`.
        region: int64 (n,), where.
        support: int64 (n,), active windows of other folds near there.
        motion, change: float32 (windows,), scores of all windows of all videos by what the others made.
    """

    scale: float
    exemplars: NDArray[np.int64]
    everywhere: NDArray[np.bool_]
    distances: NDArray[np.float32]
    region: NDArray[np.int64]
    support: NDArray[np.int64]
    motion: NDArray[np.float32]
    change: NDArray[np.float32]


def folds_of(
    lengths: Sequence[int], count: int, overlap: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The fold of each window of each video; -1 for those that reach into the fold before.

    Whole videos share a fold, drawn at random; where there are fewer videos than folds, each is cut in time.

    Args:
        lengths: windows of each video.
        count: folds.
        overlap: windows after a cut that hold frames from before it.
        rng: draws the order.
    """
    pieces = -(-count // len(lengths))
    order = rng.permutation(pieces * len(lengths)) % count
    folds = []
    for video, length in enumerate(lengths):
        piece = np.arange(length) * pieces // max(1, length)
        fold = order[video * pieces + piece]
        for cut in np.flatnonzero(np.diff(piece)) + 1:
            fold[cut : cut + overlap] = -1
        folds.append(fold)
    return folds


def highest_mean(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Mean of the `count` highest values of each row, (n, regions) -> (n,); none counts for less than `LEAST`."""
    count = min(count, values.shape[1])
    highest = np.sort(np.partition(values, -count, axis=1)[:, -count:], axis=1)
    return np.maximum(highest, LEAST).mean(1, dtype=np.float32)


@dataclass(frozen=True)
class CrossFit:
    """How exemplars and scores are made of normal video.

    Attributes:
        near: bool (regions, regions), whether examples and values of the second count in the first.
        radius: of the cover, in usual distances between two windows.
        limit: most exemplars; the radius grows until they are no more.
        cost: added to the distance from an example of another place.
        prior: values that the prior of what is usual at a place counts as.
        highest: regions that a frame's score is the mean of.
    """

    near: NDArray[np.bool_]
    radius: float
    limit: int
    cost: float
    prior: float
    highest: int

    def __call__(
        self,
        videos: Sequence[VideoWindows],
        folds: Sequence[NDArray[np.int64]],
        rng: np.random.Generator,
    ) -> Fitted:
        """Fit on videos, of which each window belongs to a fold (`folds_of`)."""
        rows = _Rows.of(videos, folds)
        count = 1 + max(int(fold.max(initial=0)) for fold in folds)
        scale = _usual_distance(rows.vectors, rng)
        rows.vectors /= scale
        chosen = self._exemplars(rows, rng)
        everywhere = self._everywhere(rows, chosen, count, rng)
        table = self._distances(rows, chosen, everywhere, count)
        table[np.arange(len(table)), rows.fold] = np.inf
        distances = table.min(1)
        seen_near = self._seen_near(rows, count)
        support = seen_near.sum(1)[rows.region] - seen_near[rows.region, rows.fold]
        motion, change = [], []
        for held in range(count):
            seen, held_rows = rows.fold != held, np.flatnonzero(rows.fold == held)
            without = np.delete(table[seen], held, axis=1).min(1)
            less = support[seen] - seen_near[rows.region[seen], held]
            middle, spread = usual(without, rows.region[seen], self.near, self.prior, less)
            places = rows.region[held_rows]
            deviations = (distances[held_rows] - middle[places]) / spread[places]
            motion.append(self._frames(rows, held_rows, deviations, folds, held))
            change.append(self._changes(videos, folds, held))
        return Fitted(
            scale,
            rows.kept[chosen],
            everywhere,
            distances,
            rows.region,
            support,
            np.concatenate(motion),
            np.concatenate(change),
        )

    def _exemplars(self, rows: _Rows, rng: np.random.Generator) -> NDArray[np.int64]:
        """Covers, one per fold and region, so that leaving a fold out leaves its exemplars out and no others."""
        groups = np.unique(np.stack([rows.fold, rows.region]), axis=1, return_inverse=True)[1].ravel()
        order = np.argsort(groups, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else []
        firsts = [int(rng.integers(len(member))) for member in members]
        radius = self.radius
        while True:
            chosen = [
                member[cover(rows.vectors[member], radius, first)]
                for member, first in zip(members, firsts, strict=True)
            ]
            if sum(map(len, chosen)) <= max(self.limit, len(members)):
                return np.sort(np.concatenate(chosen)) if chosen else order
            radius *= _LOOSER

    def _everywhere(
        self, rows: _Rows, chosen: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Which of the chosen count everywhere: a cover of each fold's exemplars, whatever their place."""
        chosen_everywhere = np.zeros(len(chosen), bool)
        for fold in range(count):
            own = np.flatnonzero(rows.fold[chosen] == fold)
            if len(own):
                drawn = rng.permutation(own)[:_DRAWN]
                chosen_everywhere[drawn[cover(rows.vectors[chosen[drawn]], _COARSER * self.radius, 0)]] = True
        return chosen_everywhere

    def _seen_near(self, rows: _Rows, count: int) -> NDArray[np.int64]:
        """Active windows of each fold near each region, (regions, folds)."""
        seen = np.zeros((len(self.near), count), np.int64)
        np.add.at(seen, (rows.region, rows.fold), 1)
        return self.near.astype(np.int64) @ seen

    def _distances(
        self, rows: _Rows, chosen: NDArray[np.int64], everywhere: NDArray[np.bool_], count: int
    ) -> NDArray[np.float32]:
        """Distances of all rows to the nearest exemplar of each fold, or to an empty place: (rows, folds)."""
        table = np.empty((len(rows.vectors), count), np.float32)
        for fold in range(count):
            mine = rows.fold[chosen] == fold
            own = chosen[mine]
            table[:, fold], _ = nearest(
                rows.vectors,
                rows.region,
                rows.vectors[own],
                rows.region[own],
                everywhere[mine],
                self.near,
                self.cost,
            )
        return table

    def _frames(
        self,
        rows: _Rows,
        held_rows: NDArray[np.int64],
        deviations: NDArray[np.float32],
        folds: Sequence[NDArray[np.int64]],
        held: int,
    ) -> NDArray[np.float32]:
        """Scores of a fold's windows from the deviations of its active rows."""
        scores = []
        for video, fold in enumerate(folds):
            times = np.flatnonzero(fold == held)
            own = rows.video[held_rows] == video
            values = np.full((len(times), len(self.near)), LEAST, np.float32)
            values[np.searchsorted(times, rows.time[held_rows][own]), rows.region[held_rows][own]] = (
                deviations[own]
            )
            scores.append(highest_mean(values, self.highest))
        return np.concatenate(scores)

    def _changes(
        self, videos: Sequence[VideoWindows], folds: Sequence[NDArray[np.int64]], held: int
    ) -> NDArray[np.float32]:
        """Scores of a fold's windows from the change in all regions."""
        pairs = list(zip(videos, folds, strict=True))
        others = np.concatenate([video.change[(fold >= 0) & (fold != held)] for video, fold in pairs])
        own = np.concatenate([video.change[fold == held] for video, fold in pairs])
        middle, spread = usual(*_flat(others), self.near, self.prior)
        return highest_mean((own - middle) / spread, self.highest)


@dataclass
class _Rows:
    """Active windows of all videos that belong to a fold, one row each; `kept`: which of all they are."""

    vectors: NDArray[np.float32]
    region: NDArray[np.int64]
    time: NDArray[np.int64]
    video: NDArray[np.int64]
    fold: NDArray[np.int64]
    kept: NDArray[np.int64]

    @classmethod
    def of(cls, videos: Sequence[VideoWindows], folds: Sequence[NDArray[np.int64]]) -> _Rows:
        fold = np.concatenate([one[video.time] for one, video in zip(folds, videos, strict=True)])
        number = np.repeat(np.arange(len(videos)), [len(video.time) for video in videos])
        kept = np.flatnonzero(fold >= 0)
        vectors, region, time = (
            np.concatenate([getattr(video, name) for video in videos])[kept]
            for name in ("vectors", "region", "time")
        )
        return cls(vectors, region, time, number[kept], fold[kept], kept)


def _flat(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Values (n, regions), and the region of each."""
    return values.ravel(), np.tile(np.arange(values.shape[1]), len(values))


def _usual_distance(vectors: NDArray[np.float32], rng: np.random.Generator) -> float:
    """Median distance between two windows drawn at random; 1 where there are none, or none differ."""
    if not len(vectors):
        return 1.0
    one, other = rng.integers(len(vectors), size=(2, _PAIRS))
    return float(np.median(np.linalg.norm(vectors[one] - vectors[other], axis=1))) or 1.0
