"""Calibrated fusion: combines the score signals of other trained methods as tail probabilities.

Signals of appearance, motion and density miss different anomalies. A member's signal becomes a surprise, -log p, where
p is the probability that held-out normal video of the same camera scores as high. Surprises share one unit whatever the
unit of the signal, so they can be averaged without labels (as in Fisher's method, if the members were independent).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Combination, Features, Method, MethodSettings, Phase
from vad_models.errors import SettingsError
from vad_models.layers.tails import Tail
from vad_models.methods import build_method
from vad_models.settings import FrameSize, Frozen

__all__ = ["Fusion", "FusionSettings"]


class Member(Frozen):
    """One of the methods that are combined."""

    method: str
    """Name of the method's module."""
    signals: tuple[str, ...] = Field(min_length=1)
    """Signals of the method that are combined."""
    settings: dict[str, Any]
    """Hyper-parameters of the method."""


class FusionSettings(MethodSettings):
    """Settings of `fusion`."""

    members: dict[str, Member] = Field(min_length=1)
    """Members by their labels in the parameters, with the signals to combine. Their settings are filled in."""
    tail_from: float = Field(default=0.9, gt=0, lt=1)
    """Quantile of the held-out scores where the tail begins."""
    tail_shape: float = Field(default=0.5, gt=0)
    """Shape of the generalised Pareto tail. The larger it is, the slower surprise grows beyond the held-out scores."""


class Fusion(Combination):
    """Scores frames by the mean surprise of several methods' signals."""

    name: ClassVar[str] = "fusion"
    title: ClassVar[str] = "calibrated fusion of trained methods (ours)"
    Settings: ClassVar[type[MethodSettings]] = FusionSettings
    signals: ClassVar[tuple[str, ...]] = ("mean_surprise", "largest_surprise")
    headline: ClassVar[str] = "mean_surprise"

    def __init__(self, settings: FusionSettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.members = nn.ModuleDict(
            {
                label: build_method(member.method, member.settings, size)
                for label, member in settings.members.items()
            }
        )
        for label, member in settings.members.items():
            known = self._member(label).signals
            for signal in member.signals:
                if signal not in known:
                    raise SettingsError(
                        f"fusion.members.{label} names the signal {signal!r}, but {label} has: {', '.join(known)}."
                    )
        clips = [self._member(label).clip for label in self.members]
        before = max(clip.target for clip in clips)
        self.clip = ClipSpec(before + max(clip.lookahead for clip in clips) + 1, before, size)
        self.tails = nn.ModuleDict(
            {
                label: nn.ModuleDict(
                    {signal: Tail(settings.tail_from, settings.tail_shape) for signal in member.signals}
                )
                for label, member in settings.members.items()
            }
        )

    def phases(self) -> Mapping[str, Phase]:
        """Return no phase: the members are trained already, and calibration needs no steps."""
        return {}

    def adopt(self, label: str, member: Method, held_out: pd.DataFrame) -> None:
        self._member(label).load_state_dict(member.state_dict())
        for signal, tail in self._tails(label).items():
            tail.fit(held_out[signal].to_numpy())

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        raise NotImplementedError("fusion has no phase of training")

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {
            f"{label}.{key}": values
            for label, member in self.settings.members.items()
            for key, values in self._member(label).features(frames, member.signals).items()
        }

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        surprises = torch.stack(
            [surprise for label in self.members for surprise in self._surprises(label, features)]
        )
        every = {"mean_surprise": surprises.mean(0), "largest_surprise": surprises.amax(0)}
        return {signal: every[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        """Average the members' maps, each scaled to the member's surprise."""
        maps, surprises = [], []
        for label in self.members:
            maps.append(self._member(label).error_map(self._window_of(label, features)))
            surprises.append(torch.stack(self._surprises(label, features)).mean(0))
        height, width = max(one.shape[-2:] for one in maps)
        scaled = [
            F.interpolate(one[:, None], (height, width), mode="bilinear")[:, 0]
            * (surprise / one.mean((1, 2)).clamp_min(1e-12))[:, None, None]
            for one, surprise in zip(maps, surprises, strict=True)
        ]
        return torch.stack(scaled).mean(0)

    def _member(self, label: str) -> Method:
        member = self.members[label]
        assert isinstance(member, Method)
        return member

    def _tails(self, label: str) -> dict[str, Tail]:
        tails = self.tails[label]
        assert isinstance(tails, nn.ModuleDict)
        return {signal: tail for signal, tail in tails.items() if isinstance(tail, Tail)}

    def _window_of(self, label: str, features: Features) -> Features:
        """Cut a member's features so that its windows have the same targets as the windows of the fusion."""
        clip = self._member(label).clip
        first = self.clip.target - clip.target
        own = {
            key.removeprefix(f"{label}."): values
            for key, values in features.items()
            if key.startswith(f"{label}.")
        }
        count = next(iter(own.values())).shape[0] - self.clip.frames + clip.frames
        return {key: values[first : first + count] for key, values in own.items()}

    def _surprises(self, label: str, features: Features) -> list[Tensor]:
        signals = self.settings.members[label].signals
        scores = self._member(label).score(self._window_of(label, features), signals)
        return [self._tails(label)[signal](scores[signal]) for signal in signals]
