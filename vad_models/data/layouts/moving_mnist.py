"""Moving-MNIST with anomalies, synthesised as in section 4.2 of Luo et al. 2019 (sparse coding, sRNN-AE).

    <root>/
    |-- moving_mnist.json                   the recipe, from which frames are drawn whenever they are read
    |-- train-images-idx3-ubyte(.gz)        with "digits": "mnist" only: digits of the training sequences
    `-- t10k-images-idx3-ubyte(.gz)         and of the test sequences

Two digits start side by side at the centre of a black 225 x 225 image; a sequence has 20 frames. Each kind of
anomaly is one camera:

- `appearance`: each digit steps up, down, left or right at random. In a test sequence a white 3 x 3 box
  occludes the image at a random place for 5 consecutive frames.
- `motion`: both digits move together on a straight line. In a test sequence they part after 10 frames,
  each in its own random direction.

The paper does not state the step; 5 pixels are used here, 19 of which stay inside the image. It draws 10,000 training
and 3,000 test sequences per kind. The same recipe gives the same frames.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vad_models.data.files import write_json
from vad_models.data.labels import IntervalLabels
from vad_models.data.layouts import Layout, RawDataset, RawVideo, Split
from vad_models.errors import DataError
from vad_models.settings import Frozen, validated

__all__ = ["LAYOUT", "MovingMnist", "Recipe", "generate_moving_mnist"]

Kind = Literal["appearance", "motion"]

_RECIPE = "moving_mnist.json"
_KINDS: tuple[Kind, ...] = ("appearance", "motion")
_SPLITS: tuple[Split, ...] = ("train", "test")
_MNIST = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_FRAMES, _SIDE, _DIGIT, _STEP = 20, 225, 28, 5
_PARTING, _OCCLUDED, _BOX = 10, 5, 3


class Recipe(Frozen):
    """Contents of `moving_mnist.json`."""

    anomalies: tuple[Kind, ...] = Field(default=_KINDS, min_length=1)
    """Kinds of anomaly, one camera each."""
    train: int = Field(default=200, ge=1)
    """Number of training sequences per kind."""
    test: int = Field(default=60, ge=1)
    """Number of test sequences per kind."""
    digits: Literal["scikit-learn", "mnist"] = "scikit-learn"
    """Source of the digits: scikit-learn's `load_digits` (8 x 8, enlarged), or MNIST's idx files next to the recipe."""
    seed: int = Field(default=0, ge=0)


def generate_moving_mnist(out: Path, recipe: Recipe | None = None) -> Path:
    """Create the dataset `out`, a folder with the recipe, and return `out`."""
    write_json(out / _RECIPE, (recipe or Recipe()).model_dump(mode="json"))
    return out


class MovingMnist(Layout):
    """Moving-MNIST: a recipe, from which frames are drawn when they are read."""

    name = "moving_mnist"
    description = _RECIPE

    def missing(self, root: Path) -> str | None:
        return None if (root / _RECIPE).is_file() else f"the file {_RECIPE}"

    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        recipe = _read_recipe(root / _RECIPE)
        videos = [
            _video(root, recipe, kind, split, index)
            for kind in recipe.anomalies
            for split in _SPLITS
            for index in range(recipe.train if split == "train" else recipe.test)
        ]
        return RawDataset(name, self.name, root, tuple(videos), "synthetic")


LAYOUT = MovingMnist()


@dataclass(frozen=True)
class DrawnSequence:
    """A sequence of 20 frames that is drawn from its seeds."""

    path: Path
    digits: Path | None
    kind: Kind
    split: Split
    seeds: tuple[int, ...]
    anomaly: tuple[int, int] | None
    """Abnormal frames as [first, end); None in a normal sequence."""
    fps: float = math.nan

    def count(self) -> int:
        return _FRAMES

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        for image in self._images():
            yield np.repeat(image[:, :, None], 3, axis=2)

    def sha256(self) -> str:
        return hashlib.sha256(self._images().tobytes()).hexdigest()

    def _images(self) -> NDArray[np.uint8]:
        """Draw the frames, uint8 (20, 225, 225)."""
        random = np.random.default_rng(self.seeds)
        digits = _digits(self.digits, self.split)
        images = np.zeros((_FRAMES, _SIDE, _SIDE), np.uint8)
        for offset, path in zip((-_DIGIT // 2, _DIGIT // 2), self._paths(random), strict=True):
            digit = digits[random.integers(len(digits))]
            for image, (y, x) in zip(images, path + (_SIDE - _DIGIT) // 2 + (0, offset), strict=True):
                place = image[y : y + _DIGIT, x : x + _DIGIT]
                np.maximum(place, digit, out=place)
        if self.kind == "appearance" and self.anomaly is not None:
            y, x = random.integers(_SIDE - _BOX + 1, size=2)
            images[slice(*self.anomaly), y : y + _BOX, x : x + _BOX] = 255
        return images

    def _paths(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Draw the displacements of both digits, (2, 20, 2) as y, x in pixels; the first is 0."""
        steps = np.zeros((2, _FRAMES, 2))
        if self.kind == "appearance":
            axes = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)]) * _STEP
            steps[:, 1:] = axes[random.integers(len(axes), size=(2, _FRAMES - 1))]
        else:
            steps[:, 1:] = _direction(random)
            if self.anomaly is not None:
                for digit in range(2):
                    steps[digit, _PARTING:] = _direction(random)
        reach = (_SIDE - 2 * _DIGIT) // 2
        return np.asarray(np.clip(np.rint(steps.cumsum(axis=1)), -reach, reach), np.int64)


