"""UCSD's official layout and its quirks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from vad_models.data.layouts import open_dataset
from vad_models.errors import DataError

LABELS = {"Test001": [False, False, True, True, True], "Test002": [True, True, False, True]}


def labels(root: Path) -> dict[str, list[bool]]:
    return {v.name: v.labels().tolist() for v in open_dataset(root).videos if v.split == "test"}  # type: ignore[union-attr]


def test_labels_are_the_official_list(footage: Any, tmp_path: Path) -> None:
    root = footage.ucsd(tmp_path / "UCSDped2")
    dataset = open_dataset(root, "ped2")
    assert [(v.camera, v.split, v.name) for v in dataset.videos] == [
        ("01", "train", "Train001"),
        ("01", "test", "Test001"),
        ("01", "test", "Test002"),
    ]
    assert dataset.labels == "official"
    assert labels(root) == LABELS


def test_without_the_list_labels_are_the_masks(footage: Any, tmp_path: Path) -> None:
    root = footage.ucsd(tmp_path / "UCSDped1", intervals=None)
    assert open_dataset(root).labels == "masks"
    assert labels(root) == LABELS


@pytest.mark.parametrize("subset", ["UCSDped1", "UCSDped2"])
def test_the_folder_above_will_do(footage: Any, tmp_path: Path, subset: str) -> None:
    footage.ucsd(tmp_path / subset)
    assert labels(tmp_path) == LABELS


def test_two_datasets_below_one_folder_are_not_guessed(footage: Any, tmp_path: Path) -> None:
    footage.ucsd(tmp_path / "UCSDped1")
    footage.ucsd(tmp_path / "UCSDped2")
    with pytest.raises(DataError, match="holds UCSDped1 and UCSDped2: give the path of one"):
        open_dataset(tmp_path)


def test_missing_labels_are_refused(footage: Any, tmp_path: Path) -> None:
    root = footage.ucsd(tmp_path / "UCSDped2", intervals=None)
    shutil.rmtree(root / "Test/Test002_gt")
    with pytest.raises(DataError, match=r"Test002_gt is missing, and so is a list of labels UCSDped2\.m"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("intervals", "sentence"),
    [
        (["[1:3]"], "labels 1 videos of 2"),
        (["[3:1]", "[1:2]"], r"\[3:1\] is not a list"),
        (["[a]", "[1]"], r"\[a\] is no"),
    ],
)
def test_a_wrong_list_is_refused(footage: Any, tmp_path: Path, intervals: list[str], sentence: str) -> None:
    root = footage.ucsd(tmp_path / "UCSDped2", intervals)
    with pytest.raises(DataError, match=sentence):
        open_dataset(root)
