"""Frame by frame: which frame a score belongs to, what is remembered, what is refused.

That every method scores the same in a stream as in a batch is tested in tests/vad_models/methods/test_contract.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vad_models.contract import ClipSpec, Features, Method, MethodSettings, Phase
from vad_models.errors import DataError, SettingsError
from vad_models.settings import FrameSize
from vad_models.streaming import FrameScore, Stream

SIZE = FrameSize(2, 3, 1)


class Levels(Method):
    """Two signals of a frame's level, over a window of `frames` whose frame `target` is scored."""

    name, title, Settings = "levels", "for tests", MethodSettings
    signals, headline = ("target", "range"), "target"

    def __init__(self, frames: int = 4, target: int = 2) -> None:
        super().__init__(MethodSettings(), SIZE)
        self.clip = ClipSpec(frames, target, SIZE)
        self.gain = nn.Parameter(torch.tensor(255.0))
        self.encoded: list[int] = []

    def phases(self) -> dict[str, Phase]:
        return {}

    def loss(self, features: Features, phase: str) -> dict[str, Tensor]:
        raise NotImplementedError

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        self.encoded.append(len(frames))
        return {"level": self.gain * frames.mean((1, 2, 3))}

    def score(self, features: Features, signals: Sequence[str] | None = None) -> dict[str, Tensor]:
        windows = features["level"].unfold(0, self.clip.frames, 1)
        scores = {"target": windows[:, self.clip.target], "range": windows.amax(1) - windows.amin(1)}
        return {signal: scores[signal] for signal in signals or self.signals}

    def error_map(self, features: Features) -> Tensor:
        return self.score(features)["target"][:, None, None].expand(-1, 1, 2)


def video(*levels: int) -> np.ndarray:
    return np.array(levels, np.uint8)[:, None, None, None] * np.ones((1, *SIZE), np.uint8)


def test_a_score_comes_when_its_window_is_full_and_belongs_to_the_target() -> None:
    stream = Stream(Levels(frames=4, target=2))
    pushed = [stream.push(frame) for frame in video(10, 20, 40, 80, 90)]
    assert pushed[:3] == [None, None, None]
    assert pushed[3] == FrameScore(2, {"target": pytest.approx(40), "range": pytest.approx(70)})
    assert pushed[4] == FrameScore(3, {"target": pytest.approx(80), "range": pytest.approx(70)})


@pytest.mark.parametrize(("frames", "target"), [(1, 0), (4, 0), (4, 3)])
def test_the_target_may_be_anywhere_in_the_window(frames: int, target: int) -> None:
    stream = Stream(Levels(frames, target))
    scores = [one for frame in video(*range(8)) if (one := stream.push(frame)) is not None]
    assert [one.frame for one in scores] == list(range(target, target + 8 - frames + 1))
    assert [one.signals["target"] for one in scores] == pytest.approx([one.frame for one in scores], abs=1e-4)


@pytest.mark.parametrize("sizes", [[9], [1, 8], [3, 3, 3], [4, 5], [2, 1, 6]])
def test_blocks_of_any_size_give_the_same_scores_with_their_frames(sizes: list[int]) -> None:
    frames, stream = video(*(7 * number % 50 for number in range(9))), Stream(Levels())
    whole = Stream(Levels()).push_block(frames)[1]
    found: dict[str, list[float]] = {"target": [], "range": []}
    numbers: list[int] = []
    for block in np.split(frames, np.cumsum(sizes)[:-1]):
        first, scores, maps = stream.push_block(block)
        assert maps is None
        numbers += range(first, first + len(scores["target"]))
        for signal, values in scores.items():
            found[signal] += values.tolist()
    assert numbers == list(range(2, 8))
    assert found == {signal: pytest.approx(values.tolist()) for signal, values in whole.items()}


def test_a_frame_is_encoded_once_however_many_windows_contain_it() -> None:
    stream = Stream(Levels())
    for frame in video(*range(10)):
        stream.push(frame)
    assert stream.method.encoded == [1] * 10
    assert {key: len(values) for key, values in stream._memory.items()} == {"level": 3}


def test_maps_come_with_the_scores_when_they_are_asked_for() -> None:
    stream = Stream(Levels())
    first, scores, maps = stream.push_block(video(1, 2), maps=True)
    assert maps is not None and maps.shape == (0,) and not scores["target"].numel()
    first, scores, maps = stream.push_block(video(3, 4, 5), maps=True)
    assert maps is not None and maps.shape == (2, 1, 2) and first == 2
    assert maps[:, 0, 0].tolist() == scores["target"].tolist() == pytest.approx([3, 4])


def test_only_the_signals_that_are_asked_for_are_computed() -> None:
    stream = Stream(Levels(), ["range"])
    assert stream.signals == ("range",)
    assert list(stream.push_block(video(*range(5)))[1]) == ["range"]


def test_the_stream_has_a_method_of_its_own_without_gradients() -> None:
    method = Levels().train()
    stream = Stream(method)
    stream.method.gain.data.zero_()
    scores = stream.push_block(video(*range(5)))[1]
    assert method.training and float(method.gain.detach()) == 255
    assert not scores["target"].requires_grad


def test_what_is_no_frame_of_the_methods_is_refused_and_not_remembered() -> None:
    stream = Stream(Levels(frames=2, target=1))
    stream.push(video(10)[0])
    with pytest.raises(DataError, match="a frame is 2x4x1, but levels was trained on 2x3x1: resize it first"):
        stream.push(np.zeros((2, 4, 1), np.uint8))
    with pytest.raises(DataError, match=r"frames must be uint8 in \[0, 255\], not float64: convert them"):
        stream.push(np.zeros((2, 3, 1)))
    score = stream.push(video(30)[0])
    assert score == FrameScore(1, {"target": pytest.approx(30), "range": pytest.approx(20)})


def test_an_unknown_signal_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="levels has no signal 'sound'; its signals are: target, range"):
        Stream(Levels(), ["target", "sound"])
