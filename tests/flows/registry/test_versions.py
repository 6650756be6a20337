"""The registry: a camera's champion is the best that was measured, can be loaded, and holds no pickle."""

from __future__ import annotations

from pathlib import Path

import mlflow
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from flows.project.paths import Paths
from flows.registry.versions import CHAMPION, load_champion, promote
from flows.tracking.runs import connect, tracking_uri
from tests.flows.made_up import SIZE, MakeJob
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError, JobError
from vad_models.evaluation.normalisation import normalise
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.export import load_method
from vad_models.scoring import score_excerpts

METHODS = ["conv_ae", "ffp"]
NAME = "toy-camera-01"


def versions(paths: Paths, name: str = NAME) -> list:
    return list(connect(paths).search_model_versions(f"name = '{name}'"))


def of_camera(jobs: list[FinishedJob], camera: str) -> list[FinishedJob]:
    return [finished for finished in jobs if finished.job.camera == camera]


def test_the_best_job_becomes_champion_and_its_version_says_why(
    paths: Paths, benchmark: list[FinishedJob]
) -> None:
    promotion = promote(paths, of_camera(benchmark, "01"), METHODS)
    assert promotion.promoted
    assert promotion.reason == "the camera had no champion"
    champion = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    assert champion.tags["method"] == "ffp"
    assert champion.tags["selected_on"] == promotion.choice.selected_on
    assert 0 < float(champion.tags["cross_fitted_auc"]) <= 1
    assert champion.tags["promotion"].startswith("champion")
    assert "standard deviations above normal video" in champion.description
    assert "| conv_ae |" in champion.description


def test_a_second_run_registers_nothing_new(paths: Paths, benchmark: list[FinishedJob]) -> None:
    first = promote(paths, of_camera(benchmark, "01"), METHODS)
    again = promote(paths, of_camera(benchmark, "01"), METHODS)
    assert (again.promoted, again.version) == (False, first.version)
    assert "is the champion already" in again.reason
    assert len(versions(paths)) == 1
    assert versions(paths)[0].tags["promotion"].startswith("champion")


def test_a_worse_job_is_registered_and_refused(paths: Paths, make_job: MakeJob) -> None:
    promote(paths, [make_job("ffp", quality=3.0)], METHODS)
    refused = promote(paths, [make_job("conv_ae", quality=0.2)], METHODS)
    assert not refused.promoted
    assert refused.reason.startswith("not better: test AUC")
    champion = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    assert champion.tags["method"] == "ffp"
    by_method = {one.tags["method"]: one.tags["promotion"] for one in versions(paths)}
    assert by_method["conv_ae"].startswith("refused: not better")


def test_a_better_job_takes_over(paths: Paths, make_job: MakeJob) -> None:
    promote(paths, [make_job("conv_ae", quality=0.2)], METHODS)
    better = promote(paths, [make_job("ffp", quality=3.0)], METHODS)
    assert better.promoted
    assert load_champion(paths, "toy", "01").version == better.version


def test_other_data_or_another_criterion_are_not_compared(paths: Paths, make_job: MakeJob) -> None:
    promote(paths, [make_job("ffp", quality=3.0)], METHODS)
    new_data = promote(paths, [make_job("ffp", quality=0.2, data_version="d1" * 32)], METHODS)
    assert new_data.promoted
    assert "another version of the data" in new_data.reason
    unlabelled = make_job("conv_ae", labelled=False, label_free_auc=0.6, data_version="d1" * 32)
    other = promote(paths, [unlabelled], METHODS)
    assert other.promoted
    assert "another criterion" in other.reason


def test_the_champion_scores_what_the_batch_scored(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    promote(paths, [finished], METHODS)
    champion = load_champion(paths, "toy", "01")
    video = FrameStore(paths.frames / "toy" / str(SIZE)).videos("01", "test")[0]
    frames = np.asarray(video.array())

    scored = champion.model.predict(pd.DataFrame({"frame": list(frames)}))
    assert list(scored.columns) == ["frame", "reconstruction", "score", "is_abnormal"]
    assert [str(kind) for kind in scored.dtypes] == ["int64", "float64", "float64", "bool"]
    batch = score_excerpts(load_method(finished.directory), [Excerpt(video, 0, video.frames)], "test")
    assert list(scored["frame"]) == list(batch["frame"])
    np.testing.assert_allclose(scored["reconstruction"], batch["reconstruction"], rtol=1e-6)

    held = finished.scores[finished.scores["split"] == "holdout"]
    expected = normalise(pd.concat([held, batch], ignore_index=True), "reconstruction", "training")
    np.testing.assert_allclose(scored["score"], expected, rtol=1e-6)
    threshold = finished.metrics["threshold"]["value"]
    assert list(scored["is_abnormal"]) == list(scored["score"] > threshold)

    from_path = champion.model.predict(str(video.path))
    pd.testing.assert_frame_equal(from_path, scored)


def test_anybody_can_load_the_champion_by_its_name(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(paths, [make_job()], METHODS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(paths))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    mlflow.set_tracking_uri(None)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}")
    assert model.metadata.signature.outputs.input_names() == [
        "frame",
        "reconstruction",
        "score",
        "is_abnormal",
    ]
    with pytest.raises(DataError, match="one path or a column of frames"):
        model.predict(pd.DataFrame({"frame": [1, 2]}))


def test_the_registered_model_holds_data_and_no_code(paths: Paths, make_job: MakeJob) -> None:
    promote(paths, [make_job()], METHODS)
    version = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    folder = Path(
        connect(paths).get_model_version_download_uri(NAME, version.version).removeprefix("file://")
    )
    files = {file.name for file in folder.rglob("*") if file.is_file()}
    assert {"MLmodel", "model.safetensors", "model.json", "calibration.json", "requirements.txt"} <= files
    assert not {name for name in files if name.endswith((".pkl", ".pickle", ".py", ".pt", ".pth", ".bin"))}


def test_a_camera_without_champion_is_one_sentence(paths: Paths) -> None:
    with pytest.raises(JobError, match="camera 09 of toy has no champion: train one with `vad benchmark"):
        load_champion(paths, "toy", "09")
