"""Contents of the registry: one model per camera, with its versions and two aliases.

`champion` is the version that serves the camera, and `challenger` is the newest version that does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from flows.project.paths import Paths
from flows.tracking.runs import connect, server_errors
from vad_models.errors import JobError

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "RegisteredVersion",
    "champion_of",
    "champion_tags",
    "find_model",
    "list_versions",
    "model_name",
    "versions_of",
]

CHAMPION = "champion"
"""Alias of the version that serves a camera."""

CHALLENGER = "challenger"
"""Alias of the newest version that is not the champion."""

_PAGE = 200
"""Entries per request."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a camera's model. None means that the version has no such tag.

    Attributes:
        model, version: name of the model and number of the version in the registry.
        dataset, camera, method, variant, seed: the job that it comes from.
        aliases: `champion`, `challenger`, or others that somebody set.
        auc, cross_fitted_auc, auc_papers, label_free_auc: its measured AUCs, as on the model card.
        promotion, promotion_by: whether it was promoted and why, and the person or flow that decided.
        champion_since, champion_until: when it served last, ISO 8601 in UTC; `until` is None while it serves.
        withdrawn: who took it out of service by hand, and why; only a person can bring it back.
    """

    model: str
    version: int
    dataset: str | None
    camera: str | None
    aliases: tuple[str, ...]
    method: str | None
    variant: str | None
    seed: str | None
    auc: float | None
    cross_fitted_auc: float | None
    auc_papers: float | None
    label_free_auc: float | None
    promotion: str | None
    promotion_by: str | None
    champion_since: str | None
    champion_until: str | None
    withdrawn: str | None


_NUMBERS = ("auc", "cross_fitted_auc", "auc_papers", "label_free_auc")
_WORDS = (
    *("dataset", "camera", "method", "variant", "seed", "promotion", "promotion_by"),
    *("champion_since", "champion_until", "withdrawn"),
)


def model_name(dataset: str, camera: str) -> str:
    """Return the name of a camera's model in the registry."""
    return f"{dataset}-camera-{camera}"


def list_versions(
    paths: Paths, dataset: str | None = None, camera: str | None = None
) -> list[RegisteredVersion]:
    """List the versions of the cameras' models, by name of the model, the newest version first.

    Args:
        paths: of the project.
        dataset: only models of this dataset; None means all datasets.
        camera: only the model of this camera; None means all cameras.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        client = connect(paths)
        return [
            _described(version, _aliases(model))
            for model in _models(client, dataset, camera)
            for version in versions_of(client, model.name)
        ]


def find_model(paths: Paths, name: str, dataset: str | None = None) -> str:
    """Find a model by its own name or by the name of its camera.

    Args:
        paths: of the project.
        name: such as `campus-camera-01` or `01`.
        dataset: of the camera; None if only one dataset has a camera of that name.

    Raises:
        JobError: no model has that name, or several have.
    """
    with server_errors(paths):
        models = _models(connect(paths), dataset, None)
    names = sorted(model.name for model in models)
    if name in names:
        return name
    found = [model for model in models if model.tags.get("camera") == name]
    if len(found) == 1:
        return str(found[0].name)
    if found:
        datasets = ", ".join(sorted(model.tags["dataset"] for model in found))
        raise JobError(f"camera {name} is in several datasets ({datasets}): name one with --dataset.")
    known = f"there are {', '.join(names)}" if names else "there are none: train with `vad benchmark`"
    raise JobError(f"there is no registered model {name!r}, and no camera of that name; {known}.")


def champion_tags(paths: Paths, dataset: str, camera: str) -> dict[str, str] | None:
    """Return the tags of a camera's champion and its `version`, or None if there is no champion.

    Raises:
        JobError: `MLFLOW_TRACKING_URI` names a server that does not answer.
    """
    with server_errors(paths):
        champion = champion_of(connect(paths), model_name(dataset, camera))
        return None if champion is None else {**champion.tags, "version": str(champion.version)}


def champion_of(client: MlflowClient, name: str) -> ModelVersion | None:
    """Return the version of a model that serves, or None."""
    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def versions_of(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Return the versions of a model, the newest first."""
    found = _all(lambda token: client.search_model_versions(f"name = '{name}'", _PAGE, page_token=token))
    return sorted(found, key=lambda one: int(one.version), reverse=True)


def _models(client: MlflowClient, dataset: str | None, camera: str | None) -> list[RegisteredModel]:
    """Return the cameras' models by name; other models of the same server have no tag `camera`."""
    found = _all(lambda token: client.search_registered_models(None, _PAGE, ["name ASC"], token))
    return [
        model
        for model in found
        if {"dataset", "camera"} <= model.tags.keys()
        and dataset in (None, model.tags["dataset"])
        and camera in (None, model.tags["camera"])
    ]


def _all(page_of: Callable[[str | None], Any]) -> Sequence[Any]:
    """Collect the results of a search in MLflow from all pages."""
    found: list[Any] = []
    token: str | None = None
    while token is None or token:
        page = page_of(token)
        found += page
        token = page.token or ""
    return found


def _aliases(model: RegisteredModel) -> dict[str, list[str]]:
    """Return version -> its aliases."""
    by_version: dict[str, list[str]] = {}
    for alias, version in model.aliases.items():
        by_version.setdefault(str(version), []).append(alias)
    return by_version


def _described(version: ModelVersion, aliases: dict[str, list[str]]) -> RegisteredVersion:
    numbers: dict[str, Any] = {name: _number(version.tags.get(name)) for name in _NUMBERS}
    words: dict[str, Any] = {name: version.tags.get(name) for name in _WORDS}
    return RegisteredVersion(
        model=version.name,
        version=int(version.version),
        aliases=tuple(sorted(aliases.get(str(version.version), []))),
        **numbers,
        **words,
    )


def _number(text: str | None) -> float | None:
    """Parse the number in a tag; None if it is missing or NaN, which JSON does not allow."""
    value = math.nan if text is None else float(text)
    return None if math.isnan(value) else value
