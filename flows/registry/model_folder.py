"""A finished job as an MLflow model: its folder, which is logged with the job's run and registered as a version."""

from __future__ import annotations

import tempfile
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path
from shutil import copyfile

import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from flows.project.paths import Paths
from flows.registry.catalogue import CHAMPION
from flows.registry.choice import Choice
from flows.registry.model_card import version_tags
from flows.registry.pyfunc_model import signature
from flows.tracking.runs import log_job, prepare_tracking
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.detector import Calibration, load_detector, save_calibration

__all__ = ["log_model"]

_REQUIREMENTS = ("vad-workbench", "torch", "numpy", "pandas", "safetensors", "pydantic")
"""Packages that the model needs. They are listed because MLflow's inference of requirements takes minutes."""


def log_model(client: MlflowClient, paths: Paths, name: str, choice: Choice) -> ModelVersion:
    """Log the winner's model with its run, and register it as a version of the model `name`."""
    finished = choice.winner
    job = finished.job
    run_id = log_job(paths, finished)
    experiment = prepare_tracking(paths, job.dataset)
    with tempfile.TemporaryDirectory(prefix="vad-") as temporary:
        folder = Path(temporary) / "model"
        _save(finished, folder)
        logged = client.create_logged_model(
            experiment, name=job.title.replace("/", "-"), source_run_id=run_id, model_type=job.method
        )
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    try:
        client.create_registered_model(
            name,
            tags={"dataset": job.dataset, "camera": job.camera},
            description=f"Detector of camera {job.camera} of {job.dataset}; alias `{CHAMPION}` serves it.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name, logged.artifact_location, run_id=run_id, tags=version_tags(choice), model_id=logged.model_id
    )


def _save(finished: FinishedJob, folder: Path) -> None:
    """Write MLflow's model folder: `MLmodel`, and the detector's three files under `data/`."""
    with tempfile.TemporaryDirectory(prefix="vad-") as temporary:
        detector = Path(temporary) / "detector"
        detector.mkdir()
        for file in (finished.files.weights, finished.files.description):
            copyfile(file, detector / file.name)
        calibration = Calibration.of(finished.scores, finished.headline, finished.metrics["threshold"])
        save_calibration(calibration, detector)
        with warnings.catch_warnings():
            # An input example would be a video, which would be stored with every version.
            warnings.filterwarnings("ignore", message=".*input example was not provided.*")
            mlflow.pyfunc.save_model(
                folder,
                loader_module="flows.registry.pyfunc_model",
                data_path=str(detector),
                signature=signature(load_detector(detector)),
                pip_requirements=[
                    f"{name}=={installed_version(name).split('+')[0]}" for name in _REQUIREMENTS
                ],
            )
