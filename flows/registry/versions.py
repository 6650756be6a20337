"""Register a camera's best job, promote it to `champion`, roll a promotion back, and load the champion.

The tags of a version say what it is (`flows.registry.model_card`) and what happened to it: `promotion` (whether it
became the champion, and why), `promotion_by` (the person or flow), `champion_since` and `champion_until`,
`previous_champion` (the version that it replaced, to which a rollback returns) and `withdrawn` (who took it out of
service by hand, and why).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import mlflow.artifacts
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.pyfunc import PyFuncModel

from flows.execution.locks import alone
from flows.project.paths import Paths
from flows.registry.catalogue import CHALLENGER, CHAMPION, champion_of, model_name, versions_of
from flows.registry.choice import Choice, Verdict, beats
from flows.registry.model_card import model_card, version_tags
from flows.registry.model_folder import log_model
from flows.tracking.runs import connect, server_errors
from vad_models.errors import JobError

__all__ = ["Champion", "Promotion", "challenge", "load_champion", "promote", "register", "rollback"]


@dataclass(frozen=True)
class Promotion:
    """Outcome of a request to promote a version.

    Attributes:
        model, version: name of the model and number of the version in the registry.
        promoted: whether this request made it the champion.
        reason: why, or why not; one sentence.
    """

    model: str
    version: str
    promoted: bool
    reason: str


@dataclass(frozen=True)
class Champion:
    """The model that serves a camera.

    Attributes:
        name, version: name of the model and number of the version in the registry.
        tags: tags of the version: method, seed, selected_on, auc, cross_fitted_auc, threshold, ...
        model: `model.predict` takes a path or a column of frames, as `flows.registry.pyfunc_model` says.
    """

    name: str
    version: str
    tags: dict[str, str]
    model: PyFuncModel


def register(paths: Paths, choice: Choice) -> str:
    """Register the winner as a version of its camera's model, and return its number; the champion stays.

    If the job is already registered, the tags and the model card of its version are updated.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    job = choice.winner.job
    name = model_name(job.dataset, job.camera)
    # Under a lock, because otherwise two processes could both register the job.
    with server_errors(paths), alone(paths, f"registry/{name}"):
        client = connect(paths)
        known = [one for one in versions_of(client, name) if one.tags.get("fingerprint") == job.fingerprint]
        version = known[0] if known else log_model(client, paths, name, choice)
        _write(client, version, version_tags(choice))
        client.update_model_version(name, version.version, description=model_card(choice))
        _name_challenger(client, name)
        return str(version.version)


