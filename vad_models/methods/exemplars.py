"""Exemplars, a method of our own: normality as examples, place by place, and nothing trained by gradient.

In the spirit of Ramachandra and Jones (Street Scene, 2020) and EVAL (Singh, Jones and Learned-Miller 2023), with
features that a CPU computes in milliseconds. Two experts look at overlapping regions of about a person's height: how
the foreground moved over the last frames, against what was seen there; and how much changed, against what is usual
there. Their scores become surprises, against training video that made neither exemplars nor scaling, and add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import (
    Box,
    ClipSpec,
    Explanation,
    Features,
    Method,
    MethodSettings,
    Phase,
    as_frames,
)
from vad_models.layers.cross_fitting import LEAST, CrossFit, Fitted, VideoWindows, folds_of, highest_mean
from vad_models.layers.exemplars import NOWHERE, ExemplarBank, crop_of
from vad_models.layers.motion_windows import CHANNELS, MotionWindows, motion_windows
from vad_models.layers.places import Places
from vad_models.layers.scene_motion import SceneMotion, frame_keys
from vad_models.layers.tails import Tail
from vad_models.settings import FrameSize

__all__ = ["Exemplars", "ExemplarsSettings"]

_BLOCK = 64
"""Frames of a training video that are looked at at once."""


class ExemplarsSettings(MethodSettings):
    """Settings of `exemplars`."""

    detail: float = Field(default=12.0, gt=0)
    """Pixels that the smallest person is high at the finest scale of optical flow; more is faster, and blunter."""
    person: float | None = Field(default=None, gt=0, le=1)
    """Height of a person in mid-scene as a share of the frame's height; None measures it in training video."""
    window: int = Field(default=6, ge=1)
    """Pairs of frames that a region's motion is the mean of."""
    foreground: float = Field(default=0.05, gt=0, lt=1)
    """Share of a region that must be foreground; with less, nothing happens there."""
    radius: float = Field(default=0.25, gt=0)
    """Of the cover, as a share of the median distance between two windows."""
    limit: int = Field(default=20000, ge=1)
    """Most exemplars that training makes; the radius grows until they are no more."""
    reach: float = Field(default=1.0, ge=0)
    """Half-heights of a person within which a place takes over the exemplars of others."""
    elsewhere: float = Field(default=0.1, ge=0)
    """Added to the distance from an exemplar of another place, in median distances between two windows."""
    folds: int = Field(default=8, ge=3)
    """Parts of the training video, each scored by what the others made."""
    prior: float = Field(default=2000.0, ge=0)
    """Windows that the prior of what is usual at a place counts as."""
    highest: int = Field(default=3, ge=1)
    """Regions that a frame's score is the mean of."""
    tail_from: float = Field(default=0.9, gt=0, lt=1)
    """Quantile of normal scores where the generalised Pareto tail begins."""
    tail_shape: float = Field(default=0.5, gt=0)
    """Shape of that tail."""
    crop: int = Field(default=24, ge=8)
    """Side, in pixels, of the picture kept of each exemplar."""


