"""The contract of every method. New methods are tested automatically, with their `demo` profile cut to a few steps."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pytest
import torch

from tests.footage import SIZE, blobs
from vad_models.contract import Combination, Method
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import Video
from vad_models.devices import Resources
from vad_models.errors import DataError, SettingsError
from vad_models.methods import build_method, method_class, method_names
from vad_models.operation.export import load_method, save_method
from vad_models.scoring import score_video
from vad_models.settings import Profile, load_params
from vad_models.streaming import Stream
from vad_models.training import TrainingRequest, train

METHODS = method_names()
LEARNS_NOTHING = {"frame_difference"}
"""Whose scores do not depend on a seed."""


def profile_settings(name: str) -> dict[str, Any]:
    """The demo profile, for frames of any size."""
    settings = load_params().method_settings(name, "demo")
    return {key: value for key, value in settings.items() if key != "frames"}


def shortened(settings: dict[str, Any], epochs: int, steps: int) -> dict[str, Any]:
    """Settings with at most `epochs` epochs of `steps` steps in every phase."""
    return {
        key: {**value, "epochs": min(epochs, value["epochs"]), "steps_per_epoch": steps}
        if isinstance(value, dict) and "epochs" in value
        else value
        for key, value in settings.items()
    }


def short_settings(name: str, steps: int = 2) -> dict[str, Any]:
    """The demo profile with one epoch of `steps` steps per phase."""
    return shortened(profile_settings(name), 1, steps)


def excerpt(tmp_path: Path, name: str, frames: np.ndarray) -> Excerpt:
    np.save(tmp_path / f"{name}.npy", frames)
    video = Video("01", "train", name, len(frames), tmp_path / f"{name}.npy", None)
    return Excerpt(video, 0, len(frames))


@cache
def trained(name: str, seed: int = 0) -> Method:
    """The method after two steps per phase; all tests share this training and leave it unchanged."""
    return train_briefly(name, seed)


def train_briefly(name: str, seed: int = 0, steps: int = 2) -> Method:
    torch.manual_seed(seed)
    method = build_method(name, short_settings(name, steps), SIZE)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        videos = [excerpt(root, f"v{index}", blobs(40, index)) for index in range(2)]
        held = [excerpt(root, "held", blobs(40, 9))]
        request = TrainingRequest(videos, held, root / "checkpoints", seed)
        train(method, request, Resources(device="cpu"))
    return method


@pytest.mark.parametrize("name", METHODS)
def test_emits_its_signals_for_the_frames_it_says(name: str) -> None:
    method = trained(name)
    assert method.headline in method.signals
    scores = score_video(method, blobs(40, 3), maps=True)
    assert scores.first == method.clip.target
    assert set(scores.signals) == set(method.signals)
    for values in scores.signals.values():
        assert values.dtype == np.float32
        assert values.shape == (40 - method.clip.frames + 1,)
        assert np.isfinite(values).all()
    assert scores.maps is not None
    assert scores.maps.shape[0] == 40 - method.clip.frames + 1


@pytest.mark.parametrize("name", METHODS)
def test_a_score_moves_with_its_frame(name: str) -> None:
    method, video = trained(name), blobs(48, 4)
    whole, later = score_video(method, video), score_video(method, video[5:])
    for signal in method.signals:
        assert np.allclose(whole.signals[signal][5:], later.signals[signal], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_no_signal_is_called_like_a_column_of_a_score_table(name: str) -> None:
    signals = method_class(name).signals
    assert len(set(signals)) == len(signals)
    assert not set(signals) & {"camera", "split", "video", "frame", "label", "score"}


@pytest.mark.parametrize("name", METHODS)
def test_streaming_equals_batch(name: str) -> None:
    method, video = trained(name), blobs(40, 5)
    batch = score_video(method, video)
    stream = Stream(method)
    pushed = [score for frame in video if (score := stream.push(frame)) is not None]
    assert [score.frame for score in pushed] == list(range(batch.first, batch.first + len(pushed)))
    for signal in method.signals:
        found = np.array([score.signals[signal] for score in pushed])
        assert np.abs(found - batch.signals[signal]).max() <= 1e-5 * max(
            1.0, np.abs(batch.signals[signal]).max()
        )


@pytest.mark.parametrize("name", METHODS)
def test_headline_alone_gives_the_same_score(name: str) -> None:
    method, video = trained(name), blobs(40, 5)
    alone = score_video(method, video, [method.headline])
    assert list(alone.signals) == [method.headline]
    assert np.array_equal(alone.signals[method.headline], score_video(method, video).signals[method.headline])


@pytest.mark.parametrize("name", METHODS)
def test_saved_and_loaded_gives_the_same_scores_to_the_bit(name: str, tmp_path: Path) -> None:
    method, video = trained(name), blobs(40, 6)
    save_method(method, short_settings(name), tmp_path / "model", {"fingerprint": "x"})
    again = score_video(load_method(tmp_path / "model"), video)
    for signal, values in score_video(method, video).signals.items():
        assert np.array_equal(values, again.signals[signal])


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_scores_and_another_does_not(name: str) -> None:
    video = blobs(40, 7)
    first, other = (score_video(trained(name, seed), video).signals for seed in (0, 1))
    again = score_video(train_briefly(name, 0), video).signals
    headline = method_class(name).headline
    assert np.array_equal(first[headline], again[headline])
    assert np.array_equal(first[headline], other[headline]) == (name in LEARNS_NOTHING)


@pytest.mark.parametrize("name", METHODS)
def test_training_lowers_the_loss(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    method = build_method(name, shortened(profile_settings(name), 3, 15), SIZE)
    request = TrainingRequest([excerpt(tmp_path, "v", blobs(40, 0))], [], tmp_path / "ckpt", 0)
    history = train(method, request, Resources(device="cpu")).history
    for _, phase in history.groupby("phase", sort=False):
        assert phase["loss"].iloc[-1] < phase["loss"].iloc[0]


@pytest.mark.parametrize("name", METHODS)
def test_constant_video_gives_finite_scores(name: str) -> None:
    scores = score_video(trained(name), np.full((40, *SIZE), 128, np.uint8))
    assert all(np.isfinite(values).all() for values in scores.signals.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", METHODS)
def test_cpu_and_cuda_agree(name: str) -> None:
    method, video = trained(name), blobs(40, 8)
    on_cpu, on_cuda = (
        score_video(method, video).signals,
        score_video(deepcopy(method).to("cuda"), video).signals,
    )
    for signal in method.signals:
        scale = max(1.0, np.abs(on_cpu[signal]).max())
        assert np.abs(on_cpu[signal] - on_cuda[signal]).max() <= 1e-3 * scale


@pytest.mark.parametrize("name", METHODS)
def test_wrong_input_is_one_sentence(name: str) -> None:
    method = trained(name)
    with pytest.raises(DataError, match=rf"has 1 frames, but {name} needs {method.clip.frames}"):
        score_video(method, blobs(1, 0))
    with pytest.raises(DataError, match=r"a frame is 16x48x1, but .* trained on 32x48x1"):
        Stream(method).push(blobs(1, 0)[0, :16])
    with pytest.raises(DataError, match=r"frames must be uint8 in \[0, 255\], not float32"):
        Stream(method).push(np.full(SIZE, np.nan, np.float32))
    with pytest.raises(SettingsError, match="has no signal 'sound'; its signals are"):
        Stream(method, ["sound"])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("profile", get_args(Profile))
def test_every_profile_builds(name: str, profile: Profile) -> None:
    method = build_method(name, load_params().method_settings(name, profile), SIZE)
    has_phases = not isinstance(method, Combination) and name not in LEARNS_NOTHING
    assert bool(method.phases()) == has_phases


def test_an_unknown_method_or_setting_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"there is no method 'magic': choose one of .*ffp"):
        build_method("magic", {}, SIZE)
    with pytest.raises(SettingsError, match=r"methods\.ffp\.depth is not a setting; .*channels"):
        build_method("ffp", short_settings("ffp") | {"depth": 3}, SIZE)
