"""Training one method on one camera's normal video, through all phases of the method.

Everything random is seeded by (seed, phase, epoch, step), and a phase resumes from its last checkpoint
(`vad_models.phase_training`), so a training that was killed and resumed ends with the same numbers as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from vad_models.contract import Method
from vad_models.data.clips import Excerpt
from vad_models.data.frozen_features import FrozenFeatures
from vad_models.ddp import ALONE, Share, in_ranks
from vad_models.devices import ALL_OF_IT, Resources
from vad_models.phase_training import PhaseRequest, Trainee, descend, seed_of, was_begun
from vad_models.scoring import score_video

__all__ = ["EpochReport", "OnEpoch", "Training", "TrainingRequest", "train"]


@dataclass(frozen=True)
class TrainingRequest:
    """The data and settings of a training.

    Attributes:
        training: normal video to train on.
        holdout: normal video held out from training; its loss is logged, and `Method.calibrate` gets its scores.
        checkpoints: folder for the last checkpoint of each phase; the caller keeps it until the result is safe.
        seed: of everything random.
        mirror: whether to mirror each batch with probability 1/2; phases on frozen features never do.
    """

    training: Sequence[Excerpt]
    holdout: Sequence[Excerpt]
    checkpoints: Path
    seed: int
    mirror: bool = False


@dataclass(frozen=True)
class EpochReport:
    """The end of an epoch: `done` of `total` epochs over all phases, and the means of what was logged."""

    phase: str
    epoch: int
    done: int
    total: int
    losses: dict[str, float]


OnEpoch = Callable[[EpochReport], None]


@dataclass(frozen=True)
class Training:
    """Outcome of a training.

    Attributes:
        history: one row per epoch: phase, epoch, and the mean of every logged scalar, `holdout_loss` among them.
        minutes: wall-clock time spent in the epochs, over all resumptions.
        frames_per_second: training frames through the loss per second of that time.
    """

    history: pd.DataFrame
    minutes: float
    frames_per_second: float


def train(
    method: Method,
    request: TrainingRequest,
    resources: Resources = ALL_OF_IT,
    on_epoch: OnEpoch | None = None,
) -> Training:
    """Train and calibrate `method` in place, through all its phases, from its last checkpoint if there is one.

    On several devices, gradients and the statistics of batch normalisation are those of the whole batch. The result is
    that of one device, up to rounding, where the loss is a mean over the batch (`vad_models.ddp`).

    Args:
        method: freshly built.
        request: what to train on, and from which seed.
        resources: the devices, and where features of fixed networks are kept.
        on_epoch: called after each epoch.

    Raises:
        DataError: the video is too short for the method's sequences.
    """
    if resources.devices > 1 and any(phase.epochs for phase in method.phases().values()):
        outcome: Training = in_ranks(_train_share, method, request, resources, on_epoch)
        method.eval()
        return outcome
    return _train_share(method, request, resources, ALONE, on_epoch)


@dataclass(frozen=True)
class _PhaseReports:
    """Reports the epochs of one phase, after `before` epochs of earlier phases, of `total`."""

    phase: str
    before: int
    total: int
    on_epoch: OnEpoch | None

    def __call__(self, epoch: int, losses: dict[str, float]) -> None:
        if self.on_epoch is not None:
            self.on_epoch(EpochReport(self.phase, epoch, self.before + epoch + 1, self.total, losses))


def _train_share(
    method: Method, request: TrainingRequest, resources: Resources, share: Share, on_epoch: OnEpoch | None
) -> Training:
    """`train` on one device, with a share of every batch; all but the gradients is the same in all shares."""
    frames = [excerpt.array() for excerpt in request.training]
    held = [excerpt.array() for excerpt in request.holdout]
    method.fit_statistics(frames)
    phases = method.phases()
    total = sum(phase.epochs for phase in phases.values())
    rows: list[dict[str, Any]] = []
    seconds, seen = 0.0, 0

    folders = [request.checkpoints / f"{index}-{name}" for index, name in enumerate(phases)]
    for index, (name, phase) in enumerate(phases.items()):
        sources: Sequence[Any] = frames
        held_sources: Sequence[Any] = held
        if phase.frozen_features:
            kept = FrozenFeatures(method, name, resources.features)
            sources, held_sources = kept.of(request.training), kept.of(request.holdout)
        trainee = Trainee(
            method,
            PhaseRequest(name, phase, sources, held_sources, seed_of(request.seed, index), request.mirror),
            share,
            _PhaseReports(name, len(rows), total, on_epoch),
        )
        if phase.fit_sequences and not any(was_begun(folder) for folder in folders[index:]):
            trainee.fit_in_closed_form()
        if phase.epochs:
            descend(trainee, folders[index], resources.device)
        rows += [{"phase": name, "epoch": epoch, **losses} for epoch, losses in enumerate(trainee.history)]
        seconds += trainee.seconds
        seen += trainee.frames_seen

    method.eval()
    _calibrate(method, held)
    history = pd.DataFrame(rows) if rows else pd.DataFrame(columns=["phase", "epoch"])
    return Training(history, seconds / 60, seen / max(seconds, 1e-9))


def _calibrate(method: Method, held: Sequence[np.ndarray]) -> None:
    """Give the method the scores of held-out video that it needs, if the video is long enough."""
    long_enough = [video for video in held if len(video) >= method.clip.frames]
    if not method.calibrated_on or not long_enough:
        return
    scores = [score_video(method, video, method.calibrated_on).signals for video in long_enough]
    method.calibrate(
        {
            signal: torch.from_numpy(np.concatenate([one[signal] for one in scores]))
            for signal in method.calibrated_on
        }
    )
