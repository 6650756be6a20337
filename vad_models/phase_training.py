"""One phase of a training: Lightning runs the loop, and a killed loop resumes from its last checkpoint.

Everything random is seeded by (seed, epoch, step), and a checkpoint is written after each epoch, so a phase that was
killed and resumed ends with the same numbers as one that was not.
"""

from __future__ import annotations

import hashlib
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from vad_models.contract import Features, Method, Phase
from vad_models.data.clips import SequenceBatches, SequenceIndex
from vad_models.ddp import Share, strategy

__all__ = ["PhaseRequest", "Trainee", "descend", "seed_of", "was_begun"]

_CHECKPOINT = "last.ckpt"
_HOLDOUT_SEQUENCES = 32
"""Number of held-out sequences over which an epoch's held-out loss is averaged."""

log = logging.getLogger(__name__)
logging.getLogger("lightning.pytorch").setLevel(
    logging.WARNING
)  # otherwise it logs devices and tips at every phase of every job


@dataclass(frozen=True)
class PhaseRequest:
    """The data and settings of a phase.

    Attributes:
        name: of the phase, for the method.
        phase: length and optimiser.
        sources: training video, one source per excerpt: frames, uint8 (T, H, W, C), or features (T, ...).
        held: held-out video, in the same form.
        seed: of everything random.
        mirror: whether to mirror each batch with probability 1/2; phases on frozen features never do.
    """

    name: str
    phase: Phase
    sources: Sequence[Any]
    held: Sequence[Any]
    seed: int
    mirror: bool


