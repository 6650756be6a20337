"""Normality as examples, place by place (Ramachandra and Jones 2020; Singh, Jones and Learned-Miller 2023).

What normal video showed at a place is summed up by a cover: examples, such that everything seen is within a radius of
one. Something new is as unusual as it is far from the nearest example there or next to it. Each example remembers where
it came from.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vad_models.layers.resizable import Resizable

__all__ = ["NOWHERE", "ExemplarBank", "cover", "crop_of", "nearest"]

Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]

NOWHERE = -1
"""Nearest example of what is closest to nothing at all: an empty place."""
_BLOCK = 4096
"""Windows that are compared at once with what counts everywhere."""


class ExemplarBank(Resizable):
    """Examples of normality; how many is known only after training, and grows as verdicts come in.

    Args:
        channels: of an example's vector.
        crop: side, in pixels, of the picture that is kept of each.
    """

    scale: Tensor
    region: Tensor
    origin: Tensor
    version: Tensor
    change: Tensor
    everywhere: Tensor
    crops: Tensor

    def __init__(self, channels: int, crop: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(0, channels), requires_grad=False)
        """float32 (E, channels), in units of the usual distance between two windows."""
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("region", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("origin", torch.zeros(0, 2, dtype=torch.int64))
        self.register_buffer("version", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("change", torch.zeros(0))
        self.register_buffer("everywhere", torch.zeros(0, dtype=torch.bool))
        self.register_buffer("crops", torch.zeros(0, crop, crop, dtype=torch.uint8))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def newest(self) -> int:
        """Version of the examples: 0 after training, one more with each verdict."""
        return int(self.version.max()) if len(self) else 0

    def add(
        self,
        vectors: Vectors,
        region: Indices,
        origin: Indices,
        change: NDArray[np.float32],
        everywhere: NDArray[np.bool_],
        crops: NDArray[np.uint8],
        version: int,
    ) -> None:
        """Add n examples.

        Args:
            vectors: float32 (n, channels).
            region: int64 (n,).
            origin: int64 (n, 2), video and frame.
            change: float32 (n,).
            everywhere: bool (n,), whether they count, at a cost, in other places too.
            crops: uint8 (n, side, side).
            version: of all of them.
        """
        new = {
            "vectors": vectors / float(self.scale),
            "region": region,
            "origin": origin,
            "version": np.full(len(vectors), version),
            "change": change,
            "everywhere": everywhere,
            "crops": crops,
        }
        self._replace(
            {
                name: torch.cat([old, torch.from_numpy(new[name]).to(old)])
                for name, old in self._rows().items()
            }
        )

    def forget(self, version: int) -> None:
        """Take the examples of a version, and of those after it, out again; what is left is as it was to the bit."""
        kept = self.version < version
        self._replace({name: rows[kept] for name, rows in self._rows().items()})

    def nearest(
        self, vectors: Vectors, region: Indices, near: NDArray[np.bool_], cost: float
    ) -> tuple[NDArray[np.float32], Indices]:
        """Distance of windows, float32 (n, channels) in regions (n,), to the nearest example, and which it is.

        See the function `nearest`.
        """
        examples, places, everywhere = (
            rows.detach().cpu().numpy() for rows in (self.vectors, self.region, self.everywhere)
        )
        return nearest(vectors / float(self.scale), region, examples, places, everywhere, near, cost)

    def known(
        self,
        vectors: Vectors,
        region: Indices,
        change: NDArray[np.float32],
        near: NDArray[np.bool_],
        radius: float,
    ) -> NDArray[np.bool_]:
        """Which windows a verdict covers: one near, within `radius`, of something that changed as much: bool (n,)."""
        learned = np.flatnonzero(self.version.cpu().numpy() > 0)
        places = self.region.cpu().numpy()[learned]
        changes = self.change.cpu().numpy()[learned]
        examples = self.vectors.detach().cpu().numpy()[learned]
        asked = vectors / float(self.scale)
        covered = np.zeros(len(vectors), bool)
        for example, place, largest in zip(examples, places, changes, strict=True):
            close = near[region, place] & (change <= largest)
            close[close] = ((asked[close] - example) ** 2).sum(1) <= radius**2
            covered |= close
        return covered

    def crop(self, index: int) -> NDArray[np.uint8]:
        """The picture kept of an example, uint8 (side, side)."""
        return self.crops[index].cpu().numpy()

    def _rows(self) -> dict[str, Tensor]:
        return {name: values for name, values in self.state_dict().items() if name != "scale"}

    def _replace(self, rows: Mapping[str, Tensor]) -> None:
        for name, values in rows.items():
            self.assign(name, values)


def nearest(
    vectors: Vectors,
    region: Indices,
    examples: Vectors,
    places: Indices,
    everywhere: NDArray[np.bool_],
    near: NDArray[np.bool_],
    cost: float,
) -> tuple[NDArray[np.float32], Indices]:
    """Distance of windows to the nearest example, and which it is.

    Candidates are the examples that lie near, an empty place, which is the zero vector, and, at a cost, the examples
    that count everywhere.

    Args:
        vectors: float32 (n, D), of the windows.
        region: int64 (n,), of the windows.
        examples: float32 (E, D).
        places: int64 (E,), regions of the examples.
        everywhere: bool (E,).
        near: bool (regions, regions), whether examples of the second count in the first.
        cost: added to the distance from an example that is not near.

    Returns:
        float32 (n,), the Euclidean distances, with the cost; int64 (n,), the examples, `NOWHERE` for an empty place.
    """
    found = np.sqrt((vectors**2).sum(1)), np.full(len(vectors), NOWHERE)
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(len(near) + 1))
    for here in np.unique(region):
        spans = [order[ends[there] : ends[there + 1]] for there in np.flatnonzero(near[here])]
        _closer(found, np.flatnonzero(region == here), vectors, examples, np.concatenate(spans), 0.0)
    common = np.flatnonzero(everywhere)
    for first in range(0, len(vectors), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(vectors)))
        _closer(found, rows, vectors, examples, common, cost)
    return found


def _closer(
    found: tuple[NDArray[np.float32], Indices],
    rows: Indices,
    vectors: Vectors,
    examples: Vectors,
    candidates: Indices,
    cost: float,
) -> None:
    """Put into `found` what is closer, of the candidates, to the given rows."""
    if not len(candidates):
        return
    others = examples[candidates]
    best = candidates[((others**2).sum(1) - 2 * vectors[rows] @ others.T).argmin(1)]
    # Again, exactly: the product above rounds differently in blocks of different size.
    exact = np.sqrt(((vectors[rows] - examples[best]) ** 2).sum(1)) + np.float32(cost)
    closer = exact < found[0][rows]
    found[0][rows[closer]] = exact[closer]
    found[1][rows[closer]] = best[closer]


def cover(vectors: Vectors, radius: float, first: int) -> Indices:
    """Rows such that every one is within `radius` of one of them: farthest first (Gonzalez 1985), from row `first`."""
    chosen = [first]
    distances = np.sqrt(((vectors - vectors[first]) ** 2).sum(1))
    while distances.max() > radius:
        chosen.append(int(distances.argmax()))
        distances = np.minimum(distances, np.sqrt(((vectors - vectors[chosen[-1]]) ** 2).sum(1)))
    return np.array(chosen)


def crop_of(frame: NDArray[np.uint8], box: tuple[int, int, int, int], side: int) -> NDArray[np.uint8]:
    """What a grey frame (H, W) shows in a box, as uint8 (side, side)."""
    top, left, bottom, right = box
    return np.asarray(cv2.resize(frame[top:bottom, left:right], (side, side), interpolation=cv2.INTER_AREA))
