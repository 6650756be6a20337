"""Import copies a dataset whole or not at all, and says what it found against what was published."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from vad_models.data.importing import import_dataset, summary
from vad_models.data.layouts import open_dataset
from vad_models.data.manifest import inspect
from vad_models.errors import DataError


def test_a_dataset_is_copied_with_its_description_and_without_litter(footage: Any, tmp_path: Path) -> None:
    source = footage.ucsd(tmp_path / "UCSDped2")
    told: list[tuple[int, int]] = []
    dataset = import_dataset(source, tmp_path / "data", "ped2", progress=lambda *counts: told.append(counts))
    target = tmp_path / "data" / "ped2"
    assert (dataset.name, dataset.layout, dataset.root) == ("ped2", "ucsd", target)
    assert json.loads((target / "dataset.json").read_text()) == {"layout": "ucsd", "options": {}}
    copied = {path.relative_to(target) for path in target.rglob("*") if path.is_file()}
    published = {
        path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.name[0] != "."
    }
    assert copied == {*published, Path("dataset.json")}
    assert told[-1][0] == told[-1][1] == sum((source / path).stat().st_size for path in published)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["ped2"]


def test_options_are_kept(footage: Any, tmp_path: Path) -> None:
    footage.avenue(tmp_path / "avenue")
    dataset = import_dataset(tmp_path / "avenue", tmp_path / "data", "a", options={"labels": "intervals"})
    assert dataset.labels == open_dataset(tmp_path / "data" / "a").labels == "intervals"


def test_the_same_again_is_fine_and_another_is_refused(footage: Any, tmp_path: Path) -> None:
    source = footage.frames_folder(tmp_path / "x")
    import_dataset(source, tmp_path / "data", "x")
    import_dataset(source, tmp_path / "data", "x")
    other = footage.frames_folder(tmp_path / "y", cells=[[[1], [1]], []])
    footage.images(other / "training/frames/01", 6)
    with pytest.raises(
        DataError, match=r"data/x exists and is not .*y: choose another --name, or remove it\."
    ):
        import_dataset(other, tmp_path / "data", "x")


def test_a_killed_import_goes_on(footage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = footage.frames_folder(tmp_path / "x")
    copyfile, copied = shutil.copyfile, []

    def copy(one: Path, other: Path) -> None:
        if len(copied) == 7:
            other.write_bytes(one.read_bytes()[:20])
            raise KeyboardInterrupt
        copied.append(one)
        copyfile(one, other)

    monkeypatch.setattr("shutil.copyfile", copy)
    with pytest.raises(KeyboardInterrupt):
        import_dataset(source, tmp_path / "data", "x")
    assert not (tmp_path / "data" / "x").exists()
    (tmp_path / "data" / ".x.importing" / "stray.jpg").touch()
    copied_before, again = set(copied), []
    monkeypatch.setattr("shutil.copyfile", lambda one, other: (again.append(one), copyfile(one, other)))
    import_dataset(source, tmp_path / "data", "x")
    files = {path for path in source.rglob("*") if path.is_file()}
    assert set(again) == files - copied_before
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"x"}
    assert not (tmp_path / "data/x/stray.jpg").exists()


def test_a_full_disk_leaves_no_dataset(footage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = footage.frames_folder(tmp_path / "x")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", lambda *_: Path("/dev/full").write_bytes(b"x"))
        with pytest.raises(DataError, match="the disk or its quota is full"):
            import_dataset(source, tmp_path / "data", "x")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(DataError, match="the disk or its quota is full"):
        import_dataset(source, tmp_path / "data", "x")
    assert not (tmp_path / "data" / "x").exists()


@pytest.mark.parametrize("name", ["", "../x", "My Data", ".hidden"])
def test_names_that_cannot_be_folders_are_refused(footage: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="is not a name for a dataset"):
        import_dataset(footage.frames_folder(tmp_path / "x"), tmp_path / "data", name)


def test_empty_videos_are_refused(footage: Any, tmp_path: Path) -> None:
    source = footage.shanghaitech(tmp_path / "x")
    for file in (source / "testing/frames/02_0001").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="02_0001 holds no frames: copy it again"):
        import_dataset(source, tmp_path / "data", "x")
    (source / "training/videos/01_001.avi").write_bytes(b"")
    with pytest.raises(DataError, match=r"01_001\.avi cannot be read: the file is empty"):
        import_dataset(source, tmp_path / "data", "x")
    assert not (tmp_path / "data").exists()


def test_the_summary_holds_found_against_published(footage: Any, tmp_path: Path) -> None:
    dataset = open_dataset(footage.shanghaitech(tmp_path), "shanghaitech")
    rows = summary(dataset)
    assert rows == summary(dataset, inspect(dataset, 1))
    assert rows[3] == ("test frames", "9", "40,791 or 42,883", False)
    assert len(rows) == 5 + 13
    assert rows[5] == (
        "camera 01",
        "1 training, 1 test videos, 5 frames, 2 abnormal",
        "83 training, 34 test videos, 11,894 frames, 4,884 abnormal",
        False,
    )


def test_the_summary_of_an_unknown_dataset_expects_nothing(footage: Any, tmp_path: Path) -> None:
    rows = summary(open_dataset(footage.shanghaitech(tmp_path), "campus"))
    assert rows[0] == ("training videos", "2", "", None)
    assert [row.what for row in rows[5:]] == ["camera 01", "camera 02"]
    one_camera = summary(open_dataset(footage.avenue(tmp_path / "a"), "mine"))
    assert len(one_camera) == 5


def test_real_ped2_holds_what_was_published(ped2: Path) -> None:
    rows = summary(open_dataset(ped2, "ucsd_ped2"))
    assert [row.found for row in rows] == ["16", "2,550", "12", "2,010", "1,648"]
    assert all(row.ok for row in rows)
