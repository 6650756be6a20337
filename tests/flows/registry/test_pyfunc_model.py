"""The registered model as MLflow loads it: what it takes, what it gives, under its name of today and of before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch

import flows.pyfunc_model
from flows.project.paths import Paths
from flows.registry import pyfunc_model
from flows.registry.catalogue import CHAMPION
from flows.registry.pyfunc_model import PyfuncDetector, signature
from flows.registry.versions import load_champion
from flows.tracking.runs import connect, tracking_uri
from tests.flows.made_up import SETTINGS, SIZE, MakeJob
from tests.flows.registry.test_versions import NAME, challenged
from vad_models.data.clips import Excerpt
from vad_models.data.frame_store import FrameStore
from vad_models.errors import DataError
from vad_models.evaluation.normalisation import normalise
from vad_models.methods import build_method
from vad_models.operation.detector import Calibration, Detector, save_calibration
from vad_models.operation.export import load_method, save_method
from vad_models.scoring import score_excerpts

CALIBRATION = Calibration(
    "reconstruction", mean=0.05, deviation=0.01, threshold=2.0, false_alarms_per_hour=6.0
)
VIDEO = np.random.default_rng(0).integers(0, 256, (9, *SIZE), dtype=np.uint8)


@pytest.fixture
def detector() -> Detector:
    torch.manual_seed(0)
    return Detector(build_method("conv_ae", SETTINGS, SIZE).eval(), CALIBRATION)


def test_the_champion_scores_what_the_batch_scored(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    challenged(paths, [finished])
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
    challenged(paths, [make_job()])
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


def test_models_registered_by_earlier_versions_of_the_project_still_load(
    paths: Paths, make_job: MakeJob, tmp_path: Path
) -> None:
    challenged(paths, [make_job()])
    champion = load_champion(paths, "toy", "01")
    version = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    uri = connect(paths).get_model_version_download_uri(NAME, version.version)
    old = tmp_path / "old"
    shutil.copytree(uri.removeprefix("file://"), old)
    stated = (old / "MLmodel").read_text()
    assert "loader_module: flows.registry.pyfunc_model" in stated
    (old / "MLmodel").write_text(stated.replace("flows.registry.pyfunc_model", "flows.pyfunc_model"))

    video = FrameStore(paths.frames / "toy" / str(SIZE)).videos("01", "test")[0]
    scored = mlflow.pyfunc.load_model(str(old)).predict(str(video.path))
    pd.testing.assert_frame_equal(scored, champion.model.predict(str(video.path)))


def test_frames_and_a_path_to_them_are_scored_alike(detector: Detector, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VIDEO)
    model, expected = PyfuncDetector(detector), detector.score(VIDEO)
    for given in (
        pd.DataFrame({"frame": list(VIDEO)}),
        pd.DataFrame({"video": [str(tmp_path / "v.npy")]}),
        pd.DataFrame({"video": [tmp_path / "v.npy"]}),
        str(tmp_path / "v.npy"),
    ):
        pd.testing.assert_frame_equal(model.predict(given), expected)
    assert model.get_raw_model() is detector


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (pd.DataFrame({"frame": [1, 2]}), "int"),
        (pd.DataFrame({"video": ["a.mp4", "b.mp4"]}), "str"),
        (pd.DataFrame({"frame": [VIDEO[0], "a.mp4"]}), "ndarray, str"),
        (pd.DataFrame({"frame": []}), "nothing"),
        (3.5, "float"),
    ],
)
def test_what_is_neither_a_path_nor_frames_is_refused(detector: Detector, given: Any, kinds: str) -> None:
    with pytest.raises(DataError, match=rf"one path or a column of frames \(uint8 arrays\), not {kinds}\."):
        PyfuncDetector(detector).predict(given)


def test_the_signature_names_the_columns_of_a_prediction_with_their_types(detector: Detector) -> None:
    stated = signature(detector).outputs
    assert stated.input_names() == list(detector.score(VIDEO).columns)
    assert [str(kind) for kind in stated.input_types()] == [
        "DataType.long", "DataType.double", "DataType.double", "DataType.boolean",
    ]  # fmt: skip


@pytest.mark.parametrize("module", [pyfunc_model, flows.pyfunc_model], ids=["today", "before 0.2"])
def test_mlflow_finds_its_hook_under_either_name(module: Any, detector: Detector, tmp_path: Path) -> None:
    save_method(detector.method, SETTINGS, tmp_path, {})
    save_calibration(CALIBRATION, tmp_path)
    loaded = module._load_pyfunc(str(tmp_path))
    assert isinstance(loaded, PyfuncDetector)
    pd.testing.assert_frame_equal(loaded.predict(pd.DataFrame({"frame": list(VIDEO)})), detector.score(VIDEO))
