"""The frame store is whole or absent, resumes, and is the same however it was made."""

from __future__ import annotations

import hashlib
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from vad_models.data.frame_store import FrameStore, derive
from vad_models.data.layouts import open_dataset
from vad_models.data.manifest import inspect
from vad_models.errors import DataError
from vad_models.settings import FrameSize

SIZE = FrameSize(32, 48, 1)


@pytest.fixture
def raw(footage: Any, tmp_path: Path) -> Path:
    root: Path = footage.shanghaitech(tmp_path / "raw")
    return root


def store(raw: Path, out: Path, size: FrameSize = SIZE, workers: int = 1) -> FrameStore:
    dataset = open_dataset(raw)
    return FrameStore(derive(dataset, inspect(dataset, 1), size, out, workers))


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


@pytest.mark.parametrize("size", [SIZE, FrameSize(48, 64, 1), FrameSize(24, 32, 3)])
def test_frames_are_resized_as_said(raw: Path, tmp_path: Path, size: FrameSize) -> None:
    found = store(raw, tmp_path / "frames", size)
    assert (found.root, found.size) == (tmp_path / "frames" / str(size), size)
    video = found.videos("01", "test")[0]
    array = video.array()
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable
    assert (array.shape, array.dtype, array.flags.c_contiguous) == ((5, *size), np.uint8, True)
    assert video.path == found.root / "01" / "test" / "01_0014.npy"
    frame = next(open_dataset(raw).videos[2].frames())
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if size.channels == 1 else frame
    expected = cv2.resize(grey, (size.width, size.height), interpolation=cv2.INTER_AREA).reshape(size)
    assert np.array_equal(array[0], expected)


def test_videos_know_camera_split_and_labels(raw: Path, tmp_path: Path) -> None:
    found = store(raw, tmp_path)
    assert found.cameras == ["01", "02"]
    assert [(v.camera, v.split, v.name) for v in found.videos("02")] == [
        ("02", "train", "02_001"),
        ("02", "test", "02_0001"),
    ]
    assert len(found.videos()) == len(found.videos("all")) == 4
    train, test = found.videos("01")
    assert train.labels is None
    assert test.labels is not None
    assert test.labels.tolist() == [False, False, True, True, False]
    with pytest.raises(DataError, match=r"has no camera '03': its manifest has 01, 02\."):
        found.videos("03")


def test_the_number_of_processes_does_not_show(raw: Path, tmp_path: Path) -> None:
    one = store(raw, tmp_path / "one", workers=1)
    two = store(raw, tmp_path / "two", workers=2)
    assert digests(one.root) == digests(two.root)
    assert len(digests(one.root)) == 5


def test_a_second_run_touches_nothing(raw: Path, tmp_path: Path) -> None:
    found = store(raw, tmp_path / "frames")
    before = {path: path.stat().st_mtime_ns for path in found.root.rglob("*")}
    store(raw, tmp_path / "frames")
    assert {path: path.stat().st_mtime_ns for path in found.root.rglob("*")} == before


def test_only_what_changed_is_derived_again(footage: Any, raw: Path, tmp_path: Path) -> None:
    found = store(raw, tmp_path / "frames")
    before = {
        video.name: (video.path.stat().st_mtime_ns, found.digest(video.camera)) for video in found.videos()
    }
    footage.video(raw / "training/videos/02_001.avi", 9)
    footage.video(raw / "training/videos/02_002.avi", 3)
    (raw / "training/videos/01_001.avi").rename(raw / "training/videos/01_007.avi")
    found = store(raw, tmp_path / "frames")
    after = {
        video.name: (video.path.stat().st_mtime_ns, found.digest(video.camera)) for video in found.videos()
    }
    assert set(after) == {"01_007", "02_001", "02_002", "01_0014", "02_0001"}
    assert after["01_0014"][0] == before["01_0014"][0]
    assert after["02_001"][0] != before["02_001"][0]
    assert len(found.videos("02", "train")[0].array()) == 9
    assert len(list(found.root.rglob("*.npy"))) == 5


def test_the_digest_is_of_the_data_alone(footage: Any, raw: Path, tmp_path: Path) -> None:
    one, two = store(raw, tmp_path / "one"), store(raw, tmp_path / "two", workers=2)
    assert one.digest("01") == two.digest("01")
    assert one.digest() == two.digest("all")
    assert len({one.digest(), one.digest("01"), one.digest("02")}) == 3
    assert store(raw, tmp_path / "one", FrameSize(32, 48, 3)).digest("01") != one.digest("01")
    np.save(raw / "testing/test_frame_mask/01_0014.npy", np.zeros(5))
    changed = store(raw, tmp_path / "one")
    assert changed.digest("01") != one.digest("01")
    assert changed.digest("02") == one.digest("02")


KILLED = """
import sys, time
from pathlib import Path
import vad_models.data.frame_store as frame_store
from vad_models.data.layouts import open_dataset
from vad_models.data.manifest import inspect
resize, frames = frame_store.resized, []
def slow(frame, size):
    frames.append(frame)
    if len(frames) == 11:  # the largest video has 8 frames, so this is within the second
        print("in the middle", flush=True)
        time.sleep(60)
    return resize(frame, size)
frame_store.resized = slow
dataset = open_dataset(Path(sys.argv[1]))
frame_store.derive(dataset, inspect(dataset, 1), frame_store.FrameSize(32, 48, 1), Path(sys.argv[2]), 1)
"""


