"""Methods that judge the patches of a frame by features of a fixed network (Luo et al. 2019, section 3.6).

A frame is 21 patches of a spatial pyramid. Their features are read in branches (the paper says streams; here a stream
is live video): the spatial branch takes a frame's own features, the temporal branch their maximum over four frames.
Each branch has its own model, and a frame is as abnormal as its worst patch. The paper also uses features of optical
flow. The motion branch stands in for them: it measures how much the features of a patch vary over four frames.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.layers.branches import POOLED, Branch, PatchBranches
from vad_models.layers.pyramid import BackboneSettings, PyramidFeatures
from vad_models.settings import FrameSize

__all__ = [
    "PatchMethod",
    "PatchModel",
    "PatchSequenceMethod",
    "PatchSequenceSettings",
    "PatchSettings",
]


class PatchSettings(MethodSettings):
    """Settings that all methods on patches share."""

    backbone: BackboneSettings = BackboneSettings()
    """Fixed network that computes the features."""
    branches: dict[Branch, float] = Field(default={"spatial": 1.0, "temporal": 0.5}, min_length=1)
    """Weight of each branch in `fused`; only the named branches exist."""
    components: int | None = Field(default=None, ge=1)
    """Number of principal axes that the features are reduced to; None keeps all features, as in the paper."""
    standardise: bool = False
    """Whether a patch is scored by its error in standard deviations above the normal errors in the same place; false
    scores it by the error itself, as in the paper."""
    pool: Literal["largest", "mean"] = "largest"
    """How the errors of the patches become the score of the frame."""


class PatchSequenceSettings(PatchSettings):
    """Settings of methods that judge a patch by earlier frames."""

    training: Phase
    """The only phase. Its sequences are as long as the windows that are scored."""

    @model_validator(mode="after")
    def _long_enough_and_fitted_where_reduced(self) -> PatchSequenceSettings:
        if self.training.sequence < POOLED + 1:
            raise ValueError(
                f"training.sequence must be at least {POOLED + 1} frames, for the temporal maximum"
            )
        if self.components is not None and not self.training.fit_sequences:
            raise ValueError("training.fit_sequences must be at least 1 where components are asked for")
        return self


class PatchModel(nn.Module):
    """Judges the patches of one branch."""

    def fit(self, inputs: Tensor) -> None:
        """Set what is not learned by gradient, from normal patches, float32 (B, L, 21, D)."""

    def project(self) -> None:
        """Bring the parameters back into their allowed range after an optimiser step."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """Errors of sequences of patches: float32 (T, ..., D) -> float32 (T, ...), higher = more abnormal."""

    def newest(self, inputs: Tensor) -> Tensor:
        """Errors of the last patch of each sequence: float32 (T, ..., D) -> float32 (...)."""
        errors: Tensor = self(inputs)
        return errors[-1]


class PatchMethod(Method):
    """A method with one model per branch, which judges the patches of the branch.

    Args:
        settings: settings of the method.
        size: size of the frames.
        frames: frames of a window; None means one frame, plus those that the temporal maximum needs.
        build: function that builds the model of a branch from its number of channels.
    """

    signals: ClassVar[tuple[str, ...]] = ("fused", "spatial", "temporal", "motion")
    headline: ClassVar[str] = "fused"
    calibrated_on: ClassVar[tuple[str, ...]] = ("spatial", "temporal", "motion")

    models: Mapping[str, Any]
    """The `PatchModel` of each branch."""

    def __init__(
        self, settings: PatchSettings, size: FrameSize, frames: int | None, build: Callable[[int], PatchModel]
    ) -> None:
        super().__init__(settings, size)
        self.pyramid = PyramidFeatures(settings.backbone, size)
        self.branches = PatchBranches(
            settings.branches,
            self.pyramid.channels,
            settings.components,
            settings.standardise,
            settings.pool,
        )
        window = frames or self.branches.warmup + 1
        self.clip = ClipSpec(window, window - 1, size)
        models = {branch: build(channels) for branch, channels in self.branches.channels.items()}
        self.models = cast(Any, nn.ModuleDict(models))

    def frozen_key(self, phase: str) -> str | None:
        return self.pyramid.key

    def fit(self, features: Features, phase: str) -> None:
        self.branches.fit(features["patches"])
        for branch, inputs in self.branches(features["patches"]).items():
            self.models[branch].fit(inputs)

    def after_step(self, phase: str) -> None:
        for model in self.models.values():
            model.project()

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        return {"patches": self.pyramid(frames)}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        errors = {
            branch: self.models[branch](inputs.movedim(1, 0))
            for branch, inputs in self.branches(features["patches"]).items()
        }
        self.branches.watch(errors)
        means = {branch: error.mean() for branch, error in errors.items()}
        return {"loss": torch.stack([*means.values()]).sum(), **means}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        scores = self.branches.scores(self._errors(features))
        return {signal: scores[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self.branches.error_map(self._errors(features))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        self.branches.calibrate(scores)

    def _errors(self, features: Features) -> dict[str, Tensor]:
        """Compute the errors of the windows' last frames, (windows, 21) per branch."""
        length = self.clip.frames - self.branches.warmup
        branches: dict[str, Tensor] = self.branches(features["patches"])
        return {
            branch: self.models[branch].newest(inputs.unfold(0, length, 1).movedim(-1, 0))
            for branch, inputs in branches.items()
        }


class PatchSequenceMethod(PatchMethod):
    """A method on patches whose windows are as long as its training sequences.

    Args:
        settings: settings of the method.
        size: size of the frames.
        build: function that builds the model of a branch from its number of channels.
    """

    def __init__(
        self, settings: PatchSequenceSettings, size: FrameSize, build: Callable[[int], PatchModel]
    ) -> None:
        super().__init__(settings, size, settings.training.sequence, build)
        self.training_phase = settings.training

    def phases(self) -> Mapping[str, Phase]:
        return {"training": self.training_phase}