def _direction(random: np.random.Generator) -> tuple[float, float]:
    angle = random.uniform(0, 2 * math.pi)
    return _STEP * math.sin(angle), _STEP * math.cos(angle)


def _video(root: Path, recipe: Recipe, kind: Kind, split: Split, index: int) -> RawVideo:
    seeds = (recipe.seed, _KINDS.index(kind), _SPLITS.index(split), index)
    anomaly = None
    if split == "test":
        # A separate generator, so that labels are known without drawing the frames.
        first = int(np.random.default_rng((*seeds, 1)).integers(_FRAMES - _OCCLUDED + 1))
        anomaly = (_PARTING, _FRAMES) if kind == "motion" else (first, first + _OCCLUDED)
    digits = _mnist_file(root, split) if recipe.digits == "mnist" else None
    source = DrawnSequence(root / _RECIPE, digits, kind, split, seeds, anomaly)
    labels = None if anomaly is None else IntervalLabels((anomaly,))
    return RawVideo(kind, split, f"{index:05d}", source, labels)


def _read_recipe(path: Path) -> Recipe:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as broken:
        raise DataError(f"{path} is not JSON ({broken}): fix it.") from None
    if not isinstance(values, dict):
        raise DataError(f"{path} must hold settings, like {{}} or {Recipe().model_dump_json()}: fix it.")
    return validated(Recipe, values, str(path))


def _mnist_file(root: Path, split: Split) -> Path:
    for file in (root / _MNIST[split], root / f"{_MNIST[split]}.gz"):
        if file.is_file():
            return file
    raise DataError(
        f"{root / _MNIST[split]} is missing: copy it from MNIST, or take the digits of scikit-learn."
    )


@cache
def _digits(file: Path | None, split: Split) -> NDArray[np.uint8]:
    """Load digits, uint8 (N, 28, 28), white on black."""
    if file is not None:
        return _read_idx(file)
    from sklearn.datasets import load_digits  # takes two seconds to import, and only this needs it

    small = (load_digits().images * (255 / 16)).astype(np.uint8)
    cut = len(small) * 4 // 5
    chosen = small[:cut] if split == "train" else small[cut:]
    return np.stack([cv2.resize(digit, (_DIGIT, _DIGIT), interpolation=cv2.INTER_LINEAR) for digit in chosen])


def _read_idx(file: Path) -> NDArray[np.uint8]:
    """Read the images of an idx3 file: big-endian magic 2051, count, height, width, then the pixels."""
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        magic, count, *shape = (int(number) for number in np.frombuffer(data[:16], ">i4"))
        pixels = np.frombuffer(data, np.uint8, offset=16)
        if magic != 2051 or shape != [_DIGIT, _DIGIT]:
            raise ValueError("other numbers in its head")
        return pixels.reshape(count, _DIGIT, _DIGIT)
    except (ValueError, EOFError, OSError) as broken:
        raise DataError(
            f"{file} is not a whole idx file of 28x28 images ({broken}): copy it again."
        ) from None
