"""ShanghaiTech Campus, official layout (Luo, Liu, Gao, ICCV 2017; Liu et al., CVPR 2018).

    <root>/
    |-- training/videos/CC_VVV.avi          CC: camera 01 to 13; or, extracted, training/frames/CC_VVV/NNN.jpg
    `-- testing/
        |-- frames/CC_VVVV/NNN.jpg
        |-- test_frame_mask/CC_VVVV.npy     one number per frame, 1 = abnormal
        `-- test_pixel_mask/CC_VVVV.npy     not read here

Camera 13 has no test videos; cameras 02, 09 and 11 have three, one and one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from vad_models.data.decode import VIDEO_SUFFIXES, FrameSource, ImageSequence, VideoFile, listed
from vad_models.data.labels import FrameMask
from vad_models.data.layouts import CameraCounts, ExpectedCounts, Layout, RawDataset, RawVideo
from vad_models.data.layouts.frames_folder import video_folders
from vad_models.errors import DataError

__all__ = ["LAYOUT", "ShanghaiTech"]

_FPS = 24.0
"""Frames per second of the published videos; test videos are published as images, which do not state it."""

_CAMPUS = ExpectedCounts(
    train_videos=330,
    train_frames=274_515,
    test_videos=107,
    test_frames=(40_791, 42_883),
    abnormal=(17_326,),
    fps=_FPS,
    per_camera={
        "01": CameraCounts(83, 34, 11_894, 4_884),
        "02": CameraCounts(15, 3, 1_155, 662),
        "03": CameraCounts(6, 10, 4_090, 1_212),
        "04": CameraCounts(20, 9, 4_761, 1_874),
        "05": CameraCounts(66, 8, 4_160, 1_016),
        "06": CameraCounts(30, 6, 1_470, 702),
        "07": CameraCounts(8, 8, 3_368, 886),
        "08": CameraCounts(49, 12, 3_708, 1_992),
        "09": CameraCounts(10, 1, 361, 84),
        "10": CameraCounts(11, 5, 2_213, 1_539),
        "11": CameraCounts(10, 1, 337, 141),
        "12": CameraCounts(15, 10, 3_274, 2_334),
        "13": CameraCounts(7, 0, 0, 0),
    },
)


class ShanghaiTech(Layout):
    """ShanghaiTech Campus: training videos as .avi, test videos as images, frame labels as .npy."""

    name = "shanghaitech"
    description = "training/videos/CC_VVV.avi, testing/frames/CC_VVVV/, testing/test_frame_mask/CC_VVVV.npy"
    expected: ClassVar = {"shanghaitech": _CAMPUS, "shanghaitechcampus": _CAMPUS}

    def missing(self, root: Path) -> str | None:
        if not (root / "training/videos").is_dir() and not (root / "training/frames").is_dir():
            return "the folder training/videos"
        for folder in ("testing/frames", "testing/test_frame_mask"):
            if not (root / folder).is_dir():
                return f"the folder {folder}"
        return None

    def read(self, root: Path, name: str, **options: str) -> RawDataset:
        videos = [RawVideo(_camera(s.path), "train", s.path.stem, s) for s in _training(root)]
        masks = root / "testing/test_frame_mask"
        for folder in video_folders(root / "testing/frames"):
            mask = masks / f"{folder.name}.npy"
            if not mask.is_file():
                raise DataError(f"{mask} is missing, the labels of {folder.name}: copy it from the dataset.")
            source = ImageSequence.of(folder, fps=_FPS)
            videos.append(RawVideo(_camera(folder), "test", folder.name, source, FrameMask(mask)))
        return RawDataset(name, self.name, root, tuple(videos), "official")


LAYOUT = ShanghaiTech()


def _training(root: Path) -> list[FrameSource]:
    videos, frames = root / "training/videos", root / "training/frames"
    files = listed(videos, VIDEO_SUFFIXES) if videos.is_dir() else []
    if files:
        return [VideoFile(file) for file in files]
    if frames.is_dir():
        return [ImageSequence.of(folder, fps=_FPS) for folder in video_folders(frames)]
    raise DataError(f"{videos} holds no videos CC_VVV.avi: copy the dataset again.")


def _camera(video: Path) -> str:
    match = re.fullmatch(r"(\d\d)_\d+", video.stem)
    if match is None:
        raise DataError(f"{video} is not named CC_VVV after its camera and number, like 01_001: rename it.")
    return match.group(1)
