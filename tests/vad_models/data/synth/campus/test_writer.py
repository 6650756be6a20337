"""The campus on disk: ShanghaiTech's layout, whole files, the same bytes however it is made."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy._core import _multiarray_umath as numpy_core

from vad_models.data.layouts.shanghaitech import LAYOUT
from vad_models.data.synth.campus import generate_campus, writer
from vad_models.data.synth.campus.script import Video
from vad_models.data.synth.campus.view import HEIGHT, WIDTH
from vad_models.errors import DataError, SettingsError, VadError

SEED = 7
TRAIN, TEST = Video(SEED, 1, "train", 2), Video(SEED, 1, "test", 4)


def two_videos(seed: int, camera: int) -> list[Video]:
    """One training and one test video, so that the tests take seconds."""
    return [Video(seed, camera, "train", TRAIN.number), Video(seed, camera, "test", TEST.number)]


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "videos_of", two_videos)


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two videos, made in this process."""
    out = tmp_path_factory.mktemp("campus") / "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "videos_of", two_videos)
        generate_campus(out, cameras=1, seed=SEED, workers=1)
    return out


def test_layout_is_shanghaitechs_and_its_reader_reads_it(campus: Path) -> None:
    assert LAYOUT.missing(campus) is None
    read = {video.name: video for video in LAYOUT.read(campus, "campus").videos}
    assert {(video.camera, video.split) for video in read.values()} == {("01", "train"), ("01", "test")}
    assert {TRAIN.name, TEST.name} == {"01_002", "01_0004"} == set(read)


def test_training_video_decodes_to_its_length(campus: Path) -> None:
    film = cv2.VideoCapture(str(campus / "training/videos/01_002.avi"))
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1])
    assert len(frames) == TRAIN.frames
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert film.get(cv2.CAP_PROP_FPS) == 24
    film.release()


def test_masks_fit_the_frames_and_the_table_of_anomalies(campus: Path) -> None:
    testing = campus / "testing"
    names = sorted(path.name for path in (testing / "frames/01_0004").iterdir())
    frame_mask = np.load(testing / "test_frame_mask/01_0004.npy", allow_pickle=False)
    pixel_mask = np.load(testing / "test_pixel_mask/01_0004.npy", allow_pickle=False)
    assert names == [f"{number:03d}.jpg" for number in range(TEST.frames)]
    assert (frame_mask.shape, frame_mask.dtype) == ((TEST.frames,), np.uint8)
    assert (pixel_mask.shape, pixel_mask.dtype) == ((TEST.frames, HEIGHT, WIDTH), np.uint8)
    assert np.array_equal(frame_mask, pixel_mask.any(axis=(1, 2)))
    assert 0 < frame_mask.sum() < TEST.frames
    header, *rows = (campus / "anomalies/01_0004.csv").read_text().splitlines()
    assert header == "video,kind,nature,first,last"
    assert {row.split(",")[1] for row in rows} == set(TEST.anomalies)
    inside = np.zeros(TEST.frames, bool)
    for row in rows:
        first, last = (int(cell) for cell in row.split(",")[3:])
        inside[first : last + 1] = True
    assert inside[frame_mask == 1].all()


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(campus: Path, tmp_path: Path, short: None) -> None:
    generate_campus(tmp_path, cameras=1, seed=SEED, workers=2)
    assert digest(tmp_path) == digest(campus)


@pytest.mark.slow
def test_another_seed_writes_other_bytes(campus: Path, tmp_path: Path, short: None) -> None:
    generate_campus(tmp_path, cameras=1, seed=SEED + 1, workers=2)
    assert not set(digest(tmp_path).values()) & set(digest(campus).values())


@pytest.mark.slow
def test_a_processor_without_vector_units_writes_the_same_bytes(campus: Path, tmp_path: Path) -> None:
    dispatched = [name for name in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__.get(name)]
    plain = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(dispatched),
        "OPENCV_CPU_DISABLE": "SSE4_1,SSE4_2,AVX,FP16,AVX2,AVX512_SKX",
        "JSIMD_FORCENONE": "1",
    }
    program = (
        "import sys, pathlib; from numpy._core import _multiarray_umath as core;"
        "assert not any(core.__cpu_features__.get(name) for name in core.__cpu_dispatch__);"
        "from vad_models.data.synth.campus import writer; from vad_models.data.synth.campus.script import Video;"
        f"out = pathlib.Path(sys.argv[1]); writer._claim(out, 1, {SEED});"
        f"writer._write_video((out, {TRAIN})); writer._write_video((out, {TEST}))"
    )
    root = Path(writer.__file__).parents[4]
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    subprocess.run(command, check=True, env=os.environ | plain, cwd=root, timeout=300)
    assert digest(tmp_path) == digest(campus)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_the_same(campus: Path, tmp_path: Path, short: None) -> None:
    out = tmp_path / "campus"
    generate_campus(out, cameras=1, seed=SEED, workers=1)
    kept = out / "training/videos/01_002.avi"
    before = kept.stat().st_mtime_ns
    mask = out / "testing/test_pixel_mask/01_0004.npy"
    mask.unlink()
    (mask.parent / ".01_0004.0badcafe.partial.npy").write_bytes(b"half")
    making = out / ".01_0004.making"
    making.mkdir()
    (making / "000.jpg").write_bytes(b"half")
    generate_campus(out, cameras=1, seed=SEED, workers=1)
    assert digest(out) == digest(campus)
    assert kept.stat().st_mtime_ns == before


def test_a_whole_campus_is_not_drawn_again(
    campus: Path, monkeypatch: pytest.MonkeyPatch, short: None
) -> None:
    monkeypatch.setattr(writer, "render", lambda video: pytest.fail(f"{video.name} was drawn again"))
    seen: list[tuple[int, int]] = []
    generate_campus(campus, 1, SEED, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (TRAIN.frames + TEST.frames,) * 2


@pytest.mark.parametrize("cameras", [-1, 0, 14])
def test_number_of_cameras_out_of_range_is_refused(cameras: int, tmp_path: Path) -> None:
    with pytest.raises(VadError, match=f"cameras is {cameras}: .*1 to 13"):
        generate_campus(tmp_path / "campus", cameras=cameras)
    assert not (tmp_path / "campus").exists()


@pytest.mark.parametrize("setting", ["seed", "workers"])
def test_negative_seed_or_workers_is_refused(setting: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{setting} is -1"):
        generate_campus(tmp_path / "campus", **{setting: -1})  # type: ignore[arg-type]


def test_another_seeds_campus_is_not_mixed_in(campus: Path) -> None:
    with pytest.raises(DataError, match="holds the campus of seed 7"):
        generate_campus(campus, cameras=1, seed=8)


def test_a_folder_with_other_things_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        generate_campus(tmp_path, cameras=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
