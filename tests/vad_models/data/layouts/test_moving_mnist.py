"""Moving-MNIST: both kinds of anomaly, drawn the same from the same recipe."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from vad_models.data.layouts import RawVideo, open_dataset
from vad_models.data.layouts.moving_mnist import Recipe, generate_moving_mnist
from vad_models.errors import DataError, SettingsError


def videos(root: Path, camera: str, split: str) -> list[RawVideo]:
    return [video for video in open_dataset(root).videos if (video.camera, video.split) == (camera, split)]


def images(video: RawVideo) -> np.ndarray:
    """uint8 (20, 225, 225)."""
    return np.stack([frame[..., 0] for frame in video.frames()])


def write_idx(path: Path, digits: np.ndarray) -> None:
    data = struct.pack(">iiii", 2051, *digits.shape) + digits.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def test_one_camera_per_kind_and_as_many_sequences_as_asked(tmp_path: Path) -> None:
    root = generate_moving_mnist(tmp_path / "x", Recipe(train=3, test=2))
    for camera in ("appearance", "motion"):
        assert (len(videos(root, camera, "train")), len(videos(root, camera, "test"))) == (3, 2)


def test_the_same_recipe_gives_the_same_frames(tmp_path: Path) -> None:
    one, two, other = (
        generate_moving_mnist(tmp_path / name, Recipe(train=1, test=1, seed=seed))
        for name, seed in (("one", 0), ("two", 0), ("other", 1))
    )
    hashes = [[video.source.sha256() for video in open_dataset(root).videos] for root in (one, two, other)]
    assert hashes[0] == hashes[1]
    assert len({*hashes[0], *hashes[2]}) == 8


def test_appearance_a_white_box_for_five_frames(tmp_path: Path) -> None:
    root = generate_moving_mnist(tmp_path, Recipe(train=1, test=20))
    for video in videos(root, "appearance", "test"):
        labels = video.labels()
        assert labels is not None
        assert labels.sum() == 5
        boxes = np.array([_box_at(image) for image in images(video)], dtype=object)
        shown = set.intersection(*boxes[labels])
        assert shown, "one place is white in all five frames"
        assert not shown <= set.intersection(*boxes[~labels])


def _box_at(image: np.ndarray) -> set[tuple[int, int]]:
    """Places of every 3 x 3 square that is white throughout."""
    windows = np.lib.stride_tricks.sliding_window_view(image == 255, (3, 3))
    return {(int(y), int(x)) for y, x in np.argwhere(windows.all(axis=(2, 3)))}


def test_appearance_digits_step_along_one_axis(tmp_path: Path) -> None:
    root = generate_moving_mnist(tmp_path, Recipe(train=5, test=1))
    for video in videos(root, "appearance", "train"):
        source = video.source
        steps = np.diff(source._paths(np.random.default_rng(0)), axis=1)  # type: ignore[attr-defined]
        assert set(np.abs(steps).sum(axis=2).reshape(-1).tolist()) == {5}


def test_motion_digits_part_after_ten_frames(tmp_path: Path) -> None:
    root = generate_moving_mnist(tmp_path, Recipe(train=5, test=5))
    for split in ("train", "test"):
        for video in videos(root, "motion", split):
            first, second = video.source._paths(np.random.default_rng(1))  # type: ignore[attr-defined]
            together = (first == second).all(axis=1)
            labels = video.labels()
            assert together[:10].all()
            if labels is None:
                assert together.all()
            else:
                assert labels.tolist() == [False] * 10 + [True] * 10
                assert not together[10:].any()


def test_mnists_own_digits_from_idx_files(tmp_path: Path) -> None:
    root = generate_moving_mnist(tmp_path, Recipe(train=1, test=1, digits="mnist"))
    with pytest.raises(DataError, match="train-images-idx3-ubyte is missing"):
        open_dataset(root)
    write_idx(root / "train-images-idx3-ubyte.gz", np.full((2, 28, 28), 90, np.uint8))
    write_idx(root / "t10k-images-idx3-ubyte", np.full((2, 28, 28), 91, np.uint8))
    assert {int(images(video).max()) for video in videos(root, "motion", "train")} == {90}
    assert {int(images(video).max()) for video in videos(root, "motion", "test")} == {91}


@pytest.mark.parametrize(
    "data", [b"", b"text, and no idx file", struct.pack(">iiii", 2051, 9, 28, 28) + b"short"]
)
def test_a_broken_idx_file_is_refused(tmp_path: Path, data: bytes) -> None:
    root = generate_moving_mnist(tmp_path, Recipe(train=1, test=1, digits="mnist"))
    for name in ("train", "t10k"):
        (root / f"{name}-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(DataError, match="not a whole idx file"):
        list(open_dataset(root).videos[0].frames())


def test_a_recipe_is_validated(tmp_path: Path) -> None:
    recipe = tmp_path / "moving_mnist.json"
    for text, error, sentence in [
        ("{", DataError, "is not JSON"),
        ("[]", DataError, "must hold settings"),
        ('{"train": 0}', SettingsError, r"train = 0 is not allowed"),
        ('{"trian": 9}', SettingsError, r"trian is not a setting"),
    ]:
        recipe.write_text(text)
        with pytest.raises(error, match=sentence):
            open_dataset(tmp_path)