class Trainee(lightning.LightningModule):
    """One phase of one method, as a Lightning module.

    Attributes:
        history: the means of what was logged, one entry per epoch; `holdout_loss` among them.
        seconds: wall-clock time spent in the epochs, over all resumptions.
        frames_seen: frames that went through the loss.
    """

    def __init__(
        self,
        method: Method,
        request: PhaseRequest,
        share: Share,
        on_epoch: Callable[[int, dict[str, float]], None],
    ) -> None:
        super().__init__()
        self.method = method
        self.name = request.name
        self.phase = request.phase
        self.seed = request.seed
        self.mirror = request.mirror and not request.phase.frozen_features
        self.share = share
        self.on_epoch = on_epoch
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.frames_seen = 0
        self._sources = request.sources
        self._index = SequenceIndex([len(_first(one)) for one in request.sources], self.phase.sequence)
        self._plan = self._index.epoch(self.phase, self.seed)
        shares = [share.of(batch) for batch in self._plan]
        self._batches = SequenceBatches(request.sources, self.phase.sequence, shares)
        self._held = self._held_out_batches(request.held)
        self._sums: dict[str, Tensor] = {}
        self._steps = 0
        self._started = 0.0
        torch.manual_seed(self.seed)
        self._trained = method.begin(self.name)

    def _held_out_batches(self, held: Sequence[Any]) -> list[Features]:
        """Return a few batches of held-out sequences, the same in every epoch; empty if held-out video is too short."""
        long_enough = [source for source in held if len(_first(source)) >= self.phase.sequence]
        if not long_enough:
            return []
        index = SequenceIndex([len(_first(source)) for source in long_enough], self.phase.sequence)
        picks = index.spread(_HOLDOUT_SEQUENCES)
        batches = [
            picks[first : first + self.phase.batch] for first in range(0, len(picks), self.phase.batch)
        ]
        return list(SequenceBatches(long_enough, self.phase.sequence, batches))

    def fit_in_closed_form(self) -> None:
        """Give the method the features of sequences from all over the training video."""
        started = time.perf_counter()
        picks = self._index.spread(self.phase.fit_sequences)
        self.method.eval()
        with torch.no_grad():
            parts = [
                self._encoded(one)
                for one in SequenceBatches(self._sources, self.phase.sequence, [[pick] for pick in picks])
            ]
            self.method.fit({key: torch.cat([part[key] for part in parts]) for key in parts[0]}, self.name)
        self.method.train()
        self.frames_seen += len(picks) * self.phase.sequence
        self.seconds += time.perf_counter() - started

    def configure_optimizers(self) -> Any:
        kind = {"adam": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}[self.phase.optimiser]
        optimiser = kind(self._trained, lr=self.phase.learning_rate, weight_decay=self.phase.weight_decay)
        steps = len(self._batches) * self.phase.epochs
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(self.phase, step, steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def train_dataloader(self) -> DataLoader[Features]:
        return DataLoader(self._batches, batch_size=None)

    def on_train_epoch_start(self) -> None:
        self._plan = self._index.epoch(self.phase, seed_of(self.seed, self.current_epoch))
        self._batches.batches = [self.share.of(batch) for batch in self._plan]
        self._sums, self._steps, self._started = {}, 0, time.perf_counter()

    def on_train_batch_start(self, batch: Features, batch_index: int) -> None:
        # Here and not at the start of the epoch, because other draws in between differ after a resumption.
        torch.manual_seed(seed_of(self.seed, self.current_epoch, batch_index))

    def training_step(self, batch: Features, batch_index: int) -> Tensor:
        mirrored = self.mirror and bool(torch.rand(()) < 0.5)
        if self.share.rank:
            # Ranks have different sequences, so they draw different numbers for them.
            torch.manual_seed(seed_of(self.seed, self.current_epoch, batch_index, self.share.rank))
        if mirrored:
            self.method.mirror()
            losses = self._losses({"frames": batch["frames"].flip(-2)})
            self.method.mirror()
        else:
            losses = self._losses(batch)
        weight = self.share.weight(self._plan[batch_index])
        for key, value in losses.items():
            self._sums[key] = (
                self._sums.get(key, torch.zeros((), device=value.device)) + weight * value.detach()
            )
        self._steps += 1
        self.frames_seen += self.phase.batch * self.phase.sequence
        return losses["loss"] * (weight * self.share.ranks)  # gradients are averaged over the ranks

    def on_train_batch_end(self, outputs: Any, batch: Features, batch_index: int) -> None:
        self.method.after_step(self.name)

    def on_train_epoch_end(self) -> None:
        means = {key: float(self.share.total(value)) / self._steps for key, value in self._sums.items()}
        self.seconds += time.perf_counter() - self._started
        if self._held:
            means["holdout_loss"] = self._holdout_loss()
        if (sentence := self.method.warning(means)) is not None:
            log.warning(
                "%s, phase %s, epoch %d: %s", self.method.name, self.name, self.current_epoch + 1, sentence
            )
        self.history.append(means)
        self.on_epoch(self.current_epoch, means)

    @torch.no_grad()
    def _holdout_loss(self) -> float:
        training = {module: module.training for module in self.method.modules()}
        self.method.eval()
        losses = [
            float(self._losses({key: value.to(self.device) for key, value in batch.items()})["loss"])
            for batch in self._held
        ]
        for module, was_training in training.items():
            module.training = was_training
        return sum(losses) / len(losses)

    def _losses(self, batch: Features) -> dict[str, Tensor]:
        return self.method.loss(self._encoded(batch), self.name)

    def _encoded(self, batch: Features) -> Features:
        """Features (B, L, ...) of a batch of stored frames, or of features that were frozen before."""
        if self.phase.frozen_features:
            return {key: values.to(torch.float32) for key, values in batch.items()}
        stored = batch["frames"]
        frames = stored.movedim(-1, -3).flatten(0, 1).to(torch.float32).div_(255)
        features = self.method.encode(frames, self.name)
        return {key: values.unflatten(0, stored.shape[:2]) for key, values in features.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["progress"] = {
            "history": self.history,
            "seconds": self.seconds,
            "frames_seen": self.frames_seen,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        progress = checkpoint["progress"]
        self.history = list(progress["history"])
        self.seconds = progress["seconds"]
        self.frames_seen = progress["frames_seen"]


def descend(trainee: Trainee, folder: Path, device: str) -> None:
    """Run a phase to its end, from the last checkpoint in `folder` if there is one.

    Args:
        trainee: the phase; its method is trained in place, and is on the CPU afterwards.
        folder: for the checkpoint, which is read without unpickling objects.
        device: Lightning's accelerator.
    """
    last = folder / _CHECKPOINT
    checkpoint = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    with warnings.catch_warnings():
        # Lightning advises about data loader workers and loggers; batches here are slices of memory, and MLflow logs.
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator=device,
            devices=trainee.share.ranks,
            strategy=strategy(trainee.share),
            use_distributed_sampler=False,
            precision="32-true",
            gradient_clip_val=trainee.phase.clip_gradient,
            max_epochs=trainee.phase.epochs,
            callbacks=[checkpoint],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(trainee, ckpt_path=last if last.exists() else None, weights_only=True)
    trainee.method.cpu()


def was_begun(folder: Path) -> bool:
    """Return whether there is a checkpoint in `folder`."""
    return (folder / _CHECKPOINT).exists()


def _rate(phase: Phase, step: int, steps: int) -> float:
    """Return the factor of the learning rate at `step` of `steps`."""
    if phase.schedule == "cosine":
        rise = steps / 10
        position = step / rise if step < rise else 1 + (step - rise) / (steps - rise)
        return 0.5 * (1 - float(np.cos(np.pi * min(position, 2.0))))
    if phase.schedule == "step":
        return float(0.1 ** (step * phase.epochs // steps // phase.decay_every))
    return 1.0


def seed_of(*parts: int) -> int:
    """Return a seed that differs if any part differs."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def _first(source: np.ndarray | Features) -> np.ndarray | Tensor:
    return next(iter(source.values())) if isinstance(source, dict) else source
