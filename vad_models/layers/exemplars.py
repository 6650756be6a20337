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
        crops: NDArray[np.uint8],
        version: int,
    ) -> None:
        """Add examples: vectors (n, channels), regions (n,), origins (n, 2) as video and frame, change and crops."""
        new = {
            "vectors": vectors / float(self.scale),
            "region": region,
            "origin": origin,
            "version": np.full(len(vectors), version),
            "change": change,
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
        self, vectors: Vectors, region: Indices, near: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], Indices]:
        """Distance of windows to the nearest example that lies near, or to an empty place, and which it is.

        Args:
            vectors: float32 (n, channels).
            region: int64 (n,).
            near: (regions, regions): whether examples of the second count in the first.

        Returns:
            float32 (n,), and int64 (n,), `NOWHERE` for an empty place.
        """
        examples, places = self.vectors.detach().cpu().numpy(), self.region.cpu().numpy()
        return nearest(vectors / float(self.scale), region, examples, places, near)

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
    vectors: Vectors, region: Indices, examples: Vectors, places: Indices, near: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Indices]:
    """Euclidean distance of vectors (n, D) in regions (n,) to the nearest of examples (E, D) in places (E,) near them.

    The zero vector, an empty place, is near everywhere: `NOWHERE` is its index.
    """
    distances = np.sqrt((vectors**2).sum(1))
    indices = np.full(len(vectors), NOWHERE)
    lengths = (examples**2).sum(1)
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(len(near) + 1))
    for here in np.unique(region):
        rows = np.flatnonzero(region == here)
        spans = [order[ends[there] : ends[there + 1]] for there in np.flatnonzero(near[here])]
        candidates = np.concatenate(spans) if spans else order[:0]
        if not len(candidates):
            continue
        squares = lengths[candidates] - 2 * vectors[rows] @ examples[candidates].T
        best = candidates[squares.argmin(1)]
        # Again, exactly: the product above rounds differently in blocks of different size.
        exact = np.sqrt(((vectors[rows] - examples[best]) ** 2).sum(1))
        closer = exact < distances[rows]
        distances[rows[closer]] = exact[closer]
        indices[rows[closer]] = best[closer]
    return distances, indices


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
