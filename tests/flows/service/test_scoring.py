"""Which videos are scored, and which files are written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.project.project import Project
from flows.service import scoring
from tests.conftest import FRAMES
from vad_models.errors import DataError


def test_the_test_video_of_the_camera_is_scored_unless_others_are_named(project_root: Path) -> None:
    project = Project.at(project_root)
    footage = project_root / "elsewhere"
    footage.mkdir()
    for name in ("b.mp4", "a.avi", "notes.txt"):
        (footage / name).touch()
    frames = Path("data/blobs/testing/frames/02_003")

    assert scoring._sources(project, "blobs", "01", None) == {
        "01_003": project_root / "data/blobs/testing/frames/01_003"
    }
    assert list(scoring._sources(project, "blobs", "01", Path("elsewhere"))) == ["a", "b"]
    assert scoring._sources(project, "blobs", "01", frames) == {"02_003": project_root / frames}
    assert scoring._sources(project, "blobs", "01", Path("elsewhere/b.mp4")) == {"b": footage / "b.mp4"}
    with pytest.raises(DataError, match="no test video of camera '09'"):
        scoring._sources(project, "blobs", "09", None)


@pytest.mark.slow
@pytest.mark.integration
def test_scores_and_events_are_written(project_root: Path) -> None:
    from flows.benchmark.flow import benchmark
    from flows.project.paths import Paths
    from flows.servers.local import prefect_server

    with prefect_server(Paths(project_root)):
        benchmark("blobs", cameras=["01"], root=project_root)
        scoring.score("blobs", "01", root=project_root)

    scores = pd.read_parquet(project_root / "scores/blobs/01.parquet")
    assert set(scores["video"]) == {"01_003"}
    assert scores["frame"].between(0, FRAMES - 1).all() and len(scores) > FRAMES // 2
    events = pd.read_csv(project_root / "scores/blobs/01-events.csv")
    assert list(events.columns) == ["video", "first", "last", "peak", "score"]
    abnormal = set(scores.loc[scores["is_abnormal"], "frame"])
    assert abnormal == {frame for row in events.itertuples() for frame in range(row.first, row.last + 1)}
