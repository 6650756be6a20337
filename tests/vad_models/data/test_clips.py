"""Training sequences and the hold-out split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vad_models.contract import Phase
from vad_models.data.clips import SequenceBatches, SequenceIndex, split_holdout
from vad_models.data.frame_store import Video
from vad_models.errors import DataError


def video(name: str, frames: int) -> Video:
    return Video("01", "train", name, frames, Path(f"{name}.npy"), None)


def phase(**changes: object) -> Phase:
    values = {"epochs": 1, "sequence": 3, "batch": 2, "learning_rate": 0.1} | changes
    return Phase.model_validate(values)


def test_holdout_takes_whole_videos_from_the_end() -> None:
    trained, held = split_holdout([video(name, 100) for name in "abcd"], 0.3, shortest=10)
    assert [excerpt.video.name for excerpt in trained] == ["a", "b"]
    assert [excerpt.video.name for excerpt in held] == ["c", "d"]


def test_holdout_cuts_a_single_video_in_time() -> None:
    (trained,), (held,) = split_holdout([video("a", 100)], 0.2, shortest=10)
    assert (trained.first, trained.last, held.first, held.last) == (0, 80, 80, 100)
    (trained,), (held,) = split_holdout([video("a", 30)], 0.1, shortest=10)
    assert held.frames == 10


def test_too_little_video_states_the_numbers() -> None:
    with pytest.raises(DataError, match=r"windows of 20 frames need at least 40 frames per camera \(a: 30\)"):
        split_holdout([video("a", 30)], 0.1, shortest=20)
    with pytest.raises(DataError, match="no videos"):
        split_holdout([], 0.1, shortest=20)


def test_sequences_never_cross_videos() -> None:
    index = SequenceIndex([5, 2, 4], length=3)
    assert sorted(start for batch in index.epoch(phase(), 0) for start in batch) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (2, 0),
        (2, 1),
    ]


def test_an_epoch_is_a_pass_or_the_wanted_steps_and_depends_on_the_seed_alone() -> None:
    index = SequenceIndex([30], length=3)
    batches = index.epoch(phase(steps_per_epoch=20), 1)
    assert [len(batch) for batch in batches] == [2] * 20
    assert batches == index.epoch(phase(steps_per_epoch=20), 1)
    assert batches != index.epoch(phase(steps_per_epoch=20), 2)


def test_a_sequence_longer_than_every_video_states_both_numbers() -> None:
    with pytest.raises(DataError, match="needs 9 consecutive frames, but the longest training video has 5"):
        SequenceIndex([5, 2], length=9)


def test_batches_are_frames_or_features_of_the_named_sequences() -> None:
    frames = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    batch = SequenceBatches([frames], 3, [[(0, 0), (0, 3)]])[0]
    assert batch["frames"].dtype == torch.uint8
    assert batch["frames"].flatten(1).tolist() == [[0, 1, 2], [3, 4, 5]]
    features = {"code": torch.arange(6.0)}
    assert SequenceBatches([features], 2, [[(0, 4)]])[0]["code"].tolist() == [[4.0, 5.0]]
