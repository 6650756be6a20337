"""Robustness to distortions: methods are trained once on clean video and scored under every condition of a grid.

The grid is that of Li et al. 2021, section 5.2 (brightness x rain), and each further distortion at each severity. The
held-out normal video stays clean: a camera is calibrated before the weather turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import Video
from vad_models.errors import SettingsError
from vad_models.scoring import score_excerpts
from vad_models.settings import Frozen, StudySettings
from vad_models.studies.distortions import DISTORTIONS, distort
from vad_models.studies.distortions.weather import weather

__all__ = ["Condition", "Rain", "RobustnessSettings", "conditions", "score_under"]

Rain = Literal["none", "drizzle", "heavy", "torrential"]


class RobustnessSettings(StudySettings):
    """The grid of distortions that trained methods are scored under."""

    brightness: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    """Factors of the intensities, crossed with `rain` (Li et al. 2021, Fig. 5)."""
    rain: tuple[Rain, ...] = ("none", "drizzle", "heavy", "torrential")
    """Kinds of rain."""
    distortions: tuple[str, ...] = ()
    """Functions of `vad_models/studies/distortions/`, each at every severity; empty means all of them."""
    severities: tuple[Annotated[int, Field(ge=1, le=5)], ...] = (1, 2, 3, 4, 5)
    """Severities, from mild to severe."""
    seed: int = 0
    """Seed of everything random in the distortions."""


class Condition(Frozen):
    """One cell of the grid: a distortion at a severity, or a brightness and a rain."""

    distortion: str
    """`weather` for a cell of the paper's grid, else one of `DISTORTIONS`."""
    severity: int = 0
    """Severity of the distortion; 0 in the paper's grid."""
    brightness: float = 1.0
    """Factor of the intensities; 1 outside the paper's grid."""
    rain: Rain = "none"
    """Kind of rain; `none` outside the paper's grid."""

    @property
    def clean(self) -> bool:
        """Whether nothing is distorted."""
        return self.distortion == "weather" and self.brightness == 1 and self.rain == "none"

    @property
    def title(self) -> str:
        """Readable and unique: `fog-3`, `weather-0.6-heavy`."""
        if self.distortion == "weather":
            return f"weather-{self.brightness:g}-{self.rain}"
        return f"{self.distortion}-{self.severity}"

    @property
    def code(self) -> tuple[Callable[..., object], ...]:
        """The functions that distort: what of the code shapes the pictures."""
        return (weather,) if self.distortion == "weather" else DISTORTIONS[self.distortion].code

    def apply(self, video: np.ndarray, key: str, seed: int) -> np.ndarray:
        """The whole video, uint8 (T, H, W, C), under this condition."""
        if self.distortion == "weather":
            return weather(video, self.brightness, self.rain, key, seed)
        return distort(video, self.distortion, self.severity, key, seed)


def conditions(settings: RobustnessSettings) -> list[Condition]:
    """Every cell of the grid, the clean one first.

    Raises:
        SettingsError: a distortion does not exist.
    """
    names = settings.distortions or tuple(DISTORTIONS)
    for name in names:
        if name not in DISTORTIONS:
            raise SettingsError(
                f"studies.robustness.distortions names {name!r}; the distortions there are: {', '.join(DISTORTIONS)}."
            )
    grid = [
        Condition(distortion="weather", brightness=brightness, rain=rain)
        for rain in settings.rain
        for brightness in settings.brightness
    ]
    clean = Condition(distortion="weather")
    beyond = [
        Condition(distortion=name, severity=severity) for name in names for severity in settings.severities
    ]
    return [clean, *(cell for cell in grid if not cell.clean), *beyond]


def score_under(
    condition: Condition,
    methods: Mapping[str, Method],
    videos: Sequence[Video],
    seed: int,
    threads: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Score test videos under one condition; each video is read and distorted once for all methods.

    Args:
        condition: the cell of the grid.
        methods: name -> trained method; all see frames of the videos' size.
        videos: test videos of one camera.
        seed: of the distortion.
        threads: number of torch threads in this process; None leaves it as it is.

    Returns:
        Name -> score table, split `test`.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in methods}
    for video in videos:
        seen = condition.apply(video.array(), f"{video.camera}/{video.name}", seed)
        excerpt = _Seen(video, 0, video.frames, seen)
        for name, method in methods.items():
            tables[name].append(score_excerpts(method, [excerpt], "test"))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


@dataclass(frozen=True)
class _Seen(Excerpt):
    """A video as the camera delivered it under some condition."""

    seen: np.ndarray

    def array(self) -> np.ndarray:
        return self.seen
