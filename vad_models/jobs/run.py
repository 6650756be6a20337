"""Running a job: train, score, measure. Pure; no orchestration. A job that died goes on from its last checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from vad_models.contract import Combination
from vad_models.data.clips import Excerpt
from vad_models.data.files import atomic_path, write_json
from vad_models.data.frame_store import FrameStore
from vad_models.errors import JobError
from vad_models.evaluation.label_free import label_free_auc
from vad_models.evaluation.metrics import measure, operation
from vad_models.evaluation.normalisation import NORMALISATIONS, label_free_threshold
from vad_models.jobs.directory import fingerprint_in, finished_metrics
from vad_models.jobs.job import Job, manifest_rows, split_training
from vad_models.methods import build_method, method_class
from vad_models.operation.export import load_method, save_method
from vad_models.scoring import frames_per_second, gflop_per_frame, read_scores, score_excerpts, write_scores
from vad_models.settings import EvaluationSettings
from vad_models.training import EpochReport, train

__all__ = ["run_job"]


def run_job(
    job: Job,
    store: FrameStore,
    directory: Path,
    evaluation: EvaluationSettings,
    threads: int | None = None,
    device: str = "auto",
    devices: int = 1,
    features: Path | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> dict[str, Any]:
    """Train, score and measure; returns (and writes to `metrics.json`, last) what `finished_metrics` returns.

    What is already there with the same fingerprint is kept; what has another fingerprint is removed first.

    Args:
        job: what to do.
        store: frames of the job's size.
        directory: the job's own.
        evaluation: how scores become numbers; a change of it alone measures again and trains nothing.
        threads: of torch, for this process; none: all cores.
        device: Lightning's accelerator.
        devices: how many of these to train on, sharing every batch; see `train`.
        features: folder for features that no training changes, shared by all jobs; none: they are not kept.
        on_epoch: called after each epoch of training.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if fingerprint_in(directory) != job.fingerprint:
        shutil.rmtree(directory, ignore_errors=True)
    if (metrics := finished_metrics(job, directory, evaluation)) is not None:
        return metrics
    write_json(directory / "job.json", {**job.model_dump(), "fingerprint": job.fingerprint})

    facts_file = directory / "training.json"
    if not facts_file.exists():
        kept = features if job.whole_videos else None
        facts = _train_and_score(job, store, directory, device, devices, kept, on_epoch)
        write_json(facts_file, facts)
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    metrics = {**facts, **_measure(job, store, directory, evaluation)}
    write_json(directory / "metrics.json", metrics)
    return metrics


def _train_and_score(
    job: Job,
    store: FrameStore,
    directory: Path,
    device: str,
    devices: int,
    features: Path | None,
    on_epoch: Callable[[EpochReport], None] | None,
) -> dict[str, Any]:
    """Train the model, write it and its scores, and return what was measured on the way."""
    torch.manual_seed(job.seed)
    method = build_method(job.method, job.settings, store.size)
    if isinstance(method, Combination):
        _adopt_members(method, job, directory.parents[2])
    normal, holdout_excerpts = split_training(job, store, method.clip.frames)
    training_excerpts = [*normal, *job.added(store)]
    outcome = train(
        method,
        training_excerpts,
        holdout_excerpts,
        directory / "checkpoints",
        job.seed,
        mirror=job.mirror,
        features=features,
        device=device,
        devices=devices,
        on_epoch=on_epoch,
    )
    save_method(method, job.settings, directory, {**job.model_dump(), "fingerprint": job.fingerprint})
    test_excerpts = [Excerpt(video, 0, video.frames) for video in job.videos(store, "test")]
    tables = [
        score_excerpts(method, holdout_excerpts, "holdout"),
        score_excerpts(method, test_excerpts, "test"),
    ]
    scores = pd.concat([table for table in tables if len(table)], ignore_index=True)
    write_scores(scores, directory / "scores.parquet")
    with atomic_path(directory / "history.csv") as temporary:
        outcome.history.to_csv(temporary, index=False)
    return {
        "headline": method.headline,
        "signals": list(method.signals),
        "train_minutes": outcome.minutes,
        "fps_train": outcome.frames_per_second,
        "fps_score": frames_per_second(method, holdout_excerpts[0].array()),
        "params_m": sum(parameter.numel() for parameter in method.parameters()) / 1e6,
        "gflop_per_frame": gflop_per_frame(method),
        "label_free_auc": label_free_auc(method, [excerpt.array() for excerpt in holdout_excerpts]),
        "frames_trained": sum(excerpt.frames for excerpt in training_excerpts),
        "holdout_videos": [excerpt.video.name for excerpt in holdout_excerpts],
    }


def _adopt_members(method: Combination, job: Job, dataset_runs: Path) -> None:
    """Give `method` the trained models that it combines, with their scores of held-out normal video.

    Raises:
        JobError: a member is not trained, or was trained with other settings.
    """
    for label, fingerprint in job.members.items():
        directory = dataset_runs / label / job.camera / f"seed{job.seed}"
        if fingerprint_in(directory) != fingerprint or not (directory / "training.json").exists():
            raise JobError(
                f"{job.title} combines {label}/{job.camera}/seed{job.seed}, which is not trained with these settings: "
                f"run `vad train --dataset {job.dataset} --method {label} --camera {job.camera} --seed {job.seed}`."
            )
        scores = read_scores(directory / "scores.parquet")
        method.adopt(label, load_method(directory), scores[scores["split"] == "holdout"])


def _measure(job: Job, store: FrameStore, directory: Path, evaluation: EvaluationSettings) -> dict[str, Any]:
    """Metrics of the job's scores, its label-free threshold, and what an operator would have seen at it."""
    scores = read_scores(directory / "scores.parquet")
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
