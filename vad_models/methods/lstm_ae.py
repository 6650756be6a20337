"""LSTM autoencoder on patch features, a baseline of Luo et al. 2019 (section 4.5).

A frame is 21 patches of a spatial pyramid of fixed features. An LSTM reads a patch over the frames of a window; all
that a second one gets, at each of its steps, is the state that the first ends in, and it has to tell what was read,
newest first (Srivastava et al. 2015). The patch of the newest frame that comes back wrong is unusual.

The paper says of its own no more than that it takes the same features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.layers.sparse_coding import POOLED, PatchStreams, Stream
from vad_models.settings import FrameSize

__all__ = ["LSTMAE", "LSTMAESettings"]


class LSTMAESettings(MethodSettings):
    """Settings of `lstm_ae`."""

    backbone: BackboneSettings = BackboneSettings()
    """The fixed network that the features come from."""
    streams: dict[Stream, float] = Field(default={"spatial": 1.0, "temporal": 0.5}, min_length=1)
    """Weight of each stream in `fused`; a stream that is not named does not exist."""
    components: int | None = Field(default=None, ge=1)
    """Principal axes that the features are reduced to; none: all features (the paper)."""
    hidden: int = Field(default=512, ge=1)
    """Units of the LSTMs; what a window is squeezed to."""
    training: Phase
    """The only phase; its sequences are as long as the windows that are scored."""

    @model_validator(mode="after")
    def _long_enough_and_fitted_where_reduced(self) -> LSTMAESettings:
        if self.training.sequence < POOLED + 1:
            raise ValueError(
                f"training.sequence must be at least {POOLED + 1} frames, for the temporal maximum"
            )
        if self.components is not None and not self.training.fit_sequences:
            raise ValueError("training.fit_sequences must be at least 1 where components are asked for")
        return self


class LSTMAE(Method):
    """Rebuilds the patches of a window from one state of a recurrent network."""

    name: ClassVar[str] = "lstm_ae"
    title: ClassVar[str] = "LSTM autoencoder on patch features (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = LSTMAESettings
    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal")

    networks: Mapping[str, SequenceAutoencoder]

    def __init__(self, settings: LSTMAESettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        self.clip = ClipSpec(settings.training.sequence, settings.training.sequence - 1, size)
        self.pyramid = PyramidFeatures(settings.backbone, size)
        self.streams = PatchStreams(settings.streams, self.pyramid.channels, settings.components)
        networks = {
            stream: SequenceAutoencoder(channels, settings.hidden)
            for stream, channels in self.streams.channels.items()
        }
        self.networks = cast(Any, nn.ModuleDict(networks))

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def frozen_key(self, phase: str) -> str | None:
        return self.pyramid.key

    def fit(self, features: Features, phase: str) -> None:
        self.streams.fit(features["patches"])

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"patches": self.pyramid(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        errors = {
            stream: self.networks[stream](inputs.movedim(1, 0), inputs.shape[1]).mean()
            for stream, inputs in self.streams(features["patches"]).items()
        }
        return {"loss": torch.stack([*errors.values()]).sum(), **errors}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        scores = self.streams.scores(self._errors(features))
        return {signal: scores[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self.streams.error_map(self._errors(features))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        self.streams.calibrate(scores)

    def _errors(self, features: Features) -> dict[str, Tensor]:
        """Errors of the windows' last frames, stream -> (windows, 21)."""
        length = self.clip.frames - self.streams.warmup
        streams: dict[str, Tensor] = self.streams(features["patches"])
        return {
            stream: self.networks[stream](inputs.unfold(0, length, 1).movedim(-1, 0), 1)[0]
            for stream, inputs in streams.items()
        }


class SequenceAutoencoder(nn.Module):
    """An LSTM that squeezes a sequence of vectors to one code, and one that unrolls it, the newest vector first."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(channels, hidden)
        self.decoder = nn.LSTM(hidden, hidden)
        self.head = nn.Linear(hidden, channels)

    def code(self, inputs: Tensor) -> Tensor:
        """What is left of sequences (T, n, D): (n, hidden) in (-1, 1)."""
        code: Tensor = self.encoder(inputs)[1][0][0]
        return code

    def reconstruct(self, code: Tensor, steps: int) -> Tensor:
        """Codes (n, hidden) -> the last `steps` vectors of the sequences, newest first, (steps, n, D)."""
        reconstruction: Tensor = self.head(self.decoder(code.expand(steps, -1, -1))[0])
        return reconstruction

    def forward(self, inputs: Tensor, steps: int) -> Tensor:
        """Squared errors of the last `steps` vectors of sequences (T, ..., D), newest first, (steps, ...)."""
        rows = inputs.flatten(1, -2)
        errors = (self.reconstruct(self.code(rows), steps) - rows.flip(0)[:steps]).square().sum(-1)
        return errors.unflatten(1, inputs.shape[1:-1])
