"""Frozen features: computed once per video, shared by excerpts and trainings, never confused with another version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.footage import SIZE, blobs
from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import Video
from vad_models.data.frozen_features import FrozenFeatures


class Backbone(Method):
    """A frame's mean, and how often it was asked for."""

    name = "backbone"
    title = "for tests"
    Settings = MethodSettings
    signals = ("mean",)
    headline = "mean"

    def __init__(self, key: str | None) -> None:
        super().__init__(MethodSettings(), SIZE)
        self.clip = ClipSpec(1, 0, SIZE)
        self.key = key
        self.encoded = 0

    def phases(self) -> Mapping[str, Phase]:
        return {}

    def frozen_key(self, phase: str) -> str | None:
        return self.key

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        self.encoded += len(frames)
        return {"mean": frames.mean((1, 2, 3)), "first": frames[:, :, 0, 0]}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        raise NotImplementedError

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        raise NotImplementedError

    def error_map(self, features: Features) -> Tensor:
        raise NotImplementedError


def stored(folder: Path, seed: int, frames: int = 100) -> Video:
    path = folder / f"{seed}.npy"
    np.save(path, blobs(frames, seed))
    return Video("01", "train", str(seed), frames, path, None)


def test_features_of_an_excerpt_are_those_of_its_frames(tmp_path: Path) -> None:
    video = stored(tmp_path, 1)
    (features,) = FrozenFeatures(Backbone(None), "only", None).of([Excerpt(video, 30, 90)])
    expected = torch.from_numpy(blobs(100, 1)[30:90] / 255).mean((1, 2, 3))
    assert torch.allclose(features["mean"].double(), expected, atol=1e-6)


def test_named_features_are_computed_once_for_all(tmp_path: Path) -> None:
    video, root = stored(tmp_path, 1), tmp_path / "features"
    first, second = Backbone("net-1"), Backbone("net-1")
    (computed,) = FrozenFeatures(first, "only", root).of([Excerpt(video, 0, 100)])
    (kept,) = FrozenFeatures(second, "only", root).of([Excerpt(video, 50, 100)])
    assert (first.encoded, second.encoded) == (100, 0)
    assert kept["mean"].dtype == torch.float16
    assert torch.equal(kept["mean"], computed["mean"][50:])
    assert not [path for path in (root / "net-1").iterdir() if path.name.startswith(".")]


def test_another_network_or_other_frames_are_not_mistaken(tmp_path: Path) -> None:
    root = tmp_path / "features"
    FrozenFeatures(Backbone("net-1"), "only", root).of([Excerpt(stored(tmp_path, 1), 0, 100)])
    other_network, other_frames = Backbone("net-2"), Backbone("net-1")
    FrozenFeatures(other_network, "only", root).of([Excerpt(stored(tmp_path, 1), 0, 100)])
    np.save(tmp_path / "1.npy", blobs(100, 2))
    FrozenFeatures(other_frames, "only", root).of(
        [Excerpt(Video("01", "train", "1", 100, tmp_path / "1.npy", None), 0, 100)]
    )
    assert other_network.encoded == other_frames.encoded == 100


def test_features_without_a_name_stay_in_memory(tmp_path: Path) -> None:
    FrozenFeatures(Backbone(None), "only", tmp_path / "features").of([Excerpt(stored(tmp_path, 1), 0, 100)])
    assert not (tmp_path / "features").exists()
