"""Frames come in order and whole; damage that decoders hide is found."""

from __future__ import annotations

import hashlib
import math
import pickle
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from vad_models.data.decode import FrameError, ImageSequence, VideoFile

FOOTAGE = {"avi": "mpeg4", "mp4": "libx264", "mkv": "ffv1"}


def test_images_are_rgb_in_natural_order(footage: Any, tmp_path: Path) -> None:
    folder = footage.images(tmp_path / "v", 12, "{}.png", first=1)
    (folder / "._1.png").write_bytes(b"litter")
    source = ImageSequence.of(folder)
    frames = list(source.frames())
    assert source.count() == 12
    assert math.isnan(source.fps)
    assert all(np.array_equal(frame, footage.frame(number)) for number, frame in enumerate(frames))


@pytest.mark.parametrize("suffix", FOOTAGE)
def test_videos_are_rgb_in_order(footage: Any, tmp_path: Path, suffix: str) -> None:
    source = VideoFile(footage.video(tmp_path / f"v.{suffix}", 20, FOOTAGE[suffix]))
    frames = list(source.frames())
    assert (source.count(), source.fps) == (20, 24.0)
    errors = [np.abs(f.astype(int) - footage.frame(n)).mean() for n, f in enumerate(frames)]
    assert len(frames) == 20
    assert max(errors) < 12


def test_the_hash_is_that_of_the_files(footage: Any, tmp_path: Path) -> None:
    folder = footage.images(tmp_path / "v", 3)
    raw = b"".join((folder / f"{number:03d}.jpg").read_bytes() for number in range(3))
    assert ImageSequence.of(folder).sha256() == hashlib.sha256(raw).hexdigest()
    video = footage.video(tmp_path / "v.avi", 3)
    assert VideoFile(video).sha256() == hashlib.sha256(video.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_a_truncated_image_is_found(footage: Any, tmp_path: Path, suffix: str, share: float) -> None:
    folder = footage.images(tmp_path / "v", 4, "{}" + suffix)
    broken = folder / f"2{suffix}"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FrameError, match=rf"frame 2 of .*2\{suffix} cannot be read: .*; copy it again"):
        list(ImageSequence.of(folder).frames())


def test_a_jpeg_with_a_thumbnail_is_truncated_all_the_same(footage: Any, tmp_path: Path) -> None:
    folder = footage.images(tmp_path / "v", 1)
    file = folder / "000.jpg"
    whole = file.read_bytes()
    thumbnail = b"\xff\xe1" + (len(whole) + 2).to_bytes(2, "big") + whole
    file.write_bytes(whole[:2] + thumbnail + whole[2:])
    assert len(list(ImageSequence.of(folder).frames())) == 1
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FrameError, match="ends before the image does"):
        list(ImageSequence.of(folder).frames())


def test_bytes_after_a_jpeg_are_harmless(footage: Any, tmp_path: Path) -> None:
    folder = footage.images(tmp_path / "v", 1)
    file = folder / "000.jpg"
    file.write_bytes(file.read_bytes() + b"\0" * 64)
    assert len(list(ImageSequence.of(folder).frames())) == 1


def test_frames_of_another_size_are_found(footage: Any, tmp_path: Path) -> None:
    folder = footage.images(tmp_path / "v", 3)
    cv2.imwrite(str(folder / "001.jpg"), footage.frame(1, height=32))
    with pytest.raises(FrameError, match="it is 64x32 pixels, the video began with 64x48"):
        list(ImageSequence.of(folder).frames())


@pytest.mark.parametrize("suffix", FOOTAGE)
@pytest.mark.parametrize("share", [0.0, 0.4, 0.7])
def test_a_truncated_video_is_found(footage: Any, tmp_path: Path, suffix: str, share: float) -> None:
    # Long enough that the head of the file is a small part of it.
    video = footage.video(tmp_path / f"v.{suffix}", 60, FOOTAGE[suffix], size=(96, 128))
    whole = video.read_bytes()
    video.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FrameError, match=rf"frame \d+ of .*v\.{suffix} cannot be read: "):
        list(VideoFile(video).frames())


def test_a_video_cut_between_two_frames_is_found(footage: Any, tmp_path: Path) -> None:
    video = footage.video(tmp_path / "v.avi", 30, "mjpeg")
    whole = video.read_bytes()
    cut = [
        at
        for at in range(len(whole))
        if whole.startswith(b"00dc", at) and whole[at + 8 : at + 10] == b"\xff\xd8"
    ]
    video.write_bytes(whole[: cut[20]])
    with pytest.raises(FrameError, match="announces 30 frames and ends after 20"):
        list(VideoFile(video).frames())


def test_sound_may_go_on_after_the_last_frame(footage: Any, tmp_path: Path) -> None:
    video = tmp_path / "v.mkv"
    with av.open(str(video), "w") as container:
        stream, sound = container.add_stream("ffv1", rate=24), container.add_stream("pcm_s16le", rate=8000)
        stream.width, stream.height, stream.pix_fmt, sound.layout = 64, 48, "yuv420p", "mono"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(footage.frame(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(list(VideoFile(video).frames())) == 6


def test_a_file_that_is_gone_is_named(footage: Any, tmp_path: Path) -> None:
    source = ImageSequence.of(footage.images(tmp_path / "v", 3))
    (tmp_path / "v" / "001.jpg").unlink()
    with pytest.raises(FrameError, match=r"frame 1 of .*001\.jpg cannot be read: No such file"):
        list(source.frames())
    with pytest.raises(FrameError, match="there is no such file"):
        VideoFile(tmp_path / "v.avi").count()


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "v.mp4"
    file.write_text("not a video")
    for read in (VideoFile(file).count, lambda: list(VideoFile(file).frames())):
        with pytest.raises(FrameError, match="not a whole video"):
            read()


def test_the_error_survives_the_way_between_processes() -> None:
    error = FrameError(Path("x.jpg"), 3, "broken")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (made one line above)
    assert (str(again), again.frame) == (str(error), 3)
