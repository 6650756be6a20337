"""Scoring stored video: scores tied to frames, tables of excerpts, and what scoring costs.

That every method can be scored is tested in tests/vad_models/methods/test_contract.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from tests.vad_models.test_streaming import SIZE, Levels, video
from vad_models import scoring
from vad_models.contract import Features
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import Video
from vad_models.errors import DataError
from vad_models.scoring import (
    frames_per_second,
    gflop_per_frame,
    read_scores,
    score_excerpts,
    score_video,
    write_scores,
)

COLUMNS = ["camera", "split", "video", "frame", "label", "target", "range"]


def stored(
    folder: Path, name: str, frames: np.ndarray, abnormal: Sequence[tuple[int, int]] | None = None
) -> Video:
    np.save(folder / f"{name}.npy", frames)
    return Video("01", "test", name, len(frames), folder / f"{name}.npy", abnormal)


def test_scores_begin_at_the_target_of_the_first_window() -> None:
    scores = score_video(Levels(frames=4, target=2), video(10, 20, 40, 80, 90))
    assert scores.first == 2 and scores.maps is None
    assert scores.signals["target"].tolist() == pytest.approx([40, 80])
    assert scores.signals["range"].tolist() == pytest.approx([70, 70])
    assert {values.dtype for values in scores.signals.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("block", [1, 3, 4, 5, 64])
def test_how_many_frames_are_scored_at_once_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    frames = video(*(11 * number % 60 for number in range(20)))
    expected = score_video(Levels(), frames, maps=True)
    monkeypatch.setattr(scoring, "_BLOCK", block)
    found = score_video(Levels(), frames, maps=True)
    assert found.first == expected.first == 2
    assert found.maps is not None and expected.maps is not None
    assert found.maps.shape == expected.maps.shape == (17, 1, 2)
    for signal, values in expected.signals.items():
        assert np.allclose(found.signals[signal], values)


def test_a_video_of_one_window_has_one_score_and_a_shorter_one_is_refused() -> None:
    assert len(score_video(Levels(), video(1, 2, 3, 4)).signals["target"]) == 1
    with pytest.raises(DataError, match=r"the video has 3 frames, but levels needs 4 .*: give it a longer"):
        score_video(Levels(), video(1, 2, 3))


def test_only_the_signals_that_are_asked_for_are_there() -> None:
    assert list(score_video(Levels(), video(*range(6)), ["range"]).signals) == ["range"]


def test_a_table_has_a_row_per_scored_frame_with_its_label(tmp_path: Path) -> None:
    labelled = stored(tmp_path, "a", video(*range(8)), [(4, 6)])
    table = score_excerpts(Levels(), [Excerpt(labelled, 0, 8)], "test")
    assert list(table.columns) == COLUMNS
    assert table["frame"].tolist() == [2, 3, 4, 5, 6]
    assert table["label"].tolist() == [False, False, True, True, False]
    assert str(table["label"].dtype) == "boolean"
    assert table["target"].tolist() == pytest.approx([2, 3, 4, 5, 6], abs=1e-4)
    assert set(table["camera"]) == {"01"} and set(table["split"]) == {"test"} and set(table["video"]) == {"a"}


def test_frames_of_an_excerpt_are_numbered_in_its_video(tmp_path: Path) -> None:
    whole = stored(tmp_path, "a", video(*range(12)), [(7, 9)])
    table = score_excerpts(Levels(), [Excerpt(whole, 4, 11)], "holdout")
    assert table["frame"].tolist() == [6, 7, 8, 9]
    assert table["label"].tolist() == [False, True, True, False]
    assert table["target"].tolist() == pytest.approx(table["frame"].tolist(), abs=1e-4)


def test_labels_of_unlabelled_video_are_missing_and_not_normal(tmp_path: Path) -> None:
    unlabelled, labelled = (
        stored(tmp_path, "a", video(*range(5))),
        stored(tmp_path, "b", video(*range(5)), []),
    )
    table = score_excerpts(Levels(), [Excerpt(unlabelled, 0, 5), Excerpt(labelled, 0, 5)], "test")
    assert table.set_index("video")["label"].isna().to_dict() == {"a": True, "b": False}
    assert not table.loc[table["video"] == "b", "label"].any()


def test_excerpts_too_short_for_a_window_are_left_out(tmp_path: Path) -> None:
    short, long = stored(tmp_path, "a", video(1, 2, 3)), stored(tmp_path, "b", video(1, 2, 3, 4))
    table = score_excerpts(Levels(), [Excerpt(short, 0, 3), Excerpt(long, 0, 4)], "test")
    assert table["video"].tolist() == ["b"] and table.index.tolist() == [0]
    nothing = score_excerpts(Levels(), [Excerpt(short, 0, 3)], "test")
    assert nothing.empty and list(nothing.columns) == COLUMNS


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    videos = [stored(tmp_path, "a", video(*range(5))), stored(tmp_path, "b", video(*range(5)), [(2, 3)])]
    table = score_excerpts(Levels(), [Excerpt(one, 0, 5) for one in videos], "test")
    write_scores(table, tmp_path / "scores.parquet")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.parquet"), table)
    assert not [file for file in tmp_path.iterdir() if file.suffix not in (".npy", ".parquet")]


class _Convolves(Levels):
    """One 1x1 convolution per frame for `target`, and a second one where `range` is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 5, 1, bias=False)
        self.blocks: list[int] = []

    def features(self, frames: Tensor, signals: Sequence[str] | None = None) -> Features:
        self.blocks.append(len(frames))
        passes = len(signals or self.signals)
        maps = torch.stack([self.convolution(frames) for _ in range(passes)])
        return {"level": maps.mean((0, 2, 3, 4))}


def test_a_frame_costs_the_operations_of_the_headline_for_that_frame_alone() -> None:
    height, width, channels = SIZE
    multiplications = height * width * channels * 5
    assert gflop_per_frame(_Convolves()) == pytest.approx(2 * multiplications / 1e9)


@pytest.mark.parametrize("block", [1, 4, 6])
def test_speed_counts_every_frame_but_the_warm_up(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    pushed: list[int] = []

    class Watched(scoring.Stream):
        def push_block(self, frames: np.ndarray, maps: bool = False) -> tuple:
            pushed.append(len(frames))
            return super().push_block(frames, maps)

    clock = iter([10.0, 14.0])
    monkeypatch.setattr(scoring, "Stream", Watched)
    monkeypatch.setattr(scoring.time, "perf_counter", lambda: next(clock))
    speed = frames_per_second(Levels(), video(*range(10)), block=block, at_most=25)
    warm, *counted = pushed
    assert warm == max(4, block)
    assert sum(counted) == 30, "whole passes, until there are 25 frames"
    assert speed == 30 / 4
