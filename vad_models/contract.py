"""The contract of every method: what it sees, how it is trained, and which scores it gives.

A method works on contiguous frames. `features` turns each frame into what the method needs to remember of it (once per
frame, however many windows contain it); `score` turns the features of consecutive frames into one score per window.
Batch scoring, streaming and training are all built on these two, so they cannot disagree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn

from vad_models.settings import FrameSize, FrameSizeField, Frozen

__all__ = [
    "Box",
    "ClipSpec",
    "Combination",
    "Explains",
    "Explanation",
    "Features",
    "Learns",
    "Method",
    "MethodSettings",
    "Phase",
    "as_frames",
]

Features = dict[str, Tensor]
"""What a method remembers of consecutive frames: named tensors, time first, (n, ...)."""


@dataclass(frozen=True)
class ClipSpec:
    """The window a score is computed from.

    Attributes:
        frames: consecutive frames of a window.
        target: 0-based index, within the window, of the frame that the score belongs to.
        size: size of a frame, in pixels.
    """

    frames: int
    target: int
    size: FrameSize

    @property
    def lookahead(self) -> int:
        """Frames after the target that must be seen before it can be scored."""
        return self.frames - 1 - self.target


class Phase(Frozen):
    """One stage of a training: its length, its sequences and its optimiser."""

    epochs: int = Field(ge=0)
    """Number of passes; a checkpoint is written after each. 0 means that the phase is only `Method.fit`."""
    steps_per_epoch: int | None = Field(default=None, ge=1)
    """Optimiser steps per pass, on random sequences. None means that each pass sees every sequence once."""
    sequence: int = Field(ge=1)
    """Consecutive frames of a training sequence."""
    batch: int = Field(ge=1)
    """Sequences per step."""
    optimiser: Literal["adam", "rmsprop"] = "adam"
    """`adam` decouples the weight decay from the gradient (AdamW); `rmsprop` does not."""
    learning_rate: float = Field(gt=0)
    """Learning rate at the start of the phase."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 penalty of the weights."""
    clip_gradient: float | None = Field(default=None, gt=0)
    """Largest norm of a step's gradient over all parameters. None means unlimited."""
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """`cosine` rises over the first tenth of the phase, then falls to 0; `step` divides by 10 every `decay_every`."""
    decay_every: int = Field(default=20, ge=1)
    """Epochs between the drops of the `step` schedule."""
    frozen_features: bool = False
    """Train on features computed once per frame before the phase; for phases that leave `features` unchanged."""
    fit_sequences: int = Field(default=0, ge=0)
    """Sequences for `Method.fit` before the first step, evenly spread over the training video. 0 means no fit."""


class MethodSettings(Frozen):
    """Settings that all methods share."""

    frames: FrameSizeField | None = None
    """Size of the frames that the method sees. None means the dataset's first size."""


