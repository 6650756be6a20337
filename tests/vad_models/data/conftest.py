"""Tiny datasets in every layout, with the quirks of published copies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import scipy.io
from numpy.typing import NDArray

from vad_models.data.layouts import open_dataset
from vad_models.data.manifest import inspect

HEIGHT, WIDTH = 48, 64


class Footage:
    """Writes footage: a bright square that walks over a gradient, one step per frame."""

    def frame(self, number: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
        """uint8 (height, width, 3), RGB."""
        image = np.zeros((height, width, 3), np.uint8)
        image[..., 1] = np.linspace(0, 120, width).astype(np.uint8)
        image[10:26, number % 40 : number % 40 + 16] = (220, 60, 30)
        return image

    def images(self, folder: Path, count: int, names: str = "{:03d}.jpg", first: int = 0) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            cv2.imwrite(str(folder / names.format(first + number)), self.frame(number)[..., ::-1])
        return folder

    def masks(self, folder: Path, labels: Sequence[int], names: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, label in enumerate(labels, start=1):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[5:8, 5:8] = 255 * label
            cv2.imwrite(str(folder / names.format(number)), mask)

    def video(
        self, path: Path, count: int, codec: str = "mpeg4", size: tuple[int, int] = (HEIGHT, WIDTH)
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=24)
            stream.height, stream.width = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(count):
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(self.frame(number, *size), format="rgb24"))
                )
            container.mux(stream.encode())
        return path

    def mat(self, path: Path, cells: Sequence[object], variable: str = "gt") -> None:
        array = np.empty((1, len(cells)), dtype=object)
        for index, cell in enumerate(cells):
            array[0, index] = np.asarray(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {variable: array})

    def frames_folder(self, root: Path, cells: Sequence[object] = ([[2, 6], [3, 6]], [[1], [4]])) -> Path:
        for video in ("01", "02"):
            self.images(root / "training/frames" / video, 5)
        self.images(root / "testing/frames/01", 6)
        self.images(root / "testing/frames/02", 4)
        self.mat(root / "labels.mat", cells)
        return root

    def shanghaitech(self, root: Path) -> Path:
        self.video(root / "training/videos/01_001.avi", 8)
        self.video(root / "training/videos/02_001.avi", 7)
        for video, labels in {"01_0014": [0, 0, 1, 1, 0], "02_0001": [1, 0, 0, 0]}.items():
            self.images(root / "testing/frames" / video, len(labels))
            mask = root / f"testing/test_frame_mask/{video}.npy"
            mask.parent.mkdir(parents=True, exist_ok=True)
            np.save(mask, np.array(labels, np.int8))
        return root

    def avenue(self, root: Path) -> Path:
        self.video(root / "training_videos/01.avi", 6)
        self.video(root / "testing_videos/01.avi", 5)
        self.video(root / "testing_videos/02.avi", 4)
        for number, labels in enumerate(([0, 0, 1, 1, 0], [1, 0, 0, 0]), start=1):
            masks = [np.full((4, 4), label, np.uint8) for label in labels]
            self.mat(root / f"testing_label_mask/{number}_label.mat", masks, "volLabel")
        self.mat(root / "avenue.mat", [[[2], [4]], [[1], [1]]])
        return root

    def ucsd(self, root: Path, intervals: Sequence[str] | None = ("[3:5]", "[1:2, 4]")) -> Path:
        self.images(root / "Train/Train001", 5, "{:03d}.tif", first=1)
        for number, labels in enumerate(([0, 0, 1, 1, 1], [1, 1, 0, 1]), start=1):
            self.images(root / f"Test/Test{number:03d}", len(labels), "{:03d}.tif", first=1)
            self.masks(
                root / f"Test/Test{number:03d}_gt", labels, ("frame{:03d}.bmp", "{:03d}.bmp")[number - 1]
            )
        for litter in (
            "Train/Train001/._001.tif",
            "Train/.DS_Store",
            "Test/Test001/._001.tif",
            "Test/._Test001",
        ):
            (root / litter).write_bytes(b"litter")
        if intervals is not None:
            lines = [f"TestVideoFile{{end+1}}.gt_frame = {interval};" for interval in intervals]
            text = "\n".join(["TestVideoFile = {};", "% gt_frame = [1:9];", *lines])
            (root / f"Test/{root.name}.m").write_text(text, encoding="utf-8")
        return root


@pytest.fixture(scope="session")
def footage() -> Footage:
    return Footage()


@pytest.fixture(scope="session")
def ped2() -> Path:
    """The real UCSD Ped2, which is next to the repository where it is developed and nowhere else."""
    path = Path(__file__).parents[4] / "shared/datasets/ped2"
    if not path.is_dir():
        pytest.skip("the real footage of UCSD Ped2 is not at ../shared/datasets/ped2")
    return path


@pytest.fixture(scope="session")
def ped2_manifest(ped2: Path) -> pd.DataFrame:
    """Inspected once for all tests: it takes seconds."""
    return inspect(open_dataset(ped2, "ucsd_ped2"), workers=1)
