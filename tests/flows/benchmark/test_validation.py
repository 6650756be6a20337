from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import scipy.io

from flows.benchmark.validation import check, validate
from flows.project.paths import Paths
from tests.conftest import FRAMES
from vad_models.data.manifest import read_manifest
from vad_models.errors import DataError


@pytest.fixture(scope="module")
def manifest() -> pd.DataFrame:
    """Build a manifest that satisfies every rule: two cameras, the second without test video."""
    rows = [("01", "train", "a", 10, -1, 0), ("01", "test", "b", 20, 20, 5), ("02", "train", "c", 10, -1, 0)]
    columns = ["camera", "split", "video", "frames", "label_frames", "abnormal_frames"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(
        dataset="some", fps=25.0, height=48, width=64, unreadable="", labelled=table["label_frames"] >= 0
    )


def phrases(manifest: pd.DataFrame, docs: Path, dataset: str = "some") -> list[str]:
    return [violation.phrase for violation in check(manifest, dataset, docs)]


def test_a_sound_manifest_breaks_no_rule(manifest: pd.DataFrame, tmp_path: Path) -> None:
    assert phrases(manifest, tmp_path) == []


@pytest.mark.parametrize(
    ("row", "change", "phrase"),
    [
        (1, {"unreadable": "frame 3 of b: cut off"}, "test video b of camera 01 cannot be read, frame 3 of b: cut off"),
        (0, {"frames": 0}, "train video a of camera 01 has no frames"),
        (1, {"label_frames": 19}, "test video b of camera 01 has 19 labels for 20 frames"),
        (1, {"abnormal_frames": 21}, "test video b of camera 01 has 21 abnormal frames of 20"),
        (2, {"camera": "01", "video": "a"}, "train video a of camera 01 is listed more than once"),
        (2, {"split": "valid"}, "video c of camera 02 belongs to 'valid', which is neither"),
        (1, {"width": 96}, "camera 01 has videos of 64x48 and 96x48"),
        (2, {"split": "test"}, "camera 02 has 1 test videos and none to train on"),
        (1, {"abnormal_frames": 0}, "0 of 20 test frames are abnormal"),
    ],
)  # fmt: skip
def test_each_rule_names_the_video_and_what_is_wrong(
    manifest: pd.DataFrame, tmp_path: Path, row: int, change: dict[str, object], phrase: str
) -> None:
    broken = manifest.copy()
    for column, value in change.items():
        broken.loc[row, column] = value

    assert phrase in phrases(broken, tmp_path)


def test_unlabelled_footage_breaks_no_rule(manifest: pd.DataFrame, tmp_path: Path) -> None:
    assert phrases(manifest.assign(labelled=False, label_frames=-1, abnormal_frames=0), tmp_path) == []


def test_counts_of_a_known_dataset_are_those_published(manifest: pd.DataFrame, tmp_path: Path) -> None:
    said = phrases(manifest, tmp_path, "shanghaitech")

    assert "there are 2, but 330 are published" in said
    assert "there are 2, but 13 are published" in said
    assert "camera 01 has 1, but 83 are published" in said


def test_data_docs_ask_nothing_of_the_network(manifest: pd.DataFrame, tmp_path: Path) -> None:
    check(manifest, "some", tmp_path / "docs")

    pages = list((tmp_path / "docs").rglob("*.html"))
    assert (tmp_path / "docs/index.html") in pages
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert 'src="http' not in html
        assert 'rel="stylesheet" href="http' not in html
        assert "url('http" not in html


def test_validate_writes_manifest_report_and_docs(project_root: Path) -> None:
    file = validate(Paths(project_root), "blobs")

    assert set(read_manifest(file)["frames"]) == {FRAMES}
    report = json.loads((project_root / "validation/blobs/report.json").read_text())
    assert report == {"dataset": "blobs", "videos": 6, "frames": 6 * FRAMES, "violations": []}
    assert (project_root / "validation/blobs/docs/index.html").exists()


def test_a_broken_frame_stops_the_pipeline_and_leaves_report_and_docs(project_root: Path) -> None:
    validate(Paths(project_root), "blobs")
    (project_root / "data/blobs/testing/frames/02_003/017.png").write_bytes(b"no image")

    with pytest.raises(DataError, match=r"every frame is readable.*test video 02_003 of camera 02.*017\.png"):
        validate(Paths(project_root), "blobs")

    assert not (project_root / "validation/blobs/manifest.parquet").exists()
    assert json.loads((project_root / "validation/blobs/report.json").read_text())["violations"]
    assert (project_root / "validation/blobs/docs/index.html").exists()


def test_labels_past_the_end_of_their_video_stop_the_pipeline(project_root: Path) -> None:
    gt = np.empty((1, 2), dtype=object)
    gt[0, 0], gt[0, 1] = np.array([[5], [FRAMES]]), np.array([[5], [FRAMES + 9]])
    scipy.io.savemat(project_root / "data/blobs/blobs.mat", {"gt": gt})

    with pytest.raises(DataError, match=rf"test video 02_003 of camera 02.*{FRAMES + 9}"):
        validate(Paths(project_root), "blobs")


def test_a_camera_with_two_frame_sizes_stops_the_pipeline(project_root: Path) -> None:
    for file in (project_root / "data/blobs/training/frames/01_002").iterdir():
        cv2.imwrite(str(file), np.zeros((64, 96), np.uint8))

    with pytest.raises(DataError, match="camera 01 has videos of 48x32 and 96x64"):
        validate(Paths(project_root), "blobs")
