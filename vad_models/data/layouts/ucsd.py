"""UCSD Ped1 and Ped2, official layout (Mahadevan, Li, Bhalodia, Vasconcelos, CVPR 2010).

    <root>/                     the folder below, or the folder above it
    `-- UCSDped2/
        |-- Train/Train001/001.tif
        `-- Test/
            |-- Test001/001.tif
            |-- Test001_gt/frame001.bmp     or 001.bmp: pixel masks
            `-- UCSDped2.m                  `TestVideoFile{end+1}.gt_frame = [61:180];`, one line per test video

Frame labels are the list in the .m file; without one, a frame is abnormal if its mask is not black. Some copies contain
hidden files of macOS (`._001.tif`, `.DS_Store`), which are ignored.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from natsort import natsorted

from vad_models.data.decode import IMAGE_SUFFIXES, ImageSequence, listed
from vad_models.data.labels import Interval, IntervalLabels, LabelSource, PixelMasks
from vad_models.data.layouts import ExpectedCounts, Layout, RawDataset, RawVideo
from vad_models.errors import DataError

__all__ = ["LAYOUT", "Ucsd"]

_FPS = 10.0
_PED1 = ExpectedCounts(34, 6_800, 36, (7_200,), (4_045,), fps=_FPS)
_PED2 = ExpectedCounts(16, 2_550, 12, (2_010,), (1_648,), fps=_FPS)


class Ucsd(Layout):
    """UCSD Ped1 and Ped2: images in `Train/Train001` and `Test/Test001`, labels in a .m file or as masks."""

    name = "ucsd"
    description = "UCSDped2/Train/Train001/001.tif and UCSDped2/Test/Test001/001.tif"
    expected: ClassVar = {"ped1": _PED1, "ucsdped1": _PED1, "ped2": _PED2, "ucsdped2": _PED2}

    def missing(self, root: Path) -> str | None:
        home = next(iter(_homes(root)), None)
        if home is None:
            return "the folder Train/Train001"
        return None if _videos(home, "Test") else "the folder Test/Test001"

    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        home, *others = _homes(root)
        if others:
            raise DataError(
                f"{root} holds {home.name} and {others[0].name}: give the path of one, like {home}."
            )
        test = _videos(home, "Test")
        labels, label_set = _labels(home, test)
        videos = [RawVideo("01", "train", v.name, ImageSequence.of(v, _FPS)) for v in _videos(home, "Train")]
        videos += [
            RawVideo("01", "test", video.name, ImageSequence.of(video, _FPS), source)
            for video, source in zip(test, labels, strict=True)
        ]
        return RawDataset(name, self.name, root, tuple(videos), label_set)


LAYOUT = Ucsd()


def _homes(root: Path) -> list[Path]:
    """Find the folders that hold `Train/Train001`: `root` itself, or folders in it."""
    folders = [root, *natsorted(child for child in root.iterdir() if child.is_dir())]
    found = [folder for folder in folders if _videos(folder, "Train")]
    return found[:1] if found[:1] == [root] else found


def _videos(home: Path, part: str) -> list[Path]:
    """List `Test/Test001` and so on, without `Test/Test001_gt`."""
    folders = (home / part).glob(f"{part}[0-9]*")
    return natsorted(folder for folder in folders if folder.is_dir() and folder.name[len(part) :].isdigit())


def _labels(home: Path, test: list[Path]) -> tuple[list[LabelSource], str]:
    for file in (*listed(home, (".m",)), *listed(home / "Test", (".m",))):
        text = file.read_text(encoding="utf-8", errors="replace")
        if "gt_frame" in text:
            return _listed_intervals(file, text, test), "official"
    masks = [video.with_name(f"{video.name}_gt") for video in test]
    for folder in masks:
        if not folder.is_dir():
            raise DataError(
                f"{folder} is missing, and so is a list of labels {home.name}.m: copy one of them."
            )
    return [PixelMasks(tuple(listed(folder, IMAGE_SUFFIXES))) for folder in masks], "masks"


def _listed_intervals(file: Path, text: str, test: list[Path]) -> list[LabelSource]:
    code = re.sub(r"%.*", "", text)
    entries = re.findall(r"gt_frame\s*=\s*\[?([^\];\n]*)", code)
    if len(entries) != len(test):
        raise DataError(f"{file} labels {len(entries)} videos of {len(test)} test videos: fix one of them.")
    return [IntervalLabels(tuple(_intervals(entry, file))) for entry in entries]


def _intervals(entry: str, file: Path) -> list[Interval]:
    """Parse MATLAB's `61:180, 190` (1-based, inclusive) into [first, end) intervals."""
    parts = re.sub(r"\s*:\s*", ":", entry).replace(",", " ").split()
    intervals = []
    for part in parts:
        match = re.fullmatch(r"(\d+)(?::(\d+))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise DataError(f"{file}: gt_frame = [{entry.strip()}] is not a list like 61:180; fix it.")
        intervals.append((first - 1, last))
    return intervals
