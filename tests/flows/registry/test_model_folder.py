"""The folder of a registered model: what is in it, where it comes from, and what stands in the registry."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
import yaml
from mlflow.exceptions import MlflowException

from flows.project.paths import Paths
from flows.registry.catalogue import CHAMPION
from flows.registry.choice import choose
from flows.registry.model_folder import log_model
from flows.tracking.runs import connect, find_finished
from tests.flows.made_up import MakeJob
from tests.flows.registry.test_versions import NAME, challenged
from vad_models.operation.detector import Calibration, load_detector


def test_the_registered_model_holds_data_and_no_code(paths: Paths, make_job: MakeJob) -> None:
    challenged(paths, [make_job()])
    version = connect(paths).get_model_version_by_alias(NAME, CHAMPION)
    folder = Path(
        connect(paths).get_model_version_download_uri(NAME, version.version).removeprefix("file://")
    )
    files = {file.name for file in folder.rglob("*") if file.is_file()}
    assert {"MLmodel", "model.safetensors", "model.json", "calibration.json", "requirements.txt"} <= files
    assert not {name for name in files if name.endswith((".pkl", ".pickle", ".py", ".pt", ".pth", ".bin"))}


def test_a_version_is_of_the_run_of_its_job_and_can_be_traced_to_it(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job("ffp", seed=3)
    client = connect(paths)
    version = log_model(client, paths, NAME, choose([finished], ["ffp"]))
    assert (version.name, int(version.version)) == (NAME, 1)
    assert version.run_id == find_finished(paths, "toy", finished.job.fingerprint)
    (output,) = client.get_run(version.run_id).outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (logged.name, logged.model_type, logged.source_run_id) == ("ffp-01-seed3", "ffp", version.run_id)
    assert logged.status == "READY"
    assert version.tags["fingerprint"] == finished.job.fingerprint
    model = client.get_registered_model(NAME)
    assert model.tags == {"dataset": "toy", "camera": "01"}
    assert model.description == f"Detector of camera 01 of toy; alias `{CHAMPION}` serves it."


def test_a_second_version_joins_the_model_that_is_there(paths: Paths, make_job: MakeJob) -> None:
    client = connect(paths)
    for number, method in enumerate(("conv_ae", "ffp"), start=1):
        version = log_model(client, paths, NAME, choose([make_job(method)], [method]))
        assert int(version.version) == number


def test_an_error_of_the_registry_is_not_hidden(
    paths: Paths, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(paths)

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("the disk is full")

    monkeypatch.setattr(client, "create_registered_model", refuse)
    with pytest.raises(MlflowException, match="the disk is full"):
        log_model(client, paths, NAME, choose([make_job()], ["conv_ae"]))


def test_the_folder_holds_the_jobs_detector_and_names_its_packages(paths: Paths, make_job: MakeJob) -> None:
    finished = make_job()
    client = connect(paths)
    version = log_model(client, paths, NAME, choose([finished], ["conv_ae"]))
    folder = Path(client.get_model_version_download_uri(NAME, version.version).removeprefix("file://"))
    stated = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    assert stated["loader_module"] == "flows.registry.pyfunc_model"
    data = folder / stated["data"]
    assert sorted(file.name for file in data.iterdir()) == [
        "calibration.json", "model.json", "model.safetensors",
    ]  # fmt: skip
    assert (data / "model.safetensors").read_bytes() == finished.files.weights.read_bytes()
    assert load_detector(data).calibration == Calibration.of(
        finished.scores, "reconstruction", finished.metrics["threshold"]
    )
    requirements = (folder / "requirements.txt").read_text().split()
    assert f"numpy=={installed_version('numpy')}" in requirements
    assert not [line for line in requirements if "+" in line], "builds such as +cpu are on no package index"
