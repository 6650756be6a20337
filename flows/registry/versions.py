"""The registry: one model a camera, its best version under the alias `champion`.

A camera's champion is chosen by a criterion that is written on the version (`selected_on`). With labelled
test video it is the headline AUC, and the AUC that is reported is cross-fitted; without, a criterion on
normal video alone. A version that is not better than the champion, by the same criterion on the same data,
is kept but not promoted.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from shutil import copyfile

import mlflow.artifacts
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from flows.execution.locks import alone
from flows.project.paths import Paths
from flows.registry.choice import Choice, choose
from flows.registry.model_card import model_card, version_tags
from flows.registry.pyfunc_model import signature
from flows.tracking.runs import (
    connect,
    log_job,
    prepare_tracking,
    server_errors,
)
from vad_models.errors import JobError
from vad_models.jobs.finished import FinishedJob
from vad_models.operation.detector import Calibration, load_detector, save_calibration

__all__ = [
    "CHAMPION",
    "Champion",
    "Promotion",
    "champion_tags",
    "load_champion",
    "model_name",
    "promote",
    "promote_choice",
]

CHAMPION = "champion"
"""Alias of the version that serves a camera."""

_REQUIREMENTS = ("vad-workbench", "torch", "numpy", "pandas", "safetensors", "pydantic")
"""What the model runs on. Stated, because MLflow's inference of requirements takes minutes."""


@dataclass(frozen=True)
class Promotion:
    """What became of a camera's best job.

    Attributes:
        model: name in the registry.
        version: of the best job.
        promoted: whether the alias was moved to it now.
        reason: why, or why not; one sentence.
        choice: what was chosen, and how.
    """

    model: str
    version: str
    promoted: bool
    reason: str
    choice: Choice


@dataclass(frozen=True)
class Champion:
    """The model that serves a camera.

    Attributes:
        name, version: in the registry.
        tags: of the version: method, seed, selected_on, cross_fitted_auc, threshold, ...
        model: `model.predict` takes a path or a column of frames, as `flows.registry.pyfunc_model` says.
    """

    name: str
    version: str
    tags: dict[str, str]
    model: PyFuncModel


def model_name(dataset: str, camera: str) -> str:
    """Name of a camera's model in the registry."""
    return f"{dataset}-camera-{camera}"


def promote(paths: Paths, jobs: Sequence[FinishedJob], methods: Sequence[str]) -> Promotion:
    """Choose the best of one camera's finished jobs, register it, and make it the champion if it is better.

    A job that is registered already is not registered again. A refusal is a result, not an error: the
    version is kept with the tag `promotion`, which says why.

    Args:
        paths: of the project.
        jobs: finished jobs of one camera of one dataset.
        methods: their order settles ties, and the choice itself where nothing else can.

    Raises:
        JobError: there are no jobs, or `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    return promote_choice(paths, choose(jobs, methods))


def promote_choice(paths: Paths, choice: Choice, standing: float | None = None) -> Promotion:
    """Register what was chosen, and make it the champion if it is better.

    Args:
        paths: of the project.
        choice: the best of one camera's finished jobs.
        standing: what the champion has of the choice's criterion on the data as they are now; none: what is written on
            it, which compares only where data and criterion are the same.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    job = choice.winner.job
    name = model_name(job.dataset, job.camera)
    with server_errors(paths), alone(paths, f"registry/{name}"):  # two would both find it not yet registered
        client = connect(paths)
        champion = _champion(client, name)
        version = _registered(client, name, job.fingerprint) or _register(client, paths, name, choice)
        serving = champion is not None and str(champion.version) == str(version.version)
        if serving:
            promoted, reason = False, f"version {version.version} is the champion already"
        else:
            promoted, reason = _compare(choice, None if champion is None else champion.tags, standing)
        state = "champion" if promoted or serving else "refused"
        for key, value in {**version_tags(choice), "promotion": f"{state}: {reason}"}.items():
            client.set_model_version_tag(name, version.version, key, value)
        client.update_model_version(name, version.version, description=model_card(choice, reason))
        if promoted:
            client.set_registered_model_alias(name, CHAMPION, version.version)
    return Promotion(name, str(version.version), promoted, reason, choice)


def load_champion(paths: Paths, dataset: str, camera: str) -> Champion:
    """Load the model that serves a camera.

    Raises:
        JobError: the camera has no champion, or `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    name = model_name(dataset, camera)
    with server_errors(paths):
        client = connect(paths)
        champion = _champion(client, name)
        if champion is None:
            raise JobError(
                f"camera {camera} of {dataset} has no champion: "
                f"train one with `vad benchmark --dataset {dataset}`."
            )
        uri = client.get_model_version_download_uri(name, champion.version)
        folder = mlflow.artifacts.download_artifacts(artifact_uri=uri, tracking_uri=client.tracking_uri)
        return Champion(name, str(champion.version), dict(champion.tags), mlflow.pyfunc.load_model(folder))


def champion_tags(paths: Paths, dataset: str, camera: str) -> dict[str, str] | None:
    """What is written on a camera's champion, and its `version`; none where there is no champion.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        champion = _champion(connect(paths), model_name(dataset, camera))
        return None if champion is None else {**champion.tags, "version": str(champion.version)}


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _registered(client: MlflowClient, name: str, fingerprint: str) -> ModelVersion | None:
    versions = client.search_model_versions(f"name = '{name}'")
    return next((one for one in versions if one.tags.get("fingerprint") == fingerprint), None)


def _compare(
    choice: Choice, champion: Mapping[str, str] | None, standing: float | None = None
) -> tuple[bool, str]:
    """Whether the choice becomes champion, and why."""
    if champion is None:
        return True, "the camera had no champion"
    if standing is None:
        if champion["frames_version"] != choice.winner.job.data_version:
            return True, "the champion was chosen on another version of the data"
        if champion["criterion"] != choice.criterion:
            return True, f"the champion was chosen by another criterion ({champion['criterion']})"
    if choice.value is None:
        return True, "nothing was measured that could compare it with the champion"
    before = float(champion["criterion_value"]) if standing is None else standing
    numbers = (
        f"{choice.criterion} {choice.value:.4f} against {before:.4f} of the champion ({champion['method']})"
    )
    return (True, f"better: {numbers}") if choice.value > before else (False, f"not better: {numbers}")


def _register(client: MlflowClient, paths: Paths, name: str, choice: Choice) -> ModelVersion:
    """Log the winner's model with its run, and make it a version."""
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
    """MLflow's model folder: `MLmodel`, and the detector's three files under `data/`."""
    with tempfile.TemporaryDirectory(prefix="vad-") as temporary:
        detector = Path(temporary) / "detector"
        detector.mkdir()
        for file in (finished.files.weights, finished.files.description):
            copyfile(file, detector / file.name)
        calibration = Calibration.of(finished.scores, finished.headline, finished.metrics["threshold"])
        save_calibration(calibration, detector)
        with warnings.catch_warnings():
            # An input example would be a video, stored with every version.
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