class Exemplars(Method):
    """The surprise of the regions of a frame that are farthest from all that was seen there."""

    name: ClassVar[str] = "exemplars"
    title: ClassVar[str] = "exemplars of normal motion, place by place (ours)"
    Settings: ClassVar[type[MethodSettings]] = ExemplarsSettings
    signals: ClassVar[tuple[str, ...]] = ("surprise", "motion", "change")
    headline: ClassVar[str] = "surprise"

    def __init__(self, settings: ExemplarsSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.window + 1, settings.window, size)
        self.front = SceneMotion(size, settings.detail, settings.person)
        self.bank = ExemplarBank(CHANNELS, settings.crop)
        regions = len(self.front.regions)
        self.places = nn.ModuleDict(
            {expert: Places(regions, settings.prior) for expert in ("motion", "change")}
        )
        self.tails = nn.ModuleDict(
            {expert: Tail(settings.tail_from, settings.tail_shape) for expert in self.places}
        )

    def phases(self) -> Mapping[str, Phase]:
        """One phase without steps: `fit_statistics` does it all, since only there videos can be told apart."""
        return {"exemplars": Phase(epochs=0, sequence=self.clip.frames, batch=1, learning_rate=1.0)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        raise NotImplementedError("exemplars has no phase with steps")

    def fit_statistics(self, videos: Iterable[np.ndarray]) -> None:
        footage = [video for video in videos if len(video) >= self.clip.frames]
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        self.front.fit(footage)
        surveyed = [self._survey(video) for video in footage]
        near = self._near()
        settings = self.settings
        fit = CrossFit(
            near, settings.radius, settings.limit, settings.elsewhere, settings.prior, settings.highest
        )
        lengths = [len(video.change) for video in surveyed]
        fitted = fit(surveyed, folds_of(lengths, settings.folds, settings.window, rng), rng)
        self._places("motion").fit(fitted.distances, fitted.region, near, fitted.support)
        change = np.concatenate([video.change for video in surveyed])
        self._places("change").fit(change.ravel(), np.tile(np.arange(len(near)), len(change)), near)
        self._tail("motion").fit(fitted.motion)
        self._tail("change").fit(fitted.change)
        self.bank = ExemplarBank(CHANNELS, settings.crop)
        self.bank.scale.fill_(fitted.scale)
        self._remember(footage, surveyed, fitted)

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        steadied = self.front.steadied(frames)
        return {"frames": torch.from_numpy(steadied), "keys": torch.from_numpy(frame_keys(steadied))}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        judged = self._judged(features)
        every = {
            expert: torch.from_numpy(highest_mean(values, self.settings.highest))
            for expert, values in judged.deviations.items()
        }
        every["surprise"] = self._surprise(every)
        return {signal: every[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self.front.regions.painted(self._surprises(self._judged(features)))

    def explain(self, features: Features) -> list[Explanation]:
        judged = self._judged(features)
        frames = features["frames"].numpy()[self.settings.window :]
        regions = self.front.regions
        explanations = []
        for time, surprises in enumerate(self._surprises(judged)):
            region = int(surprises.argmax())
            box = regions.box(region)
            vector = judged.windows.vectors[time, region][None]
            distance, nearest = self.bank.nearest(
                vector, np.array([region]), self._near(), self.settings.elsewhere
            )
            known = Explanation(
                box,
                float(surprises[region]),
                float(distance[0]),
                crop_of(frames[time], box, self.settings.crop),
            )
            if (example := int(nearest[0])) != NOWHERE:
                video, frame = self.bank.origin[example].tolist()
                normal_box = regions.box(int(self.bank.region[example]))
                known = replace(
                    known, normal=self.bank.crop(example), video=video, frame=frame, normal_box=normal_box
                )
            explanations.append(known)
        return explanations

    def version(self) -> int:
        return self.bank.newest

    def learn(self, features: Features, box: Box | None = None) -> int:
        judged = self._judged({key: values[-self.clip.frames :] for key, values in features.items()})
        stands_out = judged.windows.active[0] | (judged.deviations["change"][0] > 0)
        if box is not None:
            stands_out[np.setdiff1d(np.arange(len(stands_out)), self.front.regions.within(box))] = False
        region = np.flatnonzero(stands_out)
        frame = features["frames"][-1].numpy()
        version = self.version() + 1
        self.bank.add(
            judged.windows.vectors[0, region],
            region,
            np.full((len(region), 2), -1),
            judged.windows.change[0, region],
            np.zeros(len(region), bool),
            self._crops(frame, region),
            version,
        )
        return version

    def unlearn(self, version: int) -> None:
        self.bank.forget(version)

    def _survey(self, video: np.ndarray) -> VideoWindows:
        """The windows of a training video, a piece of it in memory at a time."""
        length, parts = self.settings.window, []
        for first in range(0, len(video) - length, _BLOCK):
            frames = self.front.steadied(as_frames(video[first : first + _BLOCK + length]))
            windows = self._windows(frames, frame_keys(frames))
            time, region = np.nonzero(windows.active)
            parts.append((first + time, region, windows.vectors[time, region], windows.change))
        return VideoWindows(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _remember(
        self, footage: Sequence[np.ndarray], surveyed: Sequence[VideoWindows], fitted: Fitted
    ) -> None:
        """Put the chosen windows into the bank."""
        first = 0
        for number, (video, windows) in enumerate(zip(footage, surveyed, strict=True)):
            mine = (fitted.exemplars >= first) & (fitted.exemplars < first + len(windows.time))
            own = fitted.exemplars[mine] - first
            first += len(windows.time)
            frames, region = windows.time[own] + self.settings.window, windows.region[own]
            crops = np.zeros((len(own), self.settings.crop, self.settings.crop), np.uint8)
            for frame in np.unique(frames):
                steadied = self.front.steadied(as_frames(video[frame : frame + 1]))[0]
                crops[frames == frame] = self._crops(steadied, region[frames == frame])
            origin = np.stack([np.full(len(own), number), frames], axis=1)
            change = windows.change[windows.time[own], region]
            everywhere = fitted.everywhere[mine]
            self.bank.add(windows.vectors[own], region, origin, change, everywhere, crops, version=0)

    def _crops(self, frame: NDArray[np.uint8], region: NDArray[np.int64]) -> NDArray[np.uint8]:
        side = self.settings.crop
        crops = [crop_of(frame, self.front.regions.box(int(one)), side) for one in region]
        return np.stack(crops) if crops else np.zeros((0, side, side), np.uint8)

    def _windows(self, frames: NDArray[np.uint8], keys: NDArray[np.int64]) -> MotionWindows:
        sums = self.front.sums(frames, keys.tolist())
        return motion_windows(sums, self.front.regions, self.settings.window, self.settings.foreground)

    def _judged(self, features: Features) -> _Judged:
        windows = self._windows(features["frames"].numpy(), features["keys"].numpy())
        near = self._near()
        time, region = np.nonzero(windows.active)
        distances, _ = self.bank.nearest(windows.vectors[time, region], region, near, self.settings.elsewhere)
        motion = np.full(windows.change.shape, LEAST, np.float32)
        motion[time, region] = self._places("motion")(distances, region)
        everywhere = np.arange(len(near))
        change = self._places("change")(windows.change, everywhere)
        if self.version():
            time, region = np.nonzero(change > 0)
            known = self.bank.known(
                windows.vectors[time, region],
                region,
                windows.change[time, region],
                near,
                self.settings.radius,
            )
            change[time[known], region[known]] = 0
        return _Judged(windows, {"motion": motion, "change": change})

    def _surprises(self, judged: _Judged) -> Tensor:
        """Of each region, as if it were all of the frame: (windows, regions)."""
        shape = judged.windows.change.shape
        flat = {expert: torch.from_numpy(values.ravel()) for expert, values in judged.deviations.items()}
        return self._surprise(flat).unflatten(0, shape)

    def _surprise(self, deviations: Mapping[str, Tensor]) -> Tensor:
        """Sum of the experts' surprises, of deviations (n,): (n,)."""
        device = self.bank.vectors.device
        return torch.stack(
            [self._tail(expert)(deviations[expert].to(device)).cpu() for expert in self.tails]
        ).sum(0)

    def _near(self) -> NDArray[np.bool_]:
        return np.asarray(self.front.regions.apart <= self.settings.reach + 1e-6)

    def _places(self, expert: str) -> Places:
        places = self.places[expert]
        assert isinstance(places, Places)
        return places

    def _tail(self, expert: str) -> Tail:
        tail = self.tails[expert]
        assert isinstance(tail, Tail)
        return tail


@dataclass(frozen=True)
class _Judged:
    """Windows, and how far each expert finds each region from usual: expert -> float32 (windows, regions)."""

    windows: MotionWindows
    deviations: dict[str, NDArray[np.float32]]