def test_a_killed_run_looks_unfinished_and_is_resumed(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, raw, out], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    root = out / str(SIZE)
    with pytest.raises(DataError, match="holds no derived frames"):
        FrameStore(root)
    whole = list(root.rglob("[!.]*.npy"))
    assert [path.stem for path in whole] == ["01_001"]
    assert list(root.rglob(".*.partial.npy")), "the second video was being written"
    (root / ".manifest.01234567.partial.parquet").touch()
    time = whole[0].stat().st_mtime_ns
    store(raw, out)
    assert whole[0].stat().st_mtime_ns == time
    assert digests(root) == digests(store(raw, tmp_path / "undisturbed").root)


def test_what_a_killed_run_left_is_not_trusted_when_the_footage_changed(
    footage: Any, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "frames"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("vad_models.data.frame_store.map_videos", _derive_one_and_stop)
        store(raw, out)
    assert list(out.rglob("01_001.npy"))
    footage.video(raw / "training/videos/01_001.avi", 8, "mjpeg")
    assert digests(store(raw, out).root) == digests(store(raw, tmp_path / "undisturbed").root)


def _derive_one_and_stop(function: Any, items: list[Any], *_: Any) -> None:
    function(items[0])
    raise KeyboardInterrupt


@contextmanager
def small_files() -> Iterator[None]:
    """A limit of 8 kB per file, which looks to a writer like a disk that fills up.

    It holds for the whole process, pytest's own report in a file included: lift it before the test ends.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(raw)
    manifest = inspect(dataset, 1)
    monkeypatch.setattr(
        "vad_models.data.frame_store.write_manifest", _touch
    )  # parquet's own size is not the point
    with (
        small_files(),
        pytest.raises(
            DataError, match=r"the disk or its quota is full: .*01_001\.npy .*; free \d+ MB or more"
        ),
    ):
        derive(dataset, manifest, SIZE, tmp_path / "frames", 1)
    assert not list((tmp_path / "frames").rglob("*.npy"))
    with pytest.raises(DataError):
        FrameStore(tmp_path / "frames" / str(SIZE))


def _touch(_: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()


def test_a_disk_too_small_is_said_before_the_work(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(DataError, match="the disk or its quota is full"):
        store(raw, tmp_path / "frames")
    assert not (tmp_path / "frames").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_frame_that_broke_since_is_named(raw: Path, tmp_path: Path, workers: int) -> None:
    dataset = open_dataset(raw)
    manifest = inspect(dataset, 1)
    file = raw / "testing/frames/01_0014/003.jpg"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"frame 3 of .*01_0014/003\.jpg cannot be read"):
        derive(dataset, manifest, SIZE, tmp_path / "frames", workers)
    assert not list((tmp_path / "frames").rglob("*01_0014*"))
    assert not list((tmp_path / "frames").rglob("manifest.parquet"))


def _with(column: str, value: object) -> Any:
    return lambda manifest: manifest.assign(**{column: [value, *manifest[column][1:]]})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            _with("unreadable", "frame 3 of x: broken"),
            r"cannot be read \(frame 3 of x: broken\): copy it again",
        ),
        (_with("frames", 0), "train video 01_001 of camera 01 holds no frames"),
        (_with("frames", 12), "holds 8 frames and the manifest says 12"),
        (_with("video", "01_009"), "lacks train video 01_009 of camera 01 of its manifest"),
        (lambda manifest: manifest[1:], "the manifest lacks train video 01_001"),
        (lambda manifest: manifest.assign(label_frames=9), "has 5 frames and 9 labels"),
    ],
)
def test_a_manifest_that_contradicts_the_footage_is_refused(
    raw: Path, tmp_path: Path, change: Any, sentence: str
) -> None:
    dataset = open_dataset(raw)
    with pytest.raises(DataError, match=sentence):
        derive(dataset, change(inspect(dataset, 1)), SIZE, tmp_path, 1)


def test_a_damaged_store_is_said(raw: Path, tmp_path: Path) -> None:
    video = store(raw, tmp_path).videos()[0]
    np.save(video.path, np.zeros((3, 32, 48, 1), np.uint8))
    with pytest.raises(DataError, match=r"holds uint8 \(3, 32, 48, 1\), not 8 frames"):
        video.array()
    video.path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read"):
        video.array()


def test_real_ped2_is_derived_in_seconds(ped2: Path, ped2_manifest: pd.DataFrame, tmp_path: Path) -> None:
    found = FrameStore(derive(open_dataset(ped2), ped2_manifest, FrameSize(128, 192, 1), tmp_path, workers=1))
    assert sum(video.frames for video in found.videos(split="train")) == 2550
    assert (
        sum(int(video.labels.sum()) for video in found.videos(split="test") if video.labels is not None)
        == 1648
    )
    assert all(video.array().shape == (video.frames, 128, 192, 1) for video in found.videos())
