"""Contact sheets show the conditions in their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.project.project import Project, open_raw
from flows.studies.contact_sheet import severity_sheet, weather_sheet, write_contact_sheets
from vad_models.data.layouts import RawVideo
from vad_models.errors import DataError
from vad_models.studies.conditions import RobustnessSettings

SETTINGS = RobustnessSettings(
    distortions=("fog", "dropped_frames"), severities=(1, 5), brightness=(1.0, 0.5), rain=("none", "heavy")
)


@pytest.fixture
def video(project_root: Path) -> RawVideo:
    raw = open_raw(Project.at(project_root).paths, "blobs")
    return next(video for video in raw.videos if video.split == "test")


def cells(mosaic: np.ndarray, rows: int, columns: int) -> list[list[np.ndarray]]:
    """Pictures of a sheet, without the gaps between them."""
    return [
        [cell[:-4, :-4].astype(float) for cell in np.hsplit(row, columns)] for row in np.vsplit(mosaic, rows)
    ]


def test_every_distortion_has_a_row_with_its_severities_in_order(video: RawVideo) -> None:
    (axes,) = severity_sheet(video, SETTINGS).axes

    assert [label.get_text() for label in axes.get_yticklabels()] == ["fog", "dropped frames"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["clean", "1", "5"]
    for clean, mild, severe in cells(axes.images[0].get_array(), 2, 3):
        assert clean.shape == (128, 192, 3)
        assert np.abs(mild - clean).mean() < np.abs(severe - clean).mean()


def test_the_weather_is_a_grid_of_rain_and_brightness(video: RawVideo) -> None:
    (axes,) = weather_sheet(video, SETTINGS).axes

    (clean, dark), (rain, dark_rain) = cells(axes.images[0].get_array(), 2, 2)
    assert np.abs(0.5 * clean - dark).max() <= 1
    assert np.abs(0.5 * rain - dark_rain).max() <= 1
    assert np.abs(rain - clean).mean() > 1


def test_the_sheets_of_a_dataset_are_files(project_root: Path) -> None:
    grid = "studies: {robustness: {brightness: [1.0], rain: [none], distortions: [fog], severities: [1]}}\n"
    params = project_root / "params.yaml"
    params.write_text(params.read_text() + grid)

    files = write_contact_sheets(Project.at(project_root), "blobs", project_root / "out")

    assert [file.name for file in files] == ["distortions.jpg", "weather.jpg"]
    assert all(file.stat().st_size > 5_000 for file in files)


def test_a_dataset_that_is_not_there_is_named(project_root: Path) -> None:
    with pytest.raises(DataError, match="there is no data/nowhere"):
        write_contact_sheets(Project.at(project_root), "nowhere", project_root)
