"""Run a job: train, score, measure; no orchestration. A job that died resumes from its last checkpoint."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from vad_models.contract import Combination
from vad_models.data.clips import Excerpt
from vad_models.data.files import write_json
from vad_models.data.frame_store import FrameStore
from vad_models.devices import ALL_OF_IT, Resources
from vad_models.errors import JobError
from vad_models.evaluation.label_free import label_free_auc
from vad_models.evaluation.metrics import measure, operation
from vad_models.evaluation.normalisation import NORMALISATIONS, label_free_threshold
from vad_models.jobs.directory import JobDirectory
from vad_models.jobs.job import Job, manifest_rows, split_training
from vad_models.methods import build_method, method_class
from vad_models.operation.export import load_method, save_method
from vad_models.scoring import frames_per_second, gflop_per_frame, score_excerpts
from vad_models.settings import EvaluationSettings
from vad_models.training import OnEpoch, TrainingRequest, train

__all__ = ["run_job"]


def run_job(
    job: Job,
    store: FrameStore,
    directory: Path,
    evaluation: EvaluationSettings,
    resources: Resources = ALL_OF_IT,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Train, score and measure a job; returns, and writes last, what `JobDirectory.finished_metrics` returns.

    Existing files with the same fingerprint are kept; files with another fingerprint are removed first.

    Args:
        job: what to do.
        store: frames of the job's size.
        directory: the job's own.
        evaluation: how scores become numbers; a change of it alone measures again and trains nothing.
        resources: threads and devices; features are kept there for all jobs.
        on_epoch: called after each epoch of training.
    """
    if resources.threads is not None:
        torch.set_num_threads(resources.threads)
    files = JobDirectory(directory)
    if (metrics := files.finished_metrics(job, evaluation)) is not None:
        return metrics
    files.begin(job)
    if not files.training.exists():
        used = resources if job.whole_videos else replace(resources, features=None)
        write_json(files.training, _train_and_score(job, store, files, used, on_epoch))
        shutil.rmtree(files.checkpoints, ignore_errors=True)
    metrics = {**files.read_training(), **_measure(job, store, files, evaluation)}
    write_json(files.metrics, metrics)
    return metrics


def _train_and_score(
    job: Job, store: FrameStore, files: JobDirectory, resources: Resources, on_epoch: OnEpoch | None
) -> dict[str, Any]:
    """Train the model, write it and its scores, and return what was measured on the way."""
    torch.manual_seed(job.seed)
    method = build_method(job.method, job.settings, store.size)
    if isinstance(method, Combination):
        _adopt_members(method, job, files.path.parents[2])
    normal, holdout = split_training(job, store, method.clip.frames)
    request = TrainingRequest(
        training=[*normal, *job.added(store)],
        holdout=holdout,
        checkpoints=files.checkpoints,
        seed=job.seed,
        mirror=job.mirror,
    )
    outcome = train(method, request, resources, on_epoch)
    save_method(method, job.settings, files.path, job.with_fingerprint())
    test = [Excerpt(video, 0, video.frames) for video in job.videos(store, "test")]
    tables = [score_excerpts(method, holdout, "holdout"), score_excerpts(method, test, "test")]
    files.write_scores(pd.concat([table for table in tables if len(table)], ignore_index=True))
    files.write_history(outcome.history)
    return {
        "headline": method.headline,
        "signals": list(method.signals),
        "train_minutes": outcome.minutes,
        "fps_train": outcome.frames_per_second,
        "fps_score": frames_per_second(method, holdout[0].array()),
        "params_m": sum(parameter.numel() for parameter in method.parameters()) / 1e6,
        "gflop_per_frame": gflop_per_frame(method),
        "label_free_auc": label_free_auc(method, [excerpt.array() for excerpt in holdout]),
        "frames_trained": sum(excerpt.frames for excerpt in request.training),
        "holdout_videos": [excerpt.video.name for excerpt in holdout],
    }


def _adopt_members(method: Combination, job: Job, dataset_runs: Path) -> None:
    """Give `method` the trained models that it combines, with their scores of held-out normal video.

    Raises:
        JobError: a member is not trained, or was trained with other settings.
    """
    for label, fingerprint in job.members.items():
        files = JobDirectory(dataset_runs / label / job.camera / f"seed{job.seed}")
        if files.fingerprint != fingerprint or not files.training.exists():
            raise JobError(
                f"{job.title} combines {label}/{job.camera}/seed{job.seed}, which is not trained with these settings: "
                f"run `vad train --dataset {job.dataset} --method {label} --camera {job.camera} --seed {job.seed}`."
            )
        scores = files.read_scores()
        method.adopt(label, load_method(files.path), scores[scores["split"] == "holdout"])


def _measure(
    job: Job, store: FrameStore, files: JobDirectory, evaluation: EvaluationSettings
) -> dict[str, Any]:
    """Metrics of the job's scores, its label-free threshold, and what an operator would have seen at it."""
    scores = files.read_scores()
    rows = manifest_rows(job, store)
    label_sets = sorted(set(rows.loc[rows["labelled"], "label_set"])) or ["none"]
    cls = method_class(job.method)
    fps = job.fps(store)
    threshold = label_free_threshold(scores, cls.headline, fps, evaluation.false_alarms_per_hour)
    labelled = scores.loc[scores["split"] == "test", "label"].notna().any()
    return {
        "evaluation": evaluation.model_dump(),
        "metrics": measure(scores, cls.signals, NORMALISATIONS, "+".join(label_sets), evaluation),
        "threshold": asdict(threshold),
        "operation": asdict(operation(scores, cls.headline, threshold, fps)) if labelled else None,
    }
