"""Layouts: how a dataset's folders are read into videos. Each layout is one module of this package.

A new layout is a new module that defines `LAYOUT = SomeLayout()`; nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from natsort import natsorted
from numpy.typing import NDArray
from pydantic import Field

from vad_models.data.decode import FrameSource
from vad_models.data.labels import LabelSource
from vad_models.errors import DataError
from vad_models.settings import Frozen, validated

__all__ = [
    "DESCRIPTION_FILE",
    "CameraCounts",
    "ExpectedCounts",
    "Layout",
    "RawDataset",
    "RawVideo",
    "Split",
    "expected_counts",
    "known_layouts",
    "open_dataset",
    "recognise",
]

Split = Literal["train", "test"]

DESCRIPTION_FILE = "dataset.json"
"""File in the folder of imported data: {"layout": ..., "options": {...}}. Without it, the layout is recognised."""


@dataclass(frozen=True)
class RawVideo:
    """One video of a dataset as it was published."""

    camera: str
    split: Split
    name: str
    source: FrameSource
    label_source: LabelSource | None = None
    """None means unlabelled. Training videos are unlabelled and count as normal."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Decode the frames in order, uint8 (H, W, 3), RGB.

        Raises:
            DataError: a frame cannot be read; the message names the file and the frame.
        """
        return self.source.frames()

    def labels(self) -> NDArray[np.bool_] | None:
        """Read the frame labels, bool (T,), True = abnormal; None if the video is unlabelled.

        Raises:
            DataError: the label file is missing or broken.
        """
        return None if self.label_source is None else self.label_source.array(self.source.count())


@dataclass(frozen=True)
class RawDataset:
    """A dataset as it was published: its videos in the order train, test, camera, name."""

    name: str
    layout: str
    root: Path
    videos: tuple[RawVideo, ...]
    labels: str
    """Name of the label set ("official", "masks", "intervals", ...); "none" if nothing is labelled."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the layout that were given."""


@dataclass(frozen=True)
class CameraCounts:
    """Counts of one camera of a published dataset."""

    train_videos: int
    test_videos: int
    test_frames: int
    abnormal: int


@dataclass(frozen=True)
class ExpectedCounts:
    """Counts of a published dataset. Where publications differ, every published number is listed."""

    train_videos: int
    train_frames: int
    test_videos: int
    test_frames: tuple[int, ...]
    abnormal: tuple[int, ...]
    fps: float
    """Frames per second, for copies that come as images."""
    per_camera: Mapping[str, CameraCounts] = field(default_factory=dict)


class Layout(ABC):
    """How one dataset, or one family of datasets, is arranged on disk."""

    name: ClassVar[str]
    """Name of the module."""
    description: ClassVar[str]
    """Phrase that says what the layout looks for."""
    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Options of `read` and the values that each may have; the first value is the default."""
    expected: ClassVar[Mapping[str, ExpectedCounts]] = {}
    """Counts of the published datasets in this layout, by name in lower case without punctuation."""

    @abstractmethod
    def missing(self, root: Path) -> str | None:
        """Name the first thing that `root` lacks ("the folder training/frames"); None if it lacks nothing."""

    def recognises(self, root: Path) -> bool:
        """Check whether `root` is in this layout."""
        return self.missing(root) is None

    @abstractmethod
    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        """List the videos below `root` without decoding any.

        Raises:
            DataError: there is no video, or labels do not belong to the videos.
        """


@cache
def known_layouts() -> dict[str, Layout]:
    """Load every layout in this package, by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}").LAYOUT for name in names}


def recognise(root: Path) -> Layout:
    """Find the layout of `root`.

    Raises:
        DataError: no layout or several layouts recognise it.
    """
    found = [layout for layout in known_layouts().values() if layout.recognises(root)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(layout.name for layout in found)
        raise DataError(f"{root} could be {names}: choose one of them with --layout.")
    looked_for = "; ".join(f"{known.name}: {known.description}" for known in known_layouts().values())
    what = "is in no known layout" if any(root.iterdir()) else "is empty"
    raise DataError(f"{root} {what}: point to the folder of a dataset ({looked_for}).")


def open_dataset(
    root: Path, name: str | None = None, layout: str | None = None, **options: str
) -> RawDataset:
    """Read the videos and label sources of the dataset below `root`, without decoding frames.

    Args:
        root: folder of the dataset.
        name: name of the dataset; None means the name of the folder.
        layout: a name in `known_layouts()`; None means the layout in `dataset.json`, or the recognised one.
        options: options of the layout, which take precedence over those in `dataset.json`.

    Raises:
        DataError: the folder is missing, layout or option are unknown, or something does not fit the layout.
        SettingsError: `dataset.json` holds a key or value that is not allowed.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder: check the path, or make, pull or import the dataset first.")
    described = _described(root)
    chosen = _named(layout or described.layout, root)
    options = {**described.options, **options}
    _check_options(chosen, options)
    if (lacking := chosen.missing(root)) is not None:
        raise DataError(f"{root} is not in the layout {chosen.name}: {lacking} is missing.")
    dataset = chosen.read(root, name or root.resolve().name, **options)
    _check_videos(dataset)
    order = natsorted(dataset.videos, key=lambda video: (video.split != "train", video.camera, video.name))
    return replace(dataset, options=options, videos=tuple(order))


def expected_counts(name: str) -> ExpectedCounts | None:
    """Find the published counts of the dataset called `name` (`UCSD_Ped2` is `ucsdped2`); None if it is unknown."""
    key = re.sub(r"[^a-z0-9]", "", name.lower())
    return next((layout.expected[key] for layout in known_layouts().values() if key in layout.expected), None)


class _Description(Frozen):
    """Contents of `dataset.json`."""

    layout: str | None = None
    options: dict[str, str] = Field(default_factory=dict)


def _described(root: Path) -> _Description:
    file = root / DESCRIPTION_FILE
    if not file.is_file():
        return _Description()
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as broken:
        raise DataError(f"{file} is not JSON ({broken}): fix or remove it.") from None
    if not isinstance(values, dict):
        raise DataError(f'{file} must hold {{"layout": ..., "options": {{...}}}}: fix or remove it.')
    return validated(_Description, values, str(file))


def _named(layout: str | None, root: Path) -> Layout:
    if layout is None:
        return recognise(root)
    if layout not in known_layouts():
        raise DataError(f"the layout {layout!r} is not known: choose one of {', '.join(known_layouts())}.")
    return known_layouts()[layout]


def _check_options(layout: Layout, options: Mapping[str, str]) -> None:
    for key, value in options.items():
        if key not in layout.options:
            known = ", ".join(layout.options) or "none"
            raise DataError(f"the layout {layout.name} has no option {key!r}; its options: {known}.")
        if value not in layout.options[key]:
            raise DataError(f"the option {key} = {value!r} is not one of {', '.join(layout.options[key])}.")


def _check_videos(dataset: RawDataset) -> None:
    if not dataset.videos:
        raise DataError(f"{dataset.root} holds no videos: copy the dataset again.")
    named = Counter((video.camera, video.split, video.name) for video in dataset.videos)
    (camera, split, name), times = named.most_common(1)[0]
    if times > 1:
        raise DataError(f"{times} {split} videos of camera {camera} are called {name}: rename one of them.")
