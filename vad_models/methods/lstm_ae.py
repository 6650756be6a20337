"""LSTM autoencoder on patch features, a baseline of Luo et al. 2019 (section 4.5).

A frame is 21 patches of a spatial pyramid of fixed features. An LSTM reads a patch over the frames of a window; all
that a second one gets, at each of its steps, is the state that the first ends in, and it has to tell what was read,
newest first (Srivastava et al. 2015). The patch of the newest frame that comes back wrong is unusual.

The paper says of its own no more than that it takes the same features.
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
    """Units of the LSTMs; what a window is squeezed to."""


class LSTMAE(PatchSequenceMethod):
    """Rebuilds the patches of a window from one state of a recurrent network."""

    name: ClassVar[str] = "lstm_ae"
    title: ClassVar[str] = "LSTM autoencoder on patch features (Luo et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = LSTMAESettings

    def __init__(self, settings: LSTMAESettings, size: FrameSize) -> None:
        super().__init__(settings, size, lambda channels: SequenceAutoencoder(channels, settings.hidden))
        self.settings = settings


class SequenceAutoencoder(PatchModel):
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

    def forward(self, inputs: Tensor) -> Tensor:
        """Squared errors (T, ...) of sequences of vectors (T, ..., D)."""
        return self._errors(inputs, len(inputs)).flip(0)

    def newest(self, inputs: Tensor) -> Tensor:
        """Squared errors (...) of the last vector of each sequence; the decoder takes one step."""
        return self._errors(inputs, 1)[0]

    def _errors(self, inputs: Tensor, steps: int) -> Tensor:
        """Squared errors of the last `steps` vectors, newest first."""
        rows = inputs.flatten(1, -2)
        errors = (self.reconstruct(self.code(rows), steps) - rows.flip(0)[:steps]).square().sum(-1)
        return errors.unflatten(1, inputs.shape[1:-1])
