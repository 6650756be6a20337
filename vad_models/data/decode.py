"""Frame sources: image sequences and video files, decoded frame by frame.

Decoders hide damage: OpenCV fills the rest of a truncated JPEG with grey, and FFmpeg repeats the frames it has. Here,
damage raises a `FrameError` that names the file and the frame.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import av.error
import cv2
import numpy as np
from natsort import natsorted
from numpy.typing import NDArray

from vad_models.errors import DataError

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "FrameError",
    "FrameSource",
    "ImageSequence",
    "VideoFile",
    "listed",
]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm")

# A FrameError says what OpenCV would log about a damaged image.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_CHUNK = 1 << 20
_LATE = 0.5
"""Seconds by which a video may end before its announced duration (the last frame, rounding)."""


class FrameError(DataError):
    """A frame cannot be decoded. `file` is the file at fault, `frame` the 0-based index in the video."""

    def __init__(self, file: Path, frame: int, reason: str) -> None:
        super().__init__(f"frame {frame} of {file} cannot be read: {reason}; copy it again, or leave it out.")
        self.file, self.frame, self.reason = file, frame, reason

    def __reduce__(self) -> tuple[type[FrameError], tuple[Path, int, str]]:
        return FrameError, (self.file, self.frame, self.reason)


class FrameSource(Protocol):
    """Source of the frames of one video."""

    @property
    def path(self) -> Path:
        """The video file, or the folder of the images."""

    @property
    def fps(self) -> float:
        """Frames per second; NaN if unknown."""

    def count(self) -> int:
        """Count the frames without decoding any."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Decode the frames in order: uint8 (H, W, 3), RGB, all of one size.

        Raises:
            FrameError: a frame is damaged or has another size.
        """

    def sha256(self) -> str:
        """Hash the raw bytes, as `cat FILES | sha256sum` does with the files in the order of the frames."""


@dataclass(frozen=True)
class ImageSequence:
    """A folder of images, one per frame, in natural order."""

    path: Path
    files: tuple[Path, ...]
    fps: float = math.nan

    @classmethod
    def of(cls, folder: Path, fps: float = math.nan) -> ImageSequence:
        """List all images of `folder`."""
        return cls(folder, tuple(listed(folder, IMAGE_SUFFIXES)), fps)

    def count(self) -> int:
        return len(self.files)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        shape: tuple[int, ...] | None = None
        for number, file in enumerate(self.files):
            image = _decode_image(file, number)
            shape = shape or image.shape
            if image.shape != shape:
                raise FrameError(file, number, _other_size(image.shape, shape))
            yield image

    def sha256(self) -> str:
        return _sha256(self.files)


@dataclass(frozen=True)
class VideoFile:
    """A video file, decoded by FFmpeg on one thread; parallel work uses one process per video."""

    path: Path

    @property
    def fps(self) -> float:
        with self._open() as container:
            rate = container.streams.video[0].average_rate
            return float(rate) if rate else math.nan

    def count(self) -> int:
        with self._open() as container:
            track = container.streams.video[0]
            return track.frames or sum(1 for packet in container.demux(track) if packet.size)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        number = 0
        shape: tuple[int, ...] | None = None
        with self._open() as container:
            track = container.streams.video[0]
            track.codec_context.thread_count = 1
            packets, end = 0, 0.0
            try:
                for packet in container.demux(track):
                    packets += bool(packet.size)
                    if packet.pts is not None and packet.time_base is not None:
                        end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    if packet.is_corrupt:
                        raise FrameError(self.path, number, "the file ends or breaks in the middle of it")
                    for frame in packet.decode():
                        if frame.is_corrupt:
                            raise FrameError(self.path, number, "its data is damaged")
                        image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                        shape = shape or image.shape
                        if image.shape != shape:
                            raise FrameError(self.path, number, _other_size(image.shape, shape))
                        yield image
                        number += 1
            except av.error.FFmpegError as broken:
                raise FrameError(self.path, number, f"the decoder says {broken.strerror!r}") from None
            # Packets are counted, because codecs may put two frames into one packet and follow it by an empty one.
            if track.frames and packets < track.frames:
                reason = f"the container announces {track.frames} frames and ends after {packets}"
                raise FrameError(self.path, number, reason)
            announced = 0.0 if track.frames else _announced_seconds(container)
            if end < announced - _LATE:
                reason = f"the container announces {announced:.1f} s and ends after {end:.1f} s"
                raise FrameError(self.path, number, reason)

    def sha256(self) -> str:
        return _sha256((self.path,))

    def _open(self) -> av.container.InputContainer:
        try:
            if not self.path.stat().st_size:
                raise FrameError(self.path, 0, "the file is empty")
            container = av.open(str(self.path))
        except FileNotFoundError:
            raise FrameError(self.path, 0, "there is no such file") from None
        except av.error.FFmpegError as broken:
            raise FrameError(self.path, 0, f"the file is not a whole video ({broken.strerror})") from None
        if not container.streams.video:
            container.close()
            raise FrameError(self.path, 0, "the file holds no video track")
        return container


def listed(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """List files of `folder` with one of `suffixes`, in natural order, without hidden files like `._001.tif`."""
    files = (file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.is_file())
    return natsorted((file for file in files if not file.name.startswith(".")), key=lambda file: file.name)


def _announced_seconds(container: av.container.InputContainer) -> float:
    """Read the duration of the video that Matroska and WebM announce; 0 if they announce none."""
    if tag := container.streams.video[0].metadata.get("DURATION"):
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    # The container's own duration is that of its longest track.
    return (container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0


def _decode_image(file: Path, number: int) -> NDArray[np.uint8]:
    try:
        data = file.read_bytes()
    except OSError as broken:
        raise FrameError(file, number, str(broken.strerror)) from None
    if not data:
        raise FrameError(file, number, "the file is empty")
    if _is_cut_short(data):
        raise FrameError(file, number, "the file ends before the image does")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        image = None
    if image is None:
        raise FrameError(file, number, "it is not an image, or a damaged one")
    return np.asarray(image, np.uint8)


def _is_cut_short(data: bytes) -> bool:
    """Check whether a JPEG or PNG lacks its end marker. Bytes that follow the marker are harmless."""
    if data.startswith(b"\xff\xd8"):
        # The end marker must follow the last scan, because an embedded thumbnail before it has its own marker.
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(b"\x89PNG") and b"IEND\xae\x42\x60\x82" not in data


def _other_size(shape: tuple[int, ...], first: tuple[int, ...]) -> str:
    return f"it is {shape[1]}x{shape[0]} pixels, the video began with {first[1]}x{first[0]}"


def _sha256(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
