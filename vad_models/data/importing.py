"""Import of footage into `data/<name>`, completely or not at all, with a check of its counts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vad_models.data.files import explain_write_errors, require_space, write_json
from vad_models.data.layouts import (
    DESCRIPTION_FILE,
    CameraCounts,
    ExpectedCounts,
    RawDataset,
    expected_counts,
    open_dataset,
)
from vad_models.data.parallel import ReportProgress
from vad_models.errors import DataError

__all__ = ["SummaryRow", "import_dataset", "summary"]

_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"}


class SummaryRow(NamedTuple):
    """One row of the summary of a dataset."""

    what: str
    found: str
    expected: str
    """Published count; empty if none was published."""
    ok: bool | None
    """Whether the count is a published one; None if none was published."""


def import_dataset(
    source: Path,
    data_root: Path,
    name: str,
    layout: str | None = None,
    progress: ReportProgress | None = None,
    options: Mapping[str, str] | None = None,
) -> RawDataset:
    """Copy the dataset below `source` to `data_root/name`; a killed import resumes where it stopped.

    Args:
        source: the dataset's folder; it is only read.
        data_root: the project's `data/`.
        name: lower-case letters, digits, `_` and `-`.
        layout: a name in `known_layouts()`; None recognises the layout.
        progress: called with the bytes copied.
        options: options of the layout, such as `{"labels": "intervals"}`; stored in `dataset.json`.

    Returns:
        The dataset in `data_root/name`.

    Raises:
        DataError: name, layout or footage are wrong, the name is taken, or the disk is full.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise DataError(f"{name!r} is not a name for a dataset: use lower-case letters, digits, _ and -.")
    dataset = open_dataset(source, name, layout, **(options or {}))
    for video in dataset.videos:
        if not video.source.count():
            raise DataError(f"{video.source.path} holds no frames: copy it again, or remove it.")
    files = _files(source)
    target = data_root / name
    description = {"layout": dataset.layout, "options": dict(dataset.options)}
    if target.exists():
        if _files(target) != files:
            raise DataError(f"{target} exists and is not {source}: choose another --name, or remove it.")
        write_json(target / DESCRIPTION_FILE, description)
    else:
        staging = data_root / f".{name}.importing"
        _copy(source, staging, files, progress)
        write_json(staging / DESCRIPTION_FILE, description)
        staging.replace(target)
    return open_dataset(target, name)


def summary(dataset: RawDataset, manifest: pd.DataFrame | None = None) -> list[SummaryRow]:
    """Compare the counts of a dataset with those that were published, with one row per camera if there are several.

    Args:
        dataset: the raw dataset.
        manifest: its manifest; None counts frames by file names and headers, without decoding.

    Raises:
        DataError: a label file or a video's header cannot be read.
    """
    counts = _quick_counts(dataset) if manifest is None else manifest
    expected = expected_counts(dataset.name)
    train, test = (counts[counts["split"] == split] for split in ("train", "test"))
    found = {
        "training videos": len(train),
        "training frames": int(train["frames"].sum()),
        "test videos": len(test),
        "test frames": int(test["frames"].sum()),
        "abnormal test frames": int(test["abnormal_frames"].sum()),
    }
    published = _published(expected)
    rows = [_row(what, number, published.get(what)) for what, number in found.items()]
    cameras = sorted({*counts["camera"], *(expected.per_camera if expected else ())})
    return rows + [_camera_row(camera, counts, expected) for camera in cameras if len(cameras) > 1]


def _published(expected: ExpectedCounts | None) -> dict[str, tuple[int, ...]]:
    if expected is None:
        return {}
    return {
        "training videos": (expected.train_videos,),
        "training frames": (expected.train_frames,),
        "test videos": (expected.test_videos,),
        "test frames": expected.test_frames,
        "abnormal test frames": expected.abnormal,
    }


def _row(what: str, found: int, expected: tuple[int, ...] | None) -> SummaryRow:
    if expected is None:
        return SummaryRow(what, f"{found:,}", "", None)
    told = " or ".join(f"{number:,}" for number in expected)
    return SummaryRow(what, f"{found:,}", told, found in expected)


def _camera_row(camera: str, counts: pd.DataFrame, expected: ExpectedCounts | None) -> SummaryRow:
    rows = counts[counts["camera"] == camera]
    test = rows[rows["split"] == "test"]
    found = CameraCounts(
        train_videos=len(rows) - len(test),
        test_videos=len(test),
        test_frames=int(test["frames"].sum()),
        abnormal=int(test["abnormal_frames"].sum()),
    )
    published = expected.per_camera.get(camera) if expected else None
    told = "" if published is None else _told(published)
    ok = None if published is None else found == published
    return SummaryRow(f"camera {camera}", _told(found), told, ok)


def _told(counts: CameraCounts) -> str:
    return (
        f"{counts.train_videos:,} training, {counts.test_videos:,} test videos, "
        f"{counts.test_frames:,} frames, {counts.abnormal:,} abnormal"
    )


def _quick_counts(dataset: RawDataset) -> pd.DataFrame:
    rows = []
    for video in dataset.videos:
        labels = video.labels()
        abnormal = 0 if labels is None else int(np.count_nonzero(labels))
        rows.append((video.camera, video.split, video.source.count(), abnormal))
    return pd.DataFrame(rows, columns=["camera", "split", "frames", "abnormal_frames"])


def _files(root: Path) -> dict[Path, int]:
    """List every file below `root` that belongs to the dataset, with its size in bytes."""
    return {
        path: file.stat().st_size
        for file in sorted(root.rglob("*"))
        if file.is_file()
        and not _is_litter(path := file.relative_to(root))
        and path != Path(DESCRIPTION_FILE)
    }


def _is_litter(path: Path) -> bool:
    return any(part in _LITTER or part.startswith("._") for part in path.parts)


def _copy(source: Path, staging: Path, files: dict[Path, int], progress: ReportProgress | None) -> None:
    there = _files(staging) if staging.is_dir() else {}
    for stray in there.keys() - files.keys():
        (staging / stray).unlink()
    missing = [path for path, size in files.items() if there.get(path) != size]
    total = sum(files.values())
    remaining = sum(files[path] for path in missing)
    require_space(staging, remaining)
    with explain_write_errors(staging, remaining):
        for path in missing:
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, staging / path)
            remaining -= files[path]
            if progress is not None:
                progress(total - remaining, total)
