"""The figures of one finished job."""

from __future__ import annotations

import pandas as pd

from flows.project.paths import Paths
from flows.results.job_figures import pick_examples, write_job_figures
from tests.flows.made_up import SIZE, MakeJob
from vad_models.data.frame_store import FrameStore


def test_a_labelled_job_has_all_figures(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    folder = write_job_figures(finished, FrameStore(paths.frames / "toy" / str(SIZE)))
    names = {file.name for file in folder.iterdir()}
    assert names == {"history.png", "scores.png", "roc.png", "histogram.png", "frames.png"}
    assert {path.name for path in finished.directory.iterdir() if "partial" in path.name} == set()


def test_an_unlabelled_job_has_those_that_need_no_labels(paths: Paths, make_job: MakeJob) -> None:
    folder = write_job_figures(make_job(labelled=False), FrameStore(paths.frames / "toy" / str(SIZE)))
    assert {file.name for file in folder.iterdir()} == {"history.png", "scores.png"}


def test_examples_are_the_most_telling_and_no_two_are_neighbours() -> None:
    frames = pd.DataFrame({"camera": "01", "video": "a", "frame": range(100)})
    frames["label"] = frames["frame"] >= 50
    frames["score"] = (frames["frame"] % 50) / 50
    picked = pick_examples(frames, each=2)
    assert list(picked) == ["normal, scored highest", "abnormal, scored lowest", "abnormal, scored highest"]
    assert list(picked["normal, scored highest"]["frame"]) == [49, 24]
    assert list(picked["abnormal, scored lowest"]["frame"]) == [50, 75]
    assert list(picked["abnormal, scored highest"]["frame"]) == [99, 74]
