"""Promotion on request: of the best job, by the comparison that the benchmark uses, or of a version that is named."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger

from flows.benchmark.evaluation import challenge_champions, current_jobs
from flows.project.project import Project
from flows.registry.catalogue import model_name
from flows.registry.versions import promote as promote_version
from vad_models.errors import JobError, SettingsError

__all__ = ["promote"]

_BY = "flow promote"


@flow(name="promote", flow_run_name="promote {dataset}")
def promote(
    dataset: str,
    cameras: list[str] | None = None,
    version: int | None = None,
    reason: str | None = None,
    root: Path = Path(),
) -> None:
    """Let the best finished job of each camera challenge its champion, or make a named version the champion.

    Args:
        dataset: name of a folder in `data/`, with finished jobs.
        cameras: None means all that have finished jobs; with `version`, exactly one.
        version: a version of the camera's model that becomes the champion without a comparison; None means compare.
        reason: why that version; required with `version`, and not allowed without it.
        root: the folder of the project, or a settings file other than its params.yaml.

    Raises:
        SettingsError: `version` without a reason or without exactly one camera, or a reason without `version`.
        JobError: a camera has no finished job, or there is no such version.
    """
    project = Project.at(root)
    log = get_run_logger()
    if version is None:
        if reason is not None:
            raise SettingsError("a `reason` is only for a version that is named: give `version` as well.")
        promotions = challenge_champions(project, current_jobs(project, dataset), _BY, cameras)
        if not promotions:
            raise JobError(f"no job of {dataset} is finished: run `vad benchmark --dataset {dataset}`.")
    else:
        if cameras is None or len(cameras) != 1:
            raise SettingsError(f"version {version} needs exactly one camera: name it in `cameras`.")
        if not reason:
            raise SettingsError(
                f"version {version} would replace a champion without comparison: give a `reason`."
            )
        promotions = [promote_version(project.paths, model_name(dataset, cameras[0]), version, reason, _BY)]
    for promotion in promotions:
        log.info("%s version %s: %s", promotion.model, promotion.version, promotion.reason)
