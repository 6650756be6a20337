"""Every layout: exactly one recognises a dataset, and what does not fit is a one-sentence error."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vad_models.data.layouts import expected_counts, known_layouts, open_dataset, recognise
from vad_models.data.layouts.moving_mnist import Recipe, generate_moving_mnist
from vad_models.errors import DataError, VadError


def make(layout: str, footage: Any, root: Path) -> Path:
    """Make a tiny dataset of `layout`."""
    if layout == "moving_mnist":
        return generate_moving_mnist(root, Recipe(train=2, test=2))
    if layout == "video_folder":
        footage.video(root / "gate/a.mp4", 4)
        return root
    made: Path = getattr(footage, layout)(root)
    return made


LAYOUTS = sorted(known_layouts())

MADE = ("avenue", "frames_folder", "moving_mnist", "shanghaitech", "ucsd", "video_folder")
"""Layouts that `make` knows; a layout that stays in the project joins them."""


def test_layouts_are_called_as_their_modules() -> None:
    assert set(MADE) <= set(LAYOUTS)
    assert all(layout.name == name for name, layout in known_layouts().items())


@pytest.mark.parametrize("layout", MADE)
def test_exactly_one_layout_recognises_a_dataset(layout: str, footage: Any, tmp_path: Path) -> None:
    root = make(layout, footage, tmp_path / "x")
    assert [name for name, known in known_layouts().items() if known.recognises(root)] == [layout]


@pytest.mark.parametrize("layout", MADE)
def test_videos_can_be_read_and_sent_to_other_processes(layout: str, footage: Any, tmp_path: Path) -> None:
    dataset = open_dataset(make(layout, footage, tmp_path / "x"))
    assert (dataset.name, dataset.layout) == ("x", layout)
    splits = [video.split for video in dataset.videos]
    assert splits == sorted(splits, key=lambda split: split == "test")
    for video in pickle.loads(pickle.dumps(dataset.videos)):  # noqa: S301 (made on this line)
        frames = list(video.frames())
        assert len(frames) == video.source.count() > 0
        assert all(frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3 for frame in frames)
        labels = video.labels()
        assert labels is None or (labels.dtype == bool and len(labels) == len(frames))
        assert video.split == "test" or labels is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_forced_layout_that_does_not_fit_says_what_is_missing(layout: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=rf"is not in the layout {layout}: (the|a) .* is missing\.$"):
        open_dataset(tmp_path, layout=layout)


def test_a_folder_in_no_layout_is_told_what_layouts_look_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty: point to"):
        open_dataset(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"in no known layout.*avenue: training_videos.*ucsd: UCSDped2/Train"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        open_dataset(tmp_path / "missing")
    with pytest.raises(DataError, match="'cifar' is not known: choose one of avenue, "):
        open_dataset(tmp_path, layout="cifar")


def test_a_folder_in_two_layouts_is_not_guessed(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path)
    footage.frames_folder(tmp_path)
    with pytest.raises(DataError, match="could be avenue and frames_folder: choose one"):
        recognise(tmp_path)
    assert open_dataset(tmp_path, layout="avenue").layout == "avenue"


def test_the_description_of_a_dataset_is_followed(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path)
    description = tmp_path / "dataset.json"
    description.write_text(json.dumps({"layout": "avenue", "options": {"labels": "intervals"}}))
    assert open_dataset(tmp_path).labels == "intervals"
    assert open_dataset(tmp_path, labels="masks").labels == "masks"
    for text, sentence in [
        ("{", "is not JSON"),
        ("[1]", "must hold"),
        ('{"layuot": "avenue"}', "layuot is not a setting"),
        ('{"options": ["masks"]}', "options = .* is not allowed"),
    ]:
        description.write_text(text)
        with pytest.raises(VadError, match=sentence):
            open_dataset(tmp_path)


def test_options_are_checked(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path)
    with pytest.raises(DataError, match="has no option 'colour'; its options: labels"):
        open_dataset(tmp_path, colour="red")
    with pytest.raises(DataError, match="labels = 'pixels' is not one of masks, intervals"):
        open_dataset(tmp_path, labels="pixels")


@pytest.mark.parametrize("name", ["ped2", "ucsd_ped2", "UCSDped2"])
def test_known_datasets_are_found_by_their_names(name: str) -> None:
    counts = expected_counts(name)
    assert counts is not None
    assert (counts.train_videos, counts.test_frames, counts.abnormal) == (16, (2010,), (1648,))
    assert expected_counts("my_ped2") is None


def test_the_cameras_of_shanghaitech_add_up() -> None:
    counts = expected_counts("shanghaitech")
    assert counts is not None
    cameras = counts.per_camera.values()
    assert len(cameras) == 13
    assert sum(camera.train_videos for camera in cameras) == counts.train_videos
    assert sum(camera.test_videos for camera in cameras) == counts.test_videos
    assert sum(camera.test_frames for camera in cameras) in counts.test_frames
    assert sum(camera.abnormal for camera in cameras) in counts.abnormal