def challenge(paths: Paths, choice: Choice, by: str, standing: float | None = None) -> Promotion:
    """Register the winner of a choice, and promote it if it beats the champion.

    A refusal is a result, not an error: the version is kept, and its tag `promotion` says why. A version that a person
    took out of service is refused as well.

    Args:
        paths: of the project.
        choice: the best of one camera's finished jobs.
        by: the person or flow that asks.
        standing: the champion's value of the same criterion on the current data. None means the value in its tags,
            which is comparable only if data and criterion are the same.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    job = choice.winner.job
    name = model_name(job.dataset, job.camera)
    number = register(paths, choice)
    with server_errors(paths), alone(paths, f"registry/{name}"):
        client = connect(paths)
        champion = champion_of(client, name)
        version = client.get_model_version(name, number)
        if champion is not None and str(champion.version) == number:
            return Promotion(name, number, False, f"version {number} is the champion already")
        if (withdrawn := version.tags.get("withdrawn")) is not None:
            verdict = Verdict(
                False,
                f"version {number} was taken out of service ({withdrawn}); "
                f"`vad model promote {name} --version {number} --reason ...` brings it back",
            )
        else:
            verdict = beats(choice, None if champion is None else champion.tags, standing)
        if verdict.better:
            _crown(client, version, champion, verdict.reason, by)
        else:
            _write(client, version, {"promotion": f"refused: {verdict.reason}", "promotion_by": by})
        return Promotion(name, number, verdict.better, verdict.reason)


def promote(paths: Paths, model: str, version: int, reason: str, by: str) -> Promotion:
    """Make a version the champion without a comparison.

    The previous champion counts as withdrawn: only a person can bring it back (`promote`, `rollback`).

    Args:
        paths: of the project.
        model: name in the registry, such as `campus-camera-01`.
        version: number of a version of that model.
        reason: why; it is written on the version.
        by: the person or flow that decides.

    Raises:
        JobError: there is no such version, or `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths), alone(paths, f"registry/{model}"):
        client = connect(paths)
        champion = champion_of(client, model)
        if champion is not None and int(champion.version) == version:
            return Promotion(model, str(version), False, f"version {version} is the champion already")
        _crown(client, _version(client, model, version), champion, reason, by)
        _withdraw(client, champion, reason, by)
        return Promotion(model, str(version), True, reason)


def rollback(paths: Paths, model: str, reason: str, by: str) -> Promotion:
    """Make the champion's predecessor the champion again, and mark the current champion as withdrawn.

    Args:
        paths: of the project.
        model: name in the registry, such as `campus-camera-01`.
        reason: why; it is written on the versions.
        by: the person or flow that decides.

    Raises:
        JobError: there is no champion, or it replaced none, or `MLFLOW_TRACKING_URI` names a server that does not
            answer.
    """
    with server_errors(paths), alone(paths, f"registry/{model}"):
        client = connect(paths)
        champion = champion_of(client, model)
        if champion is None:
            raise JobError(f"{model} has no champion: make a version its champion with `vad model promote`.")
        before = champion.tags.get("previous_champion")
        if before is None:
            raise JobError(
                f"version {champion.version} of {model} replaced no champion, so there is none to return to: "
                "list the versions with `vad model list`, and make one the champion with `vad model promote`."
            )
        version = _version(client, model, int(before))
        _crown(client, version, champion, reason, by, returns=True)
        _withdraw(client, champion, reason, by)
        return Promotion(model, before, True, reason)


def load_champion(paths: Paths, dataset: str, camera: str) -> Champion:
    """Load the model that serves a camera.

    Raises:
        JobError: the camera has no champion, or `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    name = model_name(dataset, camera)
    with server_errors(paths):
        client = connect(paths)
        champion = champion_of(client, name)
        if champion is None:
            raise JobError(
                f"camera {camera} of {dataset} has no champion: "
                f"train one with `vad benchmark --dataset {dataset}`."
            )
        uri = client.get_model_version_download_uri(name, champion.version)
        folder = mlflow.artifacts.download_artifacts(artifact_uri=uri, tracking_uri=client.tracking_uri)
        return Champion(name, str(champion.version), dict(champion.tags), mlflow.pyfunc.load_model(folder))


def _crown(
    client: MlflowClient,
    version: ModelVersion,
    champion: ModelVersion | None,
    reason: str,
    by: str,
    *,
    returns: bool = False,
) -> None:
    """Move the alias to `version` and tag both versions; with `returns`, `version` keeps its own predecessor."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"promotion": f"champion: {reason}", "promotion_by": by, "champion_since": now}
    if champion is not None and not returns:
        facts["previous_champion"] = str(champion.version)
    _write(client, version, facts)
    for past in ("champion_until", "withdrawn"):
        if past in version.tags:
            client.delete_model_version_tag(version.name, version.version, past)
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
    if champion is not None:
        _write(client, champion, {"champion_until": now})
    _name_challenger(client, version.name)


def _withdraw(client: MlflowClient, champion: ModelVersion | None, reason: str, by: str) -> None:
    if champion is not None:
        _write(client, champion, {"withdrawn": f"{by}: {reason}"})


def _name_challenger(client: MlflowClient, name: str) -> None:
    """Give the alias `challenger` to the newest version that is not the champion; remove the alias if there is none."""
    champion = champion_of(client, name)
    serving = None if champion is None else champion.version
    others = [one.version for one in versions_of(client, name) if one.version != serving]
    if others:
        client.set_registered_model_alias(name, CHALLENGER, others[0])
    elif CHALLENGER in client.get_registered_model(name).aliases:
        client.delete_registered_model_alias(name, CHALLENGER)


def _version(client: MlflowClient, model: str, number: int) -> ModelVersion:
    versions = {int(one.version): one for one in versions_of(client, model)}
    if number not in versions:
        known = ", ".join(map(str, sorted(versions))) or "none"
        raise JobError(f"{model} has no version {number}; its versions are {known} (`vad model list`).")
    return versions[number]


def _write(client: MlflowClient, version: ModelVersion, tags: dict[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(version.name, version.version, key, value)
