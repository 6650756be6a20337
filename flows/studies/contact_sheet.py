"""Contact sheets: one moment of a test video under every condition that the robustness study measures.

They let a person check that rain falls as streaks, that severities are in order, and that each distortion looks real.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from flows.project.project import Project, open_raw
from flows.results.figures import INK, MUTED
from vad_models.data.files import atomic_path
from vad_models.data.frame_store import resized
from vad_models.data.layouts import RawVideo
from vad_models.errors import DataError
from vad_models.settings import FrameSize
from vad_models.studies.conditions import Condition, RobustnessSettings, conditions

__all__ = ["severity_sheet", "weather_sheet", "write_contact_sheets"]

_HEIGHT = 128
"""Size of a picture in pixels. It is distorted at this size and drawn pixel by pixel, so nothing is smoothed away."""

_FRAMES = 100
"""Number of frames from the beginning of the video, enough to show distortions that begin late."""

_GAP, _MARGIN = 4, (190, 34)
"""Pixels between pictures, and left of them and above them for the labels."""

_DPI = 100


def write_contact_sheets(project: Project, dataset: str, folder: Path) -> list[Path]:
    """Write `distortions.jpg` and `weather.jpg` of the dataset's first test video into `folder`; returns the files.

    Raises:
        DataError: the dataset is not in `data/`, or has no test video.
        SettingsError: the grid in params.yaml names a distortion that does not exist.
    """
    raw = open_raw(project.paths, dataset)
    video = next((video for video in raw.videos if video.split == "test"), None)
    if video is None:
        raise DataError(f"data/{dataset} has no test video to distort: choose another dataset.")
    settings = project.params.study("robustness", RobustnessSettings)
    sheets = {"distortions": severity_sheet(video, settings), "weather": weather_sheet(video, settings)}
    for name, figure in sheets.items():
        with atomic_path(folder / f"{name}.jpg") as temporary:
            figure.savefig(temporary, dpi=_DPI, pil_kwargs={"quality": 85})
    return [folder / f"{name}.jpg" for name in sheets]


def severity_sheet(video: RawVideo, settings: RobustnessSettings) -> Figure:
    """Draw one row per distortion: the clean picture, followed by one picture per severity.

    Raises:
        SettingsError: a distortion does not exist.
    """
    clean, *grid = conditions(settings)
    by_name: dict[str, list[Condition]] = {}
    for condition in grid:
        if condition.distortion != clean.distortion:
            by_name.setdefault(condition.distortion, [clean]).append(condition)
    rows = {name.replace("_", " "): row for name, row in by_name.items()}
    return _sheet(video, rows, ["clean", *map(str, settings.severities)], "severity", settings.seed)


def weather_sheet(video: RawVideo, settings: RobustnessSettings) -> Figure:
    """Draw the paper's grid: one row per rain strength, one column per brightness."""
    rows = {
        f"rain: {rain}": [
            Condition(distortion="weather", brightness=brightness, rain=rain)
            for brightness in settings.brightness
        ]
        for rain in settings.rain
    }
    columns = [f"{brightness:g}" for brightness in settings.brightness]
    return _sheet(video, rows, columns, "brightness", settings.seed)


def _sheet(
    video: RawVideo, rows: dict[str, list[Condition]], columns: Sequence[str], unit: str, seed: int
) -> Figure:
    """Draw labelled pictures: `rows` of conditions, with titles of the columns and their unit."""
    clip = np.stack([_small(frame) for frame in islice(video.frames(), _FRAMES)])
    key = f"{video.camera}/{video.name}"
    pictures = [_row([condition.apply(clip, key, seed) for condition in row]) for row in rows.values()]
    mosaic = np.vstack(pictures)
    left, top = _MARGIN
    wide, high = left + mosaic.shape[1], top + mosaic.shape[0]
    figure = Figure(figsize=(wide / _DPI, high / _DPI), dpi=_DPI)
    axes = figure.add_axes((left / wide, 0, 1 - left / wide, 1 - top / high))
    axes.imshow(mosaic, interpolation="none", aspect="auto")
    axes.xaxis.tick_top()
    for axis, names, length in ((axes.xaxis, columns, mosaic.shape[1]), (axes.yaxis, rows, mosaic.shape[0])):
        axis.set_ticks((np.arange(len(names)) + 0.5) * length / len(names), list(names))
    axes.tick_params(length=0, labelsize=13, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.annotate(
        unit,
        (0, 1),
        (-5, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=13,
        color=MUTED,
        ha="right",
    )
    return figure


def _small(frame: np.ndarray) -> np.ndarray:
    height, width, channels = frame.shape
    return resized(frame, FrameSize(_HEIGHT, round(width * _HEIGHT / height), channels))


def _row(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Draw the same frame of each video next to each other on white: the frame that the last video changes most."""
    changes = np.abs(videos[-1].astype(np.int16) - videos[0]).mean(axis=(1, 2, 3))
    frame = int(changes.argmax())
    return np.hstack(
        [np.pad(video[frame], ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for video in videos]
    )
