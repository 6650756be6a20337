"""LSTM autoencoder on patch features, a baseline of Luo et al. 2019 (section 4.5).

A frame is 21 patches of a spatial pyramid of fixed features. One LSTM reads a patch over the frames of a window. A
second one gets the final state of the first at each of its steps, and has to reconstruct what was read, newest frame
first (Srivastava et al. 2015). A patch of the newest frame that is reconstructed badly is unusual.

The paper only says that its LSTM autoencoder uses the same features; this architecture is ours.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import MethodSettings
from vad_models.layers.patches import PatchModel, PatchSequenceMethod, PatchSequenceSettings
from vad_models.settings import FrameSize

__all__ = ["LSTMAE", "LSTMAESettings"]


class LSTMAESettings(PatchSequenceSettings):
    """Settings of `lstm_ae`."""

    hidden: int = Field(default=512, ge=1)
    """Units of the LSTMs, which is the size that a window is compressed to."""


class LSTMAE(PatchSequenceMethod):
    """Reconstructs the patches of a window from one state of a recurrent network."""

    name: ClassVar[str] = "lstm_ae"
    title: ClassVar[str] = "LSTM autoencoder on patch features (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = LSTMAESettings

    def __init__(self, settings: LSTMAESettings, size: FrameSize) -> None:
        super().__init__(settings, size, lambda channels: SequenceAutoencoder(channels, settings.hidden))
        self.settings = settings


class SequenceAutoencoder(PatchModel):
    """One LSTM that compresses a sequence of vectors into a code, and one that reconstructs it, newest vector first.

    Args:
        channels: channels of a vector (D).
        hidden: units of the LSTMs.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(channels, hidden)
        self.decoder = nn.LSTM(hidden, hidden)
        self.head = nn.Linear(hidden, channels)

    def code(self, inputs: Tensor) -> Tensor:
        """Compress sequences: (T, n, D) -> codes (n, hidden) in (-1, 1)."""
        code: Tensor = self.encoder(inputs)[1][0][0]
        return code

    def reconstruct(self, code: Tensor, steps: int) -> Tensor:
        """Reconstruct the last `steps` vectors, newest first: codes (n, hidden) -> (steps, n, D)."""
        reconstruction: Tensor = self.head(self.decoder(code.expand(steps, -1, -1))[0])
        return reconstruction

    def forward(self, inputs: Tensor) -> Tensor:
        """Squared errors of sequences of vectors: (T, ..., D) -> (T, ...)."""
        return self._errors(inputs, len(inputs)).flip(0)

    def newest(self, inputs: Tensor) -> Tensor:
        """Squared errors of the last vector of each sequence, with one step of the decoder: (T, ..., D) -> (...)."""
        return self._errors(inputs, 1)[0]

    def _errors(self, inputs: Tensor, steps: int) -> Tensor:
        """Squared errors of the last `steps` vectors, newest first: (T, ..., D) -> (steps, ...)."""
        rows = inputs.flatten(1, -2)
        errors = (self.reconstruct(self.code(rows), steps) - rows.flip(0)[:steps]).square().sum(-1)
        return errors.unflatten(1, inputs.shape[1:-1])
