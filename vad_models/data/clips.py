"""Training sequences: contiguous frames of a frame store, drawn at random and stacked into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vad_models.contract import Features, Phase
from vad_models.data.frame_store import Video
from vad_models.errors import DataError

__all__ = ["SequenceBatches", "SequenceIndex", "split_holdout"]


@dataclass(frozen=True)
class Excerpt:
    """Frames [first, last) of a stored video."""

    video: Video
    first: int
    last: int

    @property
    def frames(self) -> int:
        return self.last - self.first

    def array(self) -> np.ndarray:
        """The frames, uint8 (T, H, W, C), memory-mapped."""
        return self.video.array()[self.first : self.last]


def split_holdout(
    videos: Sequence[Video], share: float, shortest: int
) -> tuple[list[Excerpt], list[Excerpt]]:
    """Split normal training video into a part to train on and a held-out part; the split is deterministic.

    The last videos in natural order are held out, until they have at least `share` of the frames. A single video is cut
    in time. Whole videos are preferred because neighbouring frames of one video are near copies.

    Args:
        videos: the training videos of one camera, in order.
        share: share of the frames to hold out, in (0, 0.5).
        shortest: smallest number of frames of a useful excerpt (the method's window).

    Returns:
        The excerpts to train on, and the held-out excerpts.

    Raises:
        DataError: there is too little video to train on and to hold out.
    """
    usable = [Excerpt(video, 0, video.frames) for video in videos if video.frames >= shortest]
    total = sum(excerpt.frames for excerpt in usable)
    held: list[Excerpt] = []
    while len(usable) > 1 and sum(excerpt.frames for excerpt in held) < share * total:
        held.insert(0, usable.pop())
    if not held and usable:
        (only,) = usable
        cut = only.frames - max(shortest, round(share * only.frames))
        usable, held = [Excerpt(only.video, 0, cut)], [Excerpt(only.video, cut, only.frames)]
    if not usable or usable[0].frames < shortest:
        found = ", ".join(f"{video.name}: {video.frames}" for video in videos) or "no videos"
        raise DataError(
            f"too little training video to train on and to hold out: windows of {shortest} frames need at least "
            f"{2 * shortest} frames per camera ({found}); add normal video of this camera."
        )
    return usable, held


class SequenceIndex:
    """Index of all contiguous sequences of `length` frames in a list of excerpts.

    Args:
        frames: number of frames of each excerpt.
        length: frames of a sequence.

    Raises:
        DataError: no excerpt is as long as a sequence.
    """

    def __init__(self, frames: Sequence[int], length: int) -> None:
        self.length = length
        self._starts = [
            (video, first) for video, count in enumerate(frames) for first in range(count - length + 1)
        ]
        if not self._starts:
            raise DataError(
                f"a training sequence needs {length} consecutive frames, but the longest training video has "
                f"{max(frames, default=0)}: shorten the sequence, or add longer video."
            )

    def __len__(self) -> int:
        return len(self._starts)

    def spread(self, count: int) -> list[tuple[int, int]]:
        """Choose `count` sequences (or all, if there are fewer) at even distances, as (excerpt, first frame)."""
        picks = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)
        return [self._starts[pick] for pick in picks]

    def epoch(self, phase: Phase, seed: int) -> list[list[tuple[int, int]]]:
        """Draw the batches of one epoch, the same for the same seed.

        Returns:
            `phase.steps_per_epoch` batches, or one pass over all sequences, as (excerpt, first frame) per sequence.
        """
        generator = torch.Generator().manual_seed(seed)
        order: list[int] = []
        wanted = len(self) if phase.steps_per_epoch is None else phase.steps_per_epoch * phase.batch
        while len(order) < wanted:
            order += torch.randperm(len(self), generator=generator).tolist()
        picks = order[:wanted]
        return [
            [self._starts[pick] for pick in picks[first : first + phase.batch]]
            for first in range(0, wanted, phase.batch)
        ]


class SequenceBatches(Dataset[Features]):
    """Batches for the steps of an epoch: frames as uint8 (B, L, H, W, C), or stored features (B, L, ...).

    Args:
        sources: frames, uint8 (T, H, W, C), or features, (T, ...), of each excerpt.
        length: frames of a sequence (L).
        batches: the sequences of each batch, as (excerpt, first frame).
    """

    def __init__(
        self,
        sources: Sequence[np.ndarray] | Sequence[Features],
        length: int,
        batches: Sequence[Sequence[tuple[int, int]]],
    ) -> None:
        self._sources = sources
        self._length = length
        self.batches = batches
        """Sequences of each batch of the current epoch, as (excerpt, first frame)."""

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> Features:
        if step >= len(self):
            raise IndexError(step)
        cuts = [self._cut(self._sources[video], first) for video, first in self.batches[step]]
        return {key: torch.stack([cut[key] for cut in cuts]) for key in cuts[0]}

    def __iter__(self) -> Iterator[Features]:
        return (self[step] for step in range(len(self)))

    def _cut(self, source: np.ndarray | Features, first: int) -> dict[str, Tensor]:
        window = slice(first, first + self._length)
        if isinstance(source, dict):
            return {key: values[window] for key, values in source.items()}
        return {"frames": torch.from_numpy(np.array(source[window]))}
