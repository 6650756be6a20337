"""Memory-augmented autoencoder (Gong et al. 2019): clips are reconstructed from remembered parts of normal clips only.

Every position of a clip's code queries the memory, and the decoder sees the items found there instead of the code. The
attention is sparse, so that an abnormal code cannot be composed of many items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.conv3d import Stride, clips, conv3d_block, upsample3d, upsample3d_block
from vad_models.layers.memory import SparseMemory
from vad_models.settings import FrameSize

__all__ = ["MemAE", "MemAESettings"]

_FIRST: Stride = (1, 2, 2)
_FURTHER: Stride = (2, 2, 2)


class MemAESettings(MethodSettings):
    """Settings of `mem_ae`."""

    clip: int = Field(default=16, ge=2)
    """Frames of a clip."""
    channels: tuple[int, ...] = Field(default=(96, 128, 256, 256), min_length=2)
    """Channels of the encoder's blocks. Each halves height and width, and all but the first halve time too."""
    items: int = Field(default=2000, ge=2)
    """Number of items in the memory (N)."""
    sharpness: float = Field(gt=0)
    """Factor of the cosine similarities before the softmax."""
    threshold: float = Field(default=0.0025, ge=0, lt=1)
    """Weight below which an item is not used (lambda)."""
    entropy: float = Field(default=0.0002, ge=0)
    """Weight of the entropy of the attention (alpha), in nats."""
    changes: bool = False
    """Whether the change from the previous frame is reconstructed; false reconstructs the frames, as in the paper."""
    training: Phase
    """The only phase."""


class MemAE(Method):
    """Reconstructs clips from the items of a memory."""

    name: ClassVar[str] = "mem_ae"
    title: ClassVar[str] = "memory-augmented autoencoder (Gong et al. 2019)"
    Settings: ClassVar[type[MethodSettings]] = MemAESettings
    signals: ClassVar[tuple[str, ...]] = ("reconstruction", "entropy")
    headline: ClassVar[str] = "reconstruction"

    def __init__(self, settings: MemAESettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        self.settings = settings
        # A clip surrounds its middle frame, so its error is that frame's score.
        before = int(settings.changes)
        self.clip = ClipSpec(settings.clip + before, settings.clip // 2 + before, size)
        first, *further = pairwise((size.channels, *settings.channels))
        self.encoder = nn.Sequential(
            conv3d_block(*first, _FIRST), *[conv3d_block(i, o, _FURTHER) for i, o in further]
        )
        self.memory = SparseMemory(
            settings.items, settings.channels[-1], settings.sharpness, settings.threshold
        )
        self.decoder = nn.Sequential(
            *[upsample3d_block(i, o, _FURTHER) for i, o in pairwise(settings.channels[::-1])],
            upsample3d(settings.channels[0], size.channels, _FIRST),
        )

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.settings.training}

    def reconstruct(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruct clips from memory: (n, C, T, H, W) -> the same shape, and entropies (n, t, h, w) in nats."""
        code, entropy = self.memory(self.encoder(seen))
        _, _, length, height, width = seen.shape
        return self.decoder(code)[..., :length, :height, :width], entropy

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        seen = self._clips(features)
        rebuilt, entropies = self.reconstruct(seen)
        # The paper's weight of the entropy applies to frames in [-1, 1].
        reconstruction, entropy = (2 * (rebuilt - seen)).square().mean(), entropies.mean()
        return {
            "loss": reconstruction + self.settings.entropy * entropy,
            "reconstruction": reconstruction,
            "entropy": entropy,
        }

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        seen = self._clips(features)
        rebuilt, entropy = self.reconstruct(seen)
        every = {
            "reconstruction": (rebuilt - seen).square().mean((1, 2, 3, 4)),
            "entropy": entropy.mean((1, 2, 3)),
        }
        return {signal: every[signal] for signal in signals or self.signals}

    def _clips(self, features: Features) -> Tensor:
        return clips(features["frames"], self.settings.clip, self.settings.changes)

    def error_map(self, features: Features) -> Tensor:
        seen = self._clips(features)
        return (self.reconstruct(seen)[0] - seen).square().mean((1, 2))
