"""CUHK Avenue, official layout (Lu, Shi, Jia, ICCV 2013).

    <root>/
    |-- training_videos/01.avi
    |-- testing_videos/01.avi
    |-- testing_label_mask/1_label.mat      `volLabel`, one mask per frame; also in ground_truth_demo/
    `-- avenue.mat                          `gt`, 1-based inclusive intervals, one cell per test video

There are two public label sets, which differ on about 3 % of the frames. The option `labels` chooses one: `masks` (a
frame is abnormal if its mask is not black) or `intervals` (avenue.mat).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vad_models.data.decode import VIDEO_SUFFIXES, VideoFile, listed
from vad_models.data.labels import IntervalLabels, LabelSource, VolumeMask, mat_intervals
from vad_models.data.layouts import ExpectedCounts, Layout, RawDataset, RawVideo
from vad_models.errors import DataError

__all__ = ["LAYOUT", "Avenue"]

_AVENUE = ExpectedCounts(16, 15_328, 21, (15_324,), (3_867, 3_712, 3_820), fps=25.0)


class Avenue(Layout):
    """CUHK Avenue: training and test videos as .avi, labels as masks or intervals."""

    name = "avenue"
    description = "training_videos/01.avi, testing_videos/01.avi, testing_label_mask/ or avenue.mat"
    options: ClassVar = {"labels": ("masks", "intervals")}
    expected: ClassVar = {"avenue": _AVENUE, "cuhkavenue": _AVENUE}

    def missing(self, root: Path) -> str | None:
        for folder in ("training_videos", "testing_videos"):
            if not (root / folder).is_dir():
                return f"the folder {folder}"
            if not listed(root / folder, VIDEO_SUFFIXES):
                return f"a video {folder}/01.avi"
        return None

    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        label_set = options.get("labels", self.options["labels"][0])
        test = listed(root / "testing_videos", VIDEO_SUFFIXES)
        labels = _masks(root, test) if label_set == "masks" else _intervals(root, test)
        train = listed(root / "training_videos", VIDEO_SUFFIXES)
        videos = [RawVideo("01", "train", file.stem, VideoFile(file)) for file in train]
        videos += [
            RawVideo("01", "test", file.stem, VideoFile(file), source)
            for file, source in zip(test, labels, strict=True)
        ]
        return RawDataset(name, self.name, root, tuple(videos), label_set)


LAYOUT = Avenue()


def _masks(root: Path, test: list[Path]) -> list[LabelSource]:
    places = (root / "testing_label_mask", root / "ground_truth_demo/testing_label_mask")
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise DataError(f"{places[0]} is missing: copy it here, or read avenue.mat by labels=intervals.")
    files = [folder / f"{file.stem.lstrip('0')}_label.mat" for file in test]
    for file, video in zip(files, test, strict=True):
        if not file.is_file():
            raise DataError(f"{file} is missing, the labels of {video.name}: copy it from the dataset.")
    return [VolumeMask(file) for file in files]


def _intervals(root: Path, test: list[Path]) -> list[LabelSource]:
    file = root / "avenue.mat"
    if not file.is_file():
        raise DataError(f"{file} is missing: copy it into the dataset, or read the masks by labels=masks.")
    return [IntervalLabels(intervals) for intervals in mat_intervals(file, [video.stem for video in test])]