class Method(nn.Module, ABC):
    """A detector: trained on normal video only; every signal is higher where a frame is more abnormal."""

    name: ClassVar[str]
    """Name of the module in `vad_models/methods/`."""
    title: ClassVar[str]
    """One line for tables and help: what the method is, and who published it."""
    Settings: ClassVar[type[MethodSettings]]
    signals: ClassVar[tuple[str, ...]]
    """Names of the score signals, each one number per frame."""
    headline: ClassVar[str]
    """The signal that the method is judged by."""
    calibrated_on: ClassVar[tuple[str, ...]] = ()
    """Signals whose scores of held-out normal video `calibrate` needs."""

    clip: ClipSpec

    def __init__(self, settings: MethodSettings, size: FrameSize) -> None:
        super().__init__()

    @abstractmethod
    def phases(self) -> Mapping[str, Phase]:
        """The training, in order: name of the phase -> how long and on what."""

    @abstractmethod
    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        """Loss of a batch of sequences.

        Args:
            features: of B sequences of L frames, tensors (B, L, ...). They come from `encode`, with gradients, unless
                the phase trains on frozen features.
            phase: name of the phase.

        Returns:
            `loss`, a scalar that is minimised, and any other scalars to log.
        """

    def fit_statistics(self, videos: Iterable[np.ndarray]) -> None:
        """Take statistics of the training frames before the first phase; videos are uint8 (T, H, W, C)."""

    def begin(self, phase: str) -> list[dict[str, Any]]:
        """Prepare for `phase`; returns the parameter groups that it trains, as torch.optim takes them.

        A group without `lr` or `weight_decay` takes the phase's.
        """
        return [{"params": list(self.parameters())}]

    def fit(self, features: Features, phase: str) -> None:
        """Set what is not learned by gradient (a dictionary, cluster centres) before the first step of `phase`.

        Args:
            features: of `Phase.fit_sequences` sequences of L frames, tensors (B, L, ...), without gradients.
            phase: name of the phase.
        """

    def after_step(self, phase: str) -> None:
        """Bring the parameters back into their allowed range after a step of the optimiser."""

    def mirror(self) -> None:
        """Mirror buffers that belong to places in the frame: `background`, (C, H, W).

        Called before a step on mirrored frames, and again after it.
        """
        if "background" in self._buffers:
            background = self.get_buffer("background")
            background.copy_(background.flip(-1))

    def calibrate(self, scores: Mapping[str, Tensor]) -> None:
        """Take statistics of the signals `calibrated_on` after the last phase.

        Args:
            scores: signal -> float32 (n,), of normal video held out from training.
        """

    def frozen_key(self, phase: str) -> str | None:
        """Return a folder name for everything except the frames that the frozen features of `phase` depend on.

        Features with a name are computed once for all trainings and kept on disk. None means that they depend on what
        was trained before the phase; they are then computed once per training, and kept in memory.
        """
        return None

    def encode(self, frames: Tensor, phase: str) -> Features:
        """Features of training frames, float32 (n, C, H, W) in [0, 1], that the loss of `phase` needs."""
        return self.features(frames)

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        """Compute what the method remembers of consecutive frames.

        Args:
            frames: float32 (n, C, H, W) in [0, 1].
            signals: the signals that `score` will need; None means all.
        """
        return {"frames": frames}

    @abstractmethod
    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Score every window of consecutive frames.

        Args:
            features: of n consecutive frames, n >= `clip.frames`.
            signals: the signals to compute; None means all.

        Returns:
            signal -> float32 (n - clip.frames + 1,), the i-th for frame i + `clip.target`.
        """

    @abstractmethod
    def error_map(self, features: Features) -> Tensor:
        """Map where the headline signal comes from: float32 (n - clip.frames + 1, h, w), higher = more abnormal."""

    def warning(self, means: Mapping[str, float]) -> str | None:
        """Return a sentence for the log if the mean scalars of an epoch show that training fails, or else None."""
        return None


Box = tuple[int, int, int, int]
"""Top, left, bottom and right of a part of a frame, in pixels; bottom and right are outside."""


@dataclass(frozen=True)
class Explanation:
    """The place that stood out most in a frame, and the nearest example of normality.

    Attributes:
        box: where.
        surprise: of that place, as if it were all of the frame.
        distance: from the nearest example, in usual distances between two examples.
        now: uint8 (h, w), what is seen there.
        normal: uint8 (h, w), what the example showed; None where the nearest normal is an empty place.
        video, frame: where the example comes from: the number of the training video, in order, and its frame, both
            from 0; -1 for the video where an operator said that it is normal. None where there is no example.
        normal_box: where in that frame.
    """

    box: Box
    surprise: float
    distance: float
    now: np.ndarray
    normal: np.ndarray | None = None
    video: int | None = None
    frame: int | None = None
    normal_box: Box | None = None


@runtime_checkable
class Explains(Protocol):
    """A method that can show the example of normality that it compared a frame with."""

    def explain(self, features: Features) -> list[Explanation]:
        """One explanation per window of consecutive frames; the arguments are those of `Method.score`."""
        ...


@runtime_checkable
class Learns(Protocol):
    """A method that takes an operator's verdict, "this is normal", at once and without training."""

    def version(self) -> int:
        """0 after training, one more with each verdict."""
        ...

    def learn(self, features: Features, box: Box | None = None) -> int:
        """Know the newest window of `features` as normal; returns the new version.

        Args:
            features: of consecutive frames, `clip.frames` at least.
            box: the part of the frame that is normal; None means all of it.
        """
        ...

    def unlearn(self, version: int) -> None:
        """Forget the verdicts of `version` and of all after it; scores are what they were before, to the bit."""
        ...


class Combination(Method):
    """A method that combines other trained methods."""

    @abstractmethod
    def adopt(self, label: str, member: Method, held_out: pd.DataFrame) -> None:
        """Take over a trained member.

        Args:
            label: its key in `members:`.
            member: the model.
            held_out: its score table of normal video held out from training.
        """


def as_frames(frames: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Stored frames, uint8 (n, H, W, C), as float32 (n, C, H, W) in [0, 1] on `device`, channels last in memory."""
    tensor = torch.from_numpy(np.array(frames)).to(device)
    return tensor.movedim(-1, -3).to(torch.float32).div_(255)
