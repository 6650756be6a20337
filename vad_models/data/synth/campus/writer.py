"""Writing of the campus to disk: whole files only, none of them twice, the same bytes on every machine.

The layout is ShanghaiTech's, with two additions that its readers ignore, `campus.json` and `anomalies`:

<out>/
|-- campus.json                         seed, cameras, version
|-- anomalies/CC_VVVV.csv               video, kind, nature, first and last frame (from 0, inclusive)
|-- training/videos/CC_VVV.avi          Motion JPEG, 24 frames per second
`-- testing/
    |-- frames/CC_VVVV/NNN.jpg
    |-- test_frame_mask/CC_VVVV.npy     uint8 (T,), 1 = abnormal
    `-- test_pixel_mask/CC_VVVV.npy     uint8 (T, H, W), 1 = abnormal
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vad_models.data.files import atomic_path, explain_write_errors, remove_partials, write_json
from vad_models.data.parallel import ReportProgress, map_videos
from vad_models.data.synth.campus.anomalies import KINDS
from vad_models.data.synth.campus.cameras import CAMERAS
from vad_models.data.synth.campus.render import Picture, render
from vad_models.data.synth.campus.script import Video, videos_of
from vad_models.data.synth.campus.view import FPS, HEIGHT, WIDTH
from vad_models.errors import DataError, SettingsError

__all__ = ["encode_jpeg", "generate_campus"]

_QUALITY = 75
_VERSION = 1
_HEADER = "video,kind,nature,first,last\n"
# An interval ends when its anomaly is out of sight for longer than this many frames.
_BLINK = 6


def generate_campus(
    out: Path,
    cameras: int = 3,
    seed: int = 7,
    workers: int | None = None,
    progress: ReportProgress | None = None,
) -> None:
    """Generate the campus below `out`. Files that are there are kept, so a killed run resumes.

    Args:
        out: folder of the dataset, created if missing. It must be empty or from an earlier run with the same seed.
        cameras: number of cameras, 1 to 13.
        seed: seed of all random numbers, >= 0; the same seed gives the same bytes.
        workers: number of processes; None means the number of processors. It does not change any byte.
        progress: called with (frames done, frames in total) whenever a video is done.

    Raises:
        SettingsError: `cameras`, `seed` or `workers` is out of range.
        DataError: the disk is full, `out` may not be written, or it holds a campus with other settings.
    """
    if not 1 <= cameras <= len(CAMERAS):
        raise SettingsError(f"cameras is {cameras}: the campus has 1 to {len(CAMERAS)} of them.")
    if seed < 0:
        raise SettingsError(f"seed is {seed}: choose 0 or a positive number.")
    if workers is not None and workers < 1:
        raise SettingsError(f"workers is {workers}: choose 1 or more, or leave it out to use all processors.")
    _claim(out, cameras, seed)
    jobs = [(out, video) for camera in range(1, cameras + 1) for video in videos_of(seed, camera)]
    map_videos(
        _write_video, jobs, [video.frames for _, video in jobs], workers or os.cpu_count() or 1, progress
    )


def _claim(out: Path, cameras: int, seed: int) -> None:
    """Record what `out` holds, refuse to mix it with something else, and remove what a killed run left."""
    note = out / "campus.json"
    if note.exists():
        held = json.loads(note.read_text(encoding="utf-8"))
        if (held["seed"], held["version"]) != (seed, _VERSION) or held["cameras"] > cameras:
            raise DataError(
                f"{out} holds the campus of seed {held['seed']} with {held['cameras']} cameras "
                f"(version {held['version']}): delete it, or choose another folder for seed {seed} with {cameras}."
            )
        remove_partials(out)
        for unfinished in out.glob(".*.making"):
            shutil.rmtree(unfinished)
    elif out.is_dir() and any(out.iterdir()):
        raise DataError(
            f"{out} is not empty and holds no campus.json: choose an empty folder for the campus."
        )
    write_json(note, {"seed": seed, "cameras": cameras, "version": _VERSION})


def encode_jpeg(frame: NDArray[np.uint8]) -> bytes:
    """Encode a picture, uint8 (H, W, 3) RGB, as JPEG with the integer transform, which is exact on every machine."""
    done, data = cv2.imencode(
        ".jpg", np.ascontiguousarray(frame[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    if not done:
        raise DataError("a picture could not be encoded as JPEG: is OpenCV built with libjpeg?")
    return data.tobytes()


def _write_video(job: tuple[Path, Video]) -> None:
    """Write the files of one video that are missing."""
    out, video = job
    if video.split == "test":
        _write_test(out, video)
    elif not (path := out / "training/videos" / f"{video.name}.avi").exists():
        _write_avi(path, (encode_jpeg(picture.frame) for picture in render(video)))


def _write_avi(path: Path, pictures: Iterator[bytes]) -> None:
    """Write JPEG pictures as Motion JPEG; the container holds no date, version or random number."""
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format="avi", options={"fflags": "+bitexact"}) as film,
    ):
        stream = film.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for number, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream = stream
            packet.time_base = Fraction(1, FPS)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            film.mux(packet)


def _write_test(out: Path, video: Video) -> None:
    testing = out / "testing"
    frames = testing / "frames" / video.name
    frame_mask = testing / "test_frame_mask" / f"{video.name}.npy"
    pixel_mask = testing / "test_pixel_mask" / f"{video.name}.npy"
    table = out / "anomalies" / f"{video.name}.csv"
    if all(path.exists() for path in (frames, frame_mask, pixel_mask, table)):
        return
    pictures = list(render(video))
    if not frames.exists():
        _write_frames(frames, out / f".{video.name}.making", pictures)
    pixels = np.stack([picture.mask for picture in pictures])
    for path, array in ((pixel_mask, pixels), (frame_mask, pixels.any(axis=(1, 2)).astype(np.uint8))):
        if not path.exists():
            with atomic_path(path, array.nbytes) as temporary:
                np.save(temporary, array)
    if not table.exists():
        with atomic_path(table) as temporary:
            temporary.write_text(_HEADER + _intervals(video.name, pictures), encoding="utf-8")


def _write_frames(folder: Path, making: Path, pictures: list[Picture]) -> None:
    """Write the pictures of a video completely or not at all: the folder gets its name when the last one is in it."""
    with explain_write_errors(folder):
        making.mkdir()
        for number, picture in enumerate(pictures):
            (making / f"{number:03d}.jpg").write_bytes(encode_jpeg(picture.frame))
        folder.parent.mkdir(parents=True, exist_ok=True)
        making.replace(folder)


def _intervals(name: str, pictures: list[Picture]) -> str:
    """Build the rows of the table of anomalies: each kind from where it becomes visible to where it disappears."""
    rows = []
    for kind in KINDS:
        seen = [number for number, picture in enumerate(pictures) if kind in picture.sightings]
        starts = [n for i, n in enumerate(seen) if i == 0 or n - seen[i - 1] > _BLINK]
        ends = [n for i, n in enumerate(seen) if i == len(seen) - 1 or seen[i + 1] - n > _BLINK]
        rows += [
            f"{name},{kind},{KINDS[kind][0]},{first},{last}\n"
            for first, last in zip(starts, ends, strict=True)
        ]
    return "".join(rows)
