"""Implicit two-path autoencoder with normalising flows (Cho, Kim, Lee).

The appearance path sees every fourth frame of a clip, with many channels and short kernels. The motion path sees every
frame, with few channels and long kernels, and passes its features to the appearance path after each layer. One decoder
without shortcuts reconstructs the clip from both codes. Then one Glow per path learns the density of a summary of the
code: its maximum and its mean over the channels. A frame is abnormal if it is reconstructed badly or a code is
unlikely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.errors import SettingsError
from vad_models.layers.conv3d import clips
from vad_models.layers.glow import Glow
from vad_models.layers.losses import gradient_difference, ms_ssim
from vad_models.layers.two_path import EVERY, Codes, TwoPathAE
from vad_models.settings import FrameSize

__all__ = ["ITAE", "ITAESettings"]

_SMALLEST_FOR_MS_SSIM = 176
"""Side, in pixels, of the smallest frame that fills a window of 11 at the coarsest of five scales."""


class ITAESettings(MethodSettings):
    """Settings of `itae`."""

    clip: int = Field(default=16, ge=4, multiple_of=4)
    """Frames of a clip (T)."""
    appearance: tuple[int, int, int, int] = (96, 128, 256, 256)
    """Channels of the appearance path's layers."""
    motion: tuple[int, int, int, int] | None = (12, 16, 32, 32)
    """Channels of the motion path's layers; None leaves the path out (first column of Table 3)."""
    changes: bool = False
    """Whether the change from the previous frame is reconstructed; false reconstructs the frames, as in the paper."""
    halvings: Literal[2, 3] = 3
    """Number of times that height and width are halved: 3 (Table 1), or 2 for small foregrounds (UCSD in the paper)."""
    gradient: float = Field(default=1.0, ge=0)
    """Weight of the gradient difference loss (eq. 4)."""
    similarity: float = Field(default=0.0, ge=0)
    """Weight of 1 - MS-SSIM (used in the paper for UCSD). It needs frames of at least 176 pixels per side."""
    patch: int = Field(default=0, ge=0)
    """Side, in pixels, of the patches whose largest mean error is the error of a frame (32 for UCSD); 0 takes the mean
    over the frame."""
    overlap: bool = True
    """Whether the error of a frame is its mean over all clips that contain it; false takes the error in the clip around
    it, which is T times cheaper."""
    glow_steps: int = Field(default=32, ge=1)
    """Steps per level of each Glow (K)."""
    glow_levels: int = Field(default=3, ge=1)
    """Levels of each Glow (L)."""
    glow_hidden: int = Field(default=128, ge=1)
    """Channels inside the couplings of each Glow."""
    hint: Literal["none", "intensity", "error"] = "none"
    """Additional input of the appearance path's Glow, next to the code (Table 4)."""
    balance: float = Field(default=1.0, ge=0)
    """Weight of the likelihoods in `total` (lambda_L of eq. 9)."""
    autoencoder: Phase
    """First phase: the autoencoder."""
    density: Phase
    """Second phase: the Glows, on the codes of the trained autoencoder."""

    @model_validator(mode="after")
    def _trained_on_clips(self) -> ITAESettings:
        frames = self.clip + int(self.changes)
        for phase in (self.autoencoder, self.density):
            if phase.sequence != frames:
                raise ValueError(f"a training sequence is one clip of {frames} frames, not {phase.sequence}")
        if not self.density.fit_sequences:
            raise ValueError(
                "density.fit_sequences must be at least 1, because Glow is initialised with training sequences"
            )
        return self


class ITAE(Method):
    """Reconstructs clips from an appearance and a motion code, and estimates how likely both codes are."""

    name: ClassVar[str] = "itae"
    title: ClassVar[str] = "two-path autoencoder with normalising flows (Cho, Kim, Lee)"
    Settings: ClassVar[type[MethodSettings]] = ITAESettings
    signals: ClassVar[tuple[str, ...]] = ("total", "reconstruction", "nll_appearance", "nll_motion")
    headline: ClassVar[str] = "total"
    calibrated_on: ClassVar[tuple[str, ...]] = ("reconstruction", "nll_appearance", "nll_motion")

    glows: Mapping[str, Glow]
    intervals: Tensor
    normal: Tensor

    def __init__(self, settings: ITAESettings, size: FrameSize) -> None:
        super().__init__(settings, size)
        if settings.similarity and min(size.height, size.width) < _SMALLEST_FOR_MS_SSIM:
            raise SettingsError(
                f"MS-SSIM needs frames of at least {_SMALLEST_FOR_MS_SSIM} pixels per side, and these are {size}: "
                "set similarity to 0, or take larger frames."
            )
        self.settings = settings
        length = settings.clip
        # A window holds the clips that contain the target, or only the clip around it.
        self.target = length - 1 if settings.overlap else length // 2
        before = int(settings.changes)
        frames = 2 * length - 1 if settings.overlap else length
        self.clip = ClipSpec(frames + before, self.target + before, size)
        self.autoencoder = TwoPathAE(size.channels, settings.appearance, settings.motion, settings.halvings)
        shape = (settings.glow_steps, settings.glow_levels, settings.glow_hidden)
        appearance = (3 if settings.hint != "none" else 2) * length // EVERY
        glows = {"appearance": Glow(appearance, *shape)}
        if settings.motion:
            glows["motion"] = Glow(2 * length, *shape)
        self.glows = cast(Any, nn.ModuleDict(glows))
        # Range (largest minus smallest value) of the appearance and the motion code (lambda_1 and lambda_2 of eq. 8).
        self.register_buffer("intervals", torch.tensor([1.0, float(settings.motion is not None)]))
        # Mean and standard deviation of the reconstruction and of the joint likelihood on held-out normal video.
        self.register_buffer("normal", torch.tensor([[0.0, 1.0], [0.0, 1.0]]))

    def phases(self) -> Mapping[str, Phase]:
        return {"autoencoder": self.settings.autoencoder, "density": self.settings.density}

    def begin(self, phase: str) -> list[dict[str, Any]]:
        if phase == "autoencoder":
            return [{"params": list(self.autoencoder.parameters())}]
        return [{"params": [parameter for glow in self.glows.values() for parameter in glow.parameters()]}]

    @torch.no_grad()
    def fit(self, features: Features, phase: str) -> None:
        """Initialise the activation normalisations and the ranges of the codes on training video."""
        each = [self._summaries(self._clips({"frames": one})) for one in features["frames"]]
        for index, (path, glow) in enumerate(self.glows.items()):
            summaries = torch.cat([one[path] for one in each])
            glow.initialise(summaries)
            self.intervals[index] = summaries.max() - summaries.min()

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        frames = self._clips(features)
        if phase == "density":
            # The codes must be those of scoring: no gradient, and running statistics in the normalisations.
            self.autoencoder.eval()
            with torch.no_grad():
                summaries = self._summaries(frames)
            losses = {name: nll.mean() for name, nll in self._likelihoods(summaries).items()}
            return {"loss": torch.stack([*losses.values()]).sum(), **losses}
        rebuilt = self.autoencoder(frames)
        losses = {
            "intensity": (rebuilt - frames).square().mean(),
            "gradient": gradient_difference(rebuilt, frames),
        }
        total = losses["intensity"] + self.settings.gradient * losses["gradient"]
        if self.settings.similarity:
            predicted, target = (one.transpose(1, 2).flatten(0, 1) for one in (rebuilt, frames))
            losses["similarity"] = 1 - ms_ssim(predicted, target).mean()
            total = total + self.settings.similarity * losses["similarity"]
        return {"loss": total, **losses}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        wanted = set(signals or self.signals)
        frames = self._clips(features)
        codes = self.autoencoder.encode(frames)
        rebuilt = self.autoencoder.decoder(codes.both)
        reconstruction = self._of_frames(self._frame_errors(frames, rebuilt))
        scores = {"reconstruction": reconstruction, "nll_motion": torch.zeros_like(reconstruction)}
        if wanted - {"reconstruction"}:
            # The likelihood of a clip belongs to its middle frame.
            first = self.target - self.settings.clip // 2
            for name, nll in self._likelihoods(self._summaries(frames, codes, rebuilt)).items():
                scores[name] = nll[first : first + len(reconstruction)]
            scores["total"] = self._total(scores)
        return {signal: scores[signal] for signal in signals or self.signals}

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Store mean and deviation on held-out normal video; eq. 9 takes them from the whole test video instead."""
        for row, part in enumerate((scores["reconstruction"], self._likelihood(scores))):
            self.normal[row] = torch.stack([part.mean(), part.std().clamp_min(1e-6)])

    def error_map(self, features: Features) -> Tensor:
        frames = self._clips(features)
        rebuilt = self.autoencoder(frames)
        return self._of_frames((rebuilt - frames).abs().mean(1))

    def _clips(self, features: Features) -> Tensor:
        return clips(features["frames"], self.settings.clip, self.settings.changes)

    def _total(self, scores: Mapping[str, Tensor]) -> Tensor:
        """Compute the total score (eq. 9)."""
        (mean, deviation), (nll_mean, nll_deviation) = self.normal
        likelihood = (self._likelihood(scores) - nll_mean) / nll_deviation
        return (scores["reconstruction"] - mean) / deviation + self.settings.balance * likelihood

    def _likelihood(self, scores: Mapping[str, Tensor]) -> Tensor:
        """Combine both negative log-likelihoods (eq. 8)."""
        appearance, motion = self.intervals / self.intervals.sum()
        return appearance * scores["nll_appearance"] + motion * scores["nll_motion"]

    def _frame_errors(self, frames: Tensor, rebuilt: Tensor) -> Tensor:
        """Compute the error of every frame, -log10(1 - |error|) (eq. 7): clips (m, C, T, H, W) -> (m, T)."""
        errors = -torch.log10((1 - (rebuilt - frames).abs()).clamp(1e-6, 1)).mean(1)
        if not self.settings.patch:
            return errors.mean((2, 3))
        side = min(self.settings.patch, *errors.shape[2:])
        return F.avg_pool2d(errors, side, stride=max(1, side // 2), ceil_mode=True).amax((2, 3))

    def _of_frames(self, of_clips: Tensor) -> Tensor:
        """Gather what clips say about their frames, (m, T, ...), for each target: (windows, ...)."""
        length = self.settings.clip
        if not self.settings.overlap:
            return of_clips[:, self.target]
        # Target i is frame T - 1 - k of clip i + k.
        count = len(of_clips) - length + 1
        return torch.stack([of_clips[k : k + count, length - 1 - k] for k in range(length)]).mean(0)

    def _likelihoods(self, summaries: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the negative log-likelihood per value, in nats: (m, D, h, w) per path -> (m,) per signal."""
        return {
            f"nll_{path}": -glow(summaries[path]) / summaries[path][0].numel()
            for path, glow in self.glows.items()
        }

    def _summaries(
        self, frames: Tensor, codes: Codes | None = None, rebuilt: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute the input of each path's Glow: the code's maximum and mean over the channels, (m, 2 t, h, w).

        Args:
            frames: clips (m, C, T, H, W).
            codes: codes of the clips; None computes them.
            rebuilt: reconstructions of the clips; None computes them where they are needed.
        """
        codes = codes or self.autoencoder.encode(frames)
        summaries = {"appearance": _summary(codes.appearance)}
        if codes.motion is not None:
            summaries["motion"] = _summary(codes.motion)
        if self.settings.hint != "none":
            shown = frames
            if self.settings.hint == "error":
                shown = (
                    (self.autoencoder.decoder(codes.both) if rebuilt is None else rebuilt) - frames
                ).abs()
            hint = F.interpolate(shown.mean(1)[:, ::EVERY], codes.appearance.shape[-2:], mode="area")
            summaries["appearance"] = torch.cat([summaries["appearance"], hint], dim=1)
        # Glow halves height and width, so the border is repeated until they are divisible.
        unit = 2**self.settings.glow_levels
        down, right = (-side % unit for side in codes.appearance.shape[-2:])
        return {path: F.pad(one, (0, right, 0, down), mode="replicate") for path, one in summaries.items()}


def _summary(code: Tensor) -> Tensor:
    """Take maximum and mean over the channels: (m, D, t, h, w) -> (m, 2 t, h, w)."""
    return torch.cat([code.amax(1), code.mean(1)], dim=1)
